"""The current state of a run, from its events so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from signal import SIGINT
from typing import TYPE_CHECKING, NamedTuple

from deploy.events.event import (
    BatchBegan,
    HostEnded,
    HostFailed,
    HostSaid,
    LockTaken,
    RunBegan,
    StepBegan,
    StepEnded,
    StopAsked,
)
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded
from deploy.hooks.words import is_gate
from deploy.recovery.answers.choices import FOR_ONE_HOST, Answer
from deploy.run.report import WELL, Outcome
from deploy.screen.run.host import HostInRun, Service
from deploy.screen.run.remaining import Pace
from deploy.screen.run.schedule import Schedule

if TYPE_CHECKING:
    from deploy.events.event import Entry, Event


class InService(NamedTuple):
    """A target group: so many targets serve now, of so many, and so many must stay."""

    now: int
    size: int
    minimum: int


@dataclass
class RunState:
    """Hears a run's entries, live or from its file.

    Attributes:
        began: Its first event.
        began_at: When it, or else the plan, was heard, unix seconds.
        plan: The plan that is carried out: that of a rollback, where finished hosts go back.
        hosts: By name.
        batch: The number of the batch, from 1; 0 before the first.
        schedule: What is done and what is left.
        failed: The hosts on which something failed, by name.
        settled: Those of them past which it was decided to go on.
        stop: The signal's number with which the operator asked for an end; 0 for none.
        is_lost: Whether another deploy took the environment over.
        waits_for: A pause, or a hook before a batch, that holds the next batch up; None without.
        waits_since: When that began, unix seconds.
    """

    began: RunBegan | None = None
    began_at: float = 0.0
    plan: PlanMade | None = None
    hosts: dict[str, HostInRun] = field(default_factory=dict)
    batch: int = 0
    schedule: Schedule = field(default_factory=Schedule)
    failed: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    stop: int = 0
    is_lost: bool = False
    waits_for: HoldBegan | HookBegan | None = None
    waits_since: float = 0.0

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        self.began_at = self.began_at or entry.at
        match entry.event:
            case RunBegan() as event:
                self.began = event
            case PlanMade() as event:
                self._plan(event)
            case BatchBegan(number=number):
                self.batch = max(number, self.batch)
            case StopAsked(signal=number):
                self.stop = SIGINT if SIGINT in {self.stop, number} else number
                self.schedule.is_ending = True
            case LockTaken():
                self.is_lost = self.schedule.is_ending = True
            case HoldBegan() | HookBegan() as event if is_gate(event):
                self.waits_for, self.waits_since = event, entry.at
            case HoldEnded() | HookEnded() as event if is_gate(event):
                self.waits_for = None
            case event:
                self._of_host(event, entry.at)

    def _of_host(self, event: Event, at: float) -> None:
        """Hear what happened on one host."""
        match event:
            case StepBegan():
                self._host(event.host).begin(event, at)
                self.schedule.begin(event, at)
            case StepEnded():
                self._host(event.host).end(event, at)
                self.schedule.end(event)
            case HostSaid():
                self._host(event.host).hear(event, at)
            case RecoveryBegan():
                host = self._host(event.host)
                host.is_recovering, host.failure = True, event.error
                self._fail(event.host)
                self.schedule.recover(event.host, event.planned)
            case HostFailed():
                self._failed(event)
            case HostEnded():
                self._ended(event, at)
            case QuestionAnswered(answer=answer) if answer in FOR_ONE_HOST:
                self._answered(event.host, is_retry=answer == Answer.RETRY)

    def _answered(self, name: str, *, is_retry: bool) -> None:
        """More begins after all; what failed on a host that is tried again counts no more."""
        self.schedule.is_ending = self.is_lost or bool(self.stop)
        if is_retry:
            self._host(name).begin_anew()
            self.failed.discard(name)
        else:
            self.settled |= self.failed

    @property
    def is_over_limit(self) -> bool:
        """Whether more hosts failed than the plan tolerates, so that no further one begins."""
        is_decided = self.failed <= self.settled
        return self.plan is not None and len(self.failed) > self.plan.tolerated and not is_decided

    @property
    def is_cut_short(self) -> bool:
        """Whether batches are left that will not begin."""
        is_left = self.plan is not None and self.batch < len(self.plan.batches)
        return is_left and self.schedule.is_ending

    @property
    def ended(self) -> int:
        """How many hosts' parts are over."""
        return sum(bool(host.outcome) for host in self.hosts.values())

    def in_service(self) -> InService | None:
        """The target group with the least above its minimum; None where there is none."""
        if self.plan is None:
            return None
        groups = [self._group(self.plan, name) for name in self.plan.in_service]
        return min(groups, key=lambda each: each.now - each.minimum, default=None)

    def _group(self, plan: PlanMade, name: str) -> InService:
        """A group: what served before, less who left, and who came."""
        apps = [app for app, groups in plan.groups.items() if name in groups]
        out = set(plan.out.get(name, ()))
        count = plan.in_service[name]
        for host in self.hosts.values():
            own = [host.services[app] for app in apps if app in host.services]
            serves = all(each.serves for each in own)
            if own and serves == (host.name in out):
                count += 1 if serves else -1
        batch = plan.batches[self.batch - 1] if 0 < self.batch <= len(plan.batches) else None
        least = min((each.minimums.get(name, 0) for each in plan.batches), default=0)
        minimum = batch.minimums.get(name, least) if batch else least
        return InService(count, plan.in_service[name] + len(out), minimum)

    def _plan(self, plan: PlanMade) -> None:
        """All begins anew: for a rollback of finished hosts too, but for what failed before it."""
        before, self.plan, self.batch = self.hosts, plan, 0
        self.schedule = Schedule.of(plan, self.schedule.pace if before else Pace(plan.earlier))
        self.failed, self.settled = set(), set()
        self.hosts = {}
        for name in plan.hosts:
            host = self._host(name)
            if name in before:
                host.failure, host.changed = before[name].failure, before[name].changed
        for name, why in plan.left_out.items():
            host = self._host(name)
            host.failure, host.outcome = why, Outcome.LEFT_OUT

    def _host(self, name: str) -> HostInRun:
        """A host, which is a new one where no plan named it."""
        if name not in self.hosts:
            self.hosts[name] = HostInRun(name, self._services(name))
        return self.hosts[name]

    def _services(self, name: str) -> dict[str, Service]:
        plan = self.plan
        if plan is None:
            return {}
        return {
            app: Service(not groups, all(name not in plan.out.get(each, ()) for each in groups))
            for app, groups in plan.groups.items()
        }

    def _failed(self, event: HostFailed) -> None:
        if event.is_stop:
            self.schedule.is_ending = True
            return
        host = self._host(event.host)
        host.failure = host.failure or event.error
        self._fail(event.host)
        self.schedule.is_ending = self.schedule.is_ending or event.is_of_release

    def _fail(self, host: str) -> None:
        """Count a host; where these are too many, no further one begins."""
        self.failed.add(host)
        self.schedule.drop(host)
        self.schedule.is_ending = self.schedule.is_ending or self.is_over_limit

    def _ended(self, event: HostEnded, at: float) -> None:
        host = self._host(event.host)
        host.finish(event.outcome, at)
        if event.outcome in WELL:
            return
        if event.outcome == Outcome.GONE:
            host.failure = ""  # the instance ended, which is no failure of its step
        self.schedule.drop(event.host)
