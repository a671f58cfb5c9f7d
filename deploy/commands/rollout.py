"""Executes a plan with its screen, hooks, pauses and signals."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.commands.hook_lines import SHOWING
from deploy.errors import as_deploy_error
from deploy.events import earlier
from deploy.events.planned import PlanMade
from deploy.events.stream import Stream
from deploy.front import client
from deploy.hooks.runner import Runner
from deploy.hosts.logbook import run_records
from deploy.hosts.once.ledger import Ledger
from deploy.run import as_record
from deploy.run.executor import Execution
from deploy.run.hold import Hold, held_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.commands.signals import Signals
    from deploy.events.event import BatchBegan, Event
    from deploy.hosts.lock.lease import Lease
    from deploy.plan.plan import Plan
    from deploy.recovery.answers.answers import Answers
    from deploy.run.report import Report
    from deploy.screen.console import Screen
    from deploy.session.session import Session
    from deploy.steps.fleet import Fleet


@dataclass(frozen=True)
class Rollout:
    """Everything that running a plan needs: session, lock, screen, signals, hooks.

    answers: decide about hosts that failed; None where the policy alone does.
    """

    opened: Session
    lease: Lease
    screen: Screen
    signals: Signals
    hooks: Runner = field(default_factory=Runner.none)
    events: Stream = field(default_factory=Stream)
    answers: Answers | None = None

    def run(self, plan: Plan, fleet: Fleet | None = None, *, is_back: bool = False) -> Report:
        """Execute a plan: a signal asks for an end, and so does the loss of the lock.

        is_back: whether it takes finished hosts back, which no hook may hold up.
        """
        watch = self.screen.progress()
        fleet = fleet or self.opened.fleet()
        if plan.once:
            fleet.ledger = Ledger(plan.environment, self.opened.everyone, self.lease.holder.token)
        fleet.front = client.get
        self.hooks.is_over = fleet.stop.is_set
        self.hooks.note_to(self.events.emit)
        permit = Runner.let if is_back else self._permission(plan, fleet)
        answers = None if is_back else self.answers
        execution = Execution(plan, fleet, self._emit, permit, answers)
        self.lease.when_lost(execution.lose)
        self.signals.guide(execution)
        with _harmless(watch) as defects, self.events.heard(SHOWING, watch):
            report = execution.run()
        defects = list(dict.fromkeys([*defects, *self.events.defects]))
        return replace(report, defects=(*report.defects, *defects))

    def _emit(self, event: Event) -> None:
        """Pass an event on; a plan with what its steps took in an earlier run."""
        if isinstance(event, PlanMade):
            event = expected(self.opened, event)
        self.events.emit(event)

    def _permission(self, plan: Plan, fleet: Fleet) -> Callable[[BatchBegan], None]:
        """What each batch is let begin by: a person where it waits for one, and the hooks."""
        number, opened = held_batch(plan), self.opened
        if number is None:
            return self.hooks.before_batch
        seconds = opened.environment.rollout.pause_seconds or 0.0
        hold = Hold(number, seconds, opened.scope, opened.everyone, self.lease.holder.token)

        def permit(batch: BatchBegan) -> None:
            hold.before(fleet, self.events.emit, batch)
            self.hooks.before_batch(batch)

        return permit

    def remembered(self, report: Report) -> Report:
        """The report; with a remark where a host has not written down how the run ended."""
        if not as_record.is_due(report.plan):
            return report
        opened = self.opened
        try:
            record = as_record.made(opened.scope, opened.run, report)
            hosts = as_record.keepers(report, opened.remotes)
            said = run_records.written(opened.environment.name, hosts, record)
        except Exception as error:  # noqa: BLE001 - no record is worth a report
            said = str(as_deploy_error(error, "recording the run on the hosts"))
        return replace(report, remarks=(*report.remarks, said) if said else report.remarks)


def expected(opened: Session, plan: PlanMade) -> PlanMade:
    """Return a plan with what its steps took in earlier runs from this workstation."""
    try:
        environment = opened.environment
        return replace(plan, earlier=earlier.took(environment.path(environment.runs), plan))
    except Exception:  # noqa: BLE001 - no estimate is worth a run
        return plan


@contextmanager
def _harmless(watch: AbstractContextManager[object]) -> Iterator[list[str]]:
    """A screen that may fail to begin or to end; what it failed with, as the block's value."""
    defects = list[str]()
    with ExitStack() as stack:
        try:
            stack.enter_context(watch)
        except Exception as error:  # noqa: BLE001 - a run without a screen is a run
            defects.append(str(as_deploy_error(error, SHOWING)))
        shown = stack.pop_all()
    yield defects
    try:
        shown.close()
    except Exception as error:  # noqa: BLE001 - the report must come
        defects.append(str(as_deploy_error(error, SHOWING)))
