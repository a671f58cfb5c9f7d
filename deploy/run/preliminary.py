"""Runs the run-once commands on one host, after all staging and before the first batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from deploy.events.event import BatchBegan
from deploy.run.report import Failure

if TYPE_CHECKING:
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.run.batch_gate import BatchGate
    from deploy.run.host_runner import HostRunner
    from deploy.run.progress import Progress
    from deploy.steps.fleet import Fleet


@dataclass(frozen=True)
class Preliminary:
    """Runs it, where the batches after it may begin."""

    plan: Plan
    fleet: Fleet
    progress: Progress
    gate: BatchGate
    runner: HostRunner

    def is_done(self) -> bool:
        """Do all of it; whether the batches may begin.

        However many hosts may fail: where this failed, no host gets the release.
        """
        if not self.plan.once:
            return True
        return self._is_permitted() and all(map(self._is_through, self.plan.once))

    def _left(self, host_plans: tuple[HostPlan, ...]) -> list[HostPlan]:
        """Those of the host plans whose hosts are staged."""
        failed = self.progress.failed_hosts | self.progress.gone_hosts
        return [each for each in host_plans if each.host.name not in failed]

    def _is_permitted(self) -> bool:
        """Whether the first batch may begin: else nothing is run for it."""
        if self._is_over():
            return False
        for number, whole in enumerate(self.plan.batches, start=1):
            if batch := self._left(whole):
                names = tuple(each.host.name for each in batch)
                return self.gate.permits(BatchBegan(number, len(self.plan.batches), names), batch)
        return False

    def _is_over(self) -> bool:
        return self.progress.is_spent() or self.fleet.stop.is_set()

    def _is_through(self, choices: tuple[HostPlan, ...]) -> bool:
        """Have the first staged host do it; whether it did, or no host is left for the release."""
        left = self._left(choices)
        if not left:
            return True
        if self._is_over():
            return False
        done: list[bool] = []
        self.fleet.crew.together([partial(self._stage, left[0], done)], 1)
        return done == [True]

    def _stage(self, host_plan: HostPlan, done: list[bool]) -> None:
        done.append(self.runner.stage(host_plan))
        host = host_plan.host
        if host.name in self.progress.gone_hosts:
            said = "its instance ended meanwhile, so it is not known how it ended"
            self.progress.failed(Failure(host, str(host_plan.steps[0]), said))
