"""The progress of a run, shared by its threads: each host's outcome, failures, remarks."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import as_deploy_error
from deploy.recovery import failed_host
from deploy.run import as_events
from deploy.run.report import Failure, Outcome, Report, is_spent
from deploy.steps.target import DeregisterTarget, RegisterTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.events.event import Event
    from deploy.plan.plan import Plan
    from deploy.steps.base import Step
    from deploy.steps.records import RecordDeployed


@dataclass
class Progress:
    """The account of one run of one plan.

    listen: hears of each failure.
    outcomes: by host name; executed: the plan's steps that were done, as its dry run prints them;
    deployed: hosts and apps, by name, that the release is proven and in service of; defects:
    errors of Changeover itself that belong to no host; remarks: what steps said for the report;
    taken_out: the targets, by the names of host and app and by port, that are out since a step;
    settled: hosts that failed, by name, past which it was decided to go on; answer: what was
    decided in place of the policy; empty for nothing.
    """

    plan: Plan
    listen: Callable[[Event], None]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    deployed: set[tuple[str, str]] = field(default_factory=set)
    defects: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    taken_out: set[tuple[str, str, int]] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    answer: str = ""
    _returning: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """No host was reached yet; hosts that are left out have failed."""
        self.outcomes = {host.name: Outcome.WAITING for host in self.plan.hosts}
        for host, reason in self.plan.left_out.items():
            self.outcomes[host.name] = Outcome.LEFT_OUT
            self.failures.append(Failure(host, "the check before the start", reason))
            self.settled.add(host.name)

    @property
    def failed_hosts(self) -> set[str]:
        """The names of the hosts where something failed."""
        with self._lock:
            return {failure.host.name for failure in self.failures if not failure.is_stop}

    @property
    def gone_hosts(self) -> set[str]:
        """The names of the hosts whose instances were terminated meanwhile."""
        with self._lock:
            return {host for host, end in self.outcomes.items() if end is Outcome.GONE}

    def is_spent(self, but: AbstractSet[str] = frozenset()) -> bool:
        """Whether no further host begins: more failed than the plan tolerates, or time is up.

        What failed of the release alone is tolerated nowhere.

        but: names that do not count yet.
        """
        failed = self.failed_hosts - but
        with self._lock:
            is_over = is_spent(self.plan, failed, self.failures, self.settled)
        return is_over or self.is_out_of_time

    @property
    def is_out_of_time(self) -> bool:
        """Whether the credentials end too soon for more to begin."""
        with self._lock:
            return any(failure.is_stop for failure in self.failures)

    def settle(self, hosts: AbstractSet[str]) -> None:
        """Note that the run goes on past these failed hosts, by name."""
        with self._lock:
            self.settled |= hosts

    def reopen(self, host: str) -> tuple[Failure, ...]:
        """A host begins anew: what failed there counts no more, and is returned."""
        with self._lock:
            found = tuple(failure for failure in self.failures if failure.host.name == host)
            self.failures = [failure for failure in self.failures if failure not in found]
            self.settled.discard(host)
        return found

    @contextmanager
    def returning(self, host: str) -> Iterator[None]:
        """A host is put back while the block runs: another release than the plan's is no deploy.

        The same release under another unit is none either.
        """
        self._returning = host
        try:
            yield
        finally:
            self._returning = ""

    def failed(self, failure: Failure) -> None:
        """Something failed on a host."""
        with self._lock:
            self.failures.append(failure)
        self.listen(as_events.failed(failure))

    def defect(self, error: Exception, what: str) -> None:
        """An unexpected error, of no host; each is kept once."""
        text = str(as_deploy_error(error, what))
        with self._lock:
            if text not in self.defects:
                self.defects.append(text)

    def remark(self, host: str, text: str) -> None:
        """Keep a step's remark for the report, once."""
        said = f"{host}: {text}"
        with self._lock:
            if said not in self.remarks:
                self.remarks.append(said)

    def began(self, step: Step, *, planned: bool) -> None:
        """A step begins; planned: whether it is the plan's, not of a recovery."""
        self.listen(as_events.step_began(step, planned=planned))
        if isinstance(step, DeregisterTarget):
            with self._lock:
                self.taken_out.add((step.host.name, step.app.name, step.app.port))

    def did(self, step: Step, *, planned: bool) -> None:
        """A step did what it says; planned: whether it is the plan's, not of a recovery."""
        if failed_host.is_deployed(step):
            self.deploy(step)
        with self._lock:
            if isinstance(step, RegisterTarget):
                self.taken_out.discard((step.host.name, step.app.name, step.app.port))
            if planned:
                self.executed.append(f"{step.host.name}: {step}")

    def deploy(self, step: RecordDeployed) -> None:
        """From this step on its app counts as deployed on its host."""
        if step.host.name == self._returning and not self._plans(step):
            return
        with self._lock:
            self.deployed.add((step.host.name, step.app.name))

    def _plans(self, step: RecordDeployed) -> bool:
        """Whether the plan puts the same release in service there, under the same unit."""
        return any(
            failed_host.is_deployed(each)
            and (each.host, each.app.name) == (step.host, step.app.name)
            and (each.release, each.unit_digest) == (step.release, step.unit_digest)
            for each in self.plan.steps
        )

    def whole(self, host: str) -> Outcome:
        """How a host ends of which all was done, unless its instance is gone since."""
        if host in self.gone_hosts:
            return Outcome.GONE
        if host in self.plan.out and self._ends(host):
            return Outcome.OUT
        return Outcome.wanted(self.plan.verb)

    def _ends(self, host: str) -> bool:
        """Whether all that the plan does to an app of a host is to end it."""
        mine: dict[str, list[Step]] = {}
        for step in self.plan.steps:
            if step.host.name == host:
                mine.setdefault(step.app.name, []).append(step)
        return any(map(failed_host.ends, mine.values()))

    def ended(self, host: str, outcome: Outcome) -> None:
        """A host's part is over, or all of it that counts."""
        with self._lock:
            self.outcomes[host] = outcome

    def reached(self, host: Host) -> Outcome:
        """How far a host came whose apps all serve: by which of them the release is deployed to."""
        if host.name in self.gone_hosts:
            return Outcome.GONE
        due = {
            step.app.name
            for step in self.plan.steps
            if step.host == host and failed_host.is_deployed(step)
        }
        with self._lock:
            done = {app for name, app in self.deployed if name == host.name}
        if not done:
            return Outcome.BACK
        return Outcome.wanted(self.plan.verb) if done >= due else Outcome.PARTLY

    def report(self, seconds: float, signal: int, *, lost: bool) -> Report:
        """The run as it ended after so many seconds, by a signal's number or 0."""
        with self._lock:
            return Report(
                plan=self.plan,
                outcomes=dict(self.outcomes),
                failures=tuple(self.failures),
                executed=tuple(self.executed),
                deployed=frozenset(self.deployed),
                seconds=seconds,
                signal=signal,
                lost=lost,
                mixed=self.plan.mixed,
                defects=tuple(self.defects),
                remarks=tuple(self.remarks),
                taken_out=frozenset(self.taken_out),
                settled=frozenset(self.settled),
                answer=self.answer,
            )
