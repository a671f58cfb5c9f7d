"""Executes a plan: all staging at once, then batch by batch, with a thread for each host.

The first batch begins while others are still staged, where traffic is not affected: new releases
start and are proven beside what serves. They are registered in their turn, when all is staged.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import as_deploy_error
from deploy.events.event import BatchBegan, Event, HostSaid
from deploy.run import as_events
from deploy.run.batch_gate import BatchGate
from deploy.run.failed_hosts import FailedHosts
from deploy.run.host_runner import HostRunner
from deploy.run.preliminary import Preliminary
from deploy.run.progress import Progress
from deploy.run.report import Failure, Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.recovery.answers.answers import Answers
    from deploy.steps.fleet import Fleet

    Work = list[tuple[HostPlan, Callable[[HostPlan], None]]]

HEAD_START_SECONDS = 2.0  # who begins early is staged first, alone where that is quick
MOST_AT_A_TIME, STAGED_AT_A_TIME = 1000, 64  # a batch mostly waits; uploads share one line


class Execution:
    """One run of one plan."""

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        listen: Callable[[Event], None],
        permit: Callable[[BatchBegan], None] = lambda _: None,
        answers: Answers | None = None,
    ) -> None:
        """Begin nothing yet.

        listen: Hears every event, from many threads, and raises nothing; permit: see BatchGate;
        answers: Decide about hosts that failed; None where the policy alone does.
        """
        self.plan, self.fleet = plan, fleet
        self._signal = 0
        self._progress = Progress(plan, listen)
        self.listen = listen
        self._runner = HostRunner(fleet, self._progress)
        self._gate = BatchGate(plan, fleet, self._progress, permit)
        self._failed = FailedHosts(
            *(plan, fleet, self._progress, self._runner, self._gate),
            *(self._stage, self._together, answers),
        )
        self._last = {each.host.name: each for batch in plan.batches for each in batch}
        self._early = plan.early
        self._lock = threading.Lock()
        self._begun: set[str] = set()
        self._ahead = threading.Event()

    def stop(self, signal: int) -> None:
        """Ask for an end: no new work starts; hosts that are out go back in first."""
        self._signal = self._signal or signal
        self.fleet.stop.set()

    def lose(self) -> None:
        """Another deploy took over: begin nothing more; no step that has begun changes anything."""
        self._runner.lose()

    @property
    def is_lost(self) -> bool:
        """Whether another deploy is known to have taken over."""
        return self._runner.lost.is_set()

    def run(self) -> Report:
        """Do the plan; every failure is in the report, none is raised."""
        began = self.fleet.clock.monotonic()
        self.listen(as_events.plan_made(self.plan, self.fleet.groups))
        for failure in self._progress.failures:
            self.listen(as_events.failed(failure))
        self.fleet.tell = lambda host, text: self.listen(HostSaid(host, text))
        self.fleet.remark = self._remark
        self._guarded(self._prepare_and_roll, "going from batch to batch")
        self._guarded(self._call_off, "ending what was started early")
        self._guarded(self.fleet.crew.finish, "waiting for the old slots")
        seconds = self.fleet.clock.monotonic() - began
        return self._progress.report(seconds, self._signal, lost=self.is_lost)

    def _remark(self, host: str, text: str) -> None:
        self.listen(HostSaid(host, text, is_remark=True))
        self._progress.remark(host, text)

    def _guarded(self, act: Callable[[], None], what: str) -> None:
        """One part of the run; an unexpected error ends it, and is in the report."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the report must come, whatever went wrong
            self._progress.defect(error, what)

    def _for_host(self, host_plan: HostPlan, run: Callable[[HostPlan], None]) -> None:
        """A host's turn; an unexpected error is that host's failure."""
        try:
            run(host_plan)
        except Exception as error:  # noqa: BLE001 - other hosts go on, and the report must come
            what = f"{host_plan.host}: its part of the plan"
            self._progress.failed(Failure(host_plan.host, what, str(as_deploy_error(error, what))))
            if run != self._stage:
                self._progress.ended(host_plan.host.name, Outcome.UNKNOWN)

    def _prepare_and_roll(self) -> None:
        if self._early:  # of their batch something begins while others are still staged
            first = BatchBegan(1, len(self.plan.batches), tuple(self._early))
            if not self._gate.permits(first, [*self._early.values()]):
                return
        self._prepare()
        if Preliminary(self.plan, self.fleet, self._progress, self._gate, self._runner).is_done():
            self._roll()

    def _call_off(self) -> None:
        self._together([(waiting, self._runner.call_off) for waiting in self._runner.waiting])

    def _prepare(self) -> None:
        """Stage all hosts; those that may begin unseen do so as soon as they are staged."""
        order = sorted(self.plan.staging, key=lambda each: each.host.name not in self._early)
        self._together([(host_plan, self._stage) for host_plan in order], STAGED_AT_A_TIME)
        failed = self._progress.failed_hosts | self._progress.gone_hosts
        for host in self.plan.hosts:
            if host.name not in self._last.keys() | failed:
                self._runner.ended(host.name, Outcome.CURRENT)

    def _stage(self, host_plan: HostPlan) -> None:
        """Nothing of this changes what serves, so a failure leaves the host as it was."""
        early = self._early.get(host_plan.host.name)
        if self._early and not early:
            self.fleet.clock.wait(self._ahead, HEAD_START_SECONDS)
        try:
            if self._runner.stage(host_plan) and early:
                self._begin_early(early)
        finally:
            self._ahead.set()

    def _begin_early(self, host_plan: HostPlan) -> None:
        """Go on with a staged host while others are not, as far as traffic is not affected."""
        with self._lock:
            if not self._begun:
                names = [name for name in self._early if name not in self._progress.failed_hosts]
                self.listen(BatchBegan(1, len(self.plan.batches), tuple(names)))
            self._begun.add(host_plan.host.name)
        self.fleet.crew.ahead(partial(self._for_host, host_plan, self._runner.begin))

    def _roll(self) -> None:
        """Batch by batch, until too many hosts failed; a host that failed before is left alone."""
        total = len(self.plan.batches)
        for number, whole in enumerate(self.plan.batches, start=1):
            # A failure ends the rollout after its batch, and theirs has only begun.
            spared = self._begun if number == 1 else frozenset[str]()
            if not self._failed.may_go_on(number - 1, spared):
                return
            over = self._progress.failed_hosts | self._progress.gone_hosts | self._failed.replanned
            batch = [host_plan for host_plan in whole if host_plan.host.name not in over]
            if not batch:
                continue
            began = BatchBegan(number, total, tuple(each.host.name for each in batch))
            if not self._gate.permits(began, batch):
                return
            if self.plan.at_a_time(number):
                self.listen(began)
                while batch:
                    if not self._failed.may_go_on(number):
                        return  # what was decided stays decided: no host is asked about again
                    batch = self._slide(number, batch)
                continue
            with self.fleet.crew.turn(batch[0].host.name):
                has_capacity = self._gate.admits(number, batch.copy)
            if not has_capacity:
                return
            if not spared:
                self.listen(began)
            self._together([(host_plan, self._switch) for host_plan in batch])
        self._failed.may_go_on(total)

    def _slide(self, number: int, batch: list[HostPlan]) -> list[HostPlan]:
        """So many hosts at a time; the next one starts as soon as one has ended.

        Returns those whose turn did not come, since another host failed.
        """
        counting = threading.Lock()
        out: dict[str, HostPlan] = {}
        over: set[str] = set()

        def going(host_plan: HostPlan) -> list[HostPlan]:
            with counting:
                return [host_plan, *out.values()]

        def take_turn(host_plan: HostPlan) -> None:
            with self.fleet.crew.turn(host_plan.host.name):
                if self._progress.is_spent() or self.fleet.stop.is_set():
                    return
                if not self._gate.admits(number, lambda: going(host_plan)):
                    return
                with counting:
                    out[host_plan.host.name] = host_plan
                    over.add(host_plan.host.name)
            self._switch(host_plan)
            with counting:
                del out[host_plan.host.name]

        self._together([(host_plan, take_turn) for host_plan in batch], self.plan.at_a_time(number))
        over |= self._progress.failed_hosts | self._progress.gone_hosts
        return [host_plan for host_plan in batch if host_plan.host.name not in over]

    def _switch(self, host_plan: HostPlan) -> None:
        """One host's turn; what is left of the old slots drains while others begin."""
        if not self._runner.switch(host_plan):
            return
        if self._last[host_plan.host.name] is not host_plan:
            self._runner.empty(host_plan)
            outcome = Outcome.LEFT if self.is_lost else self._progress.reached(host_plan.host)
            if outcome is not Outcome.BACK or host_plan.moves:
                self._runner.ended(host_plan.host.name, outcome)
        elif host_plan.after:
            self._progress.ended(host_plan.host.name, Outcome.wanted(self.plan.verb))
            self._begin_aside(host_plan)
        else:
            self._runner.ended(host_plan.host.name, self._progress.whole(host_plan.host.name))

    def _begin_aside(self, host_plan: HostPlan) -> None:
        """Go on with a host plan while the next batch begins."""
        self.fleet.crew.aside(partial(self._for_host, host_plan, self._leave))

    def _leave(self, host_plan: HostPlan) -> None:
        self._runner.empty(host_plan)
        host = host_plan.host.name
        self._runner.ended(host, Outcome.LEFT if self.is_lost else self._progress.whole(host))

    def _together(self, work: Work, at_a_time: int = MOST_AT_A_TIME) -> None:
        """Run host plans in threads until all have ended."""
        acts = [partial(self._for_host, host_plan, run) for host_plan, run in work]
        self.fleet.crew.together(acts, at_a_time)
