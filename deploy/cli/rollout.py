"""Runs a plan under the operator's signals, and by policy takes back what it did."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from deploy.errors import DeployError, as_deploy_error
from deploy.events.event import StopAsked
from deploy.events.stream import Stream
from deploy.hosts.route import proxy
from deploy.recovery import previous_unit, rollback
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Failure, Outcome
from deploy.screen import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from deploy.cli.session import Session
    from deploy.events.event import Event
    from deploy.hosts.lock.lease import Lease
    from deploy.hosts.records import Record
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.screen.console import Screen
    from deploy.steps.fleet import Fleet


STOPPING = (
    "Stopping. No further hosts will start. Draining hosts return to service; hosts past that "
    "point will finish."
)
SHOWING = "showing the progress"
RELEASE_SECONDS = 3.0
"""How long a command that is aborted waits for its hosts to give up the lock."""
AGAIN = "Press Ctrl-C again to abort at once (hosts may stay out of service)."


class Signals:
    """What SIGINT, SIGTERM and SIGHUP mean while a command runs; a `with` block.

    Before the first change they end it. Later the first asks for an end that leaves no host out
    of service; a second SIGINT, and nothing else, aborts at once: a CI's cancel sends SIGINT and,
    while hosts return to service, SIGTERM.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, screen: Screen, repair: str) -> None:
        """`repair`: what to type where hosts stay out of service.

        The attribute `abandon` is what releases the lock of a command that ends at once.
        """
        self._screen, self._repair = screen, repair
        self._execution: Execution | None = None
        self._emit: Callable[[Event], None] = lambda _: None
        self.abandon: Callable[[], object] = lambda: None
        self._first = 0
        self._interrupts = 0
        self._before: dict[int, Any] = {}
        # A handler may have interrupted a thread that holds a lock of the screen, so another
        # thread speaks; `put` of this queue is reentrant.
        self._notices: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
        self._speaker = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Self:
        self._speaker.start()
        self._before = {number: signal.signal(number, self._hear) for number in self.NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._notices.put(None)
        self._speaker.join()

    def guide(self, execution: Execution) -> None:
        """From now on it is this run that signals end; one that was heard already ends it."""
        self._execution, self._emit = execution, execution.listen
        if self._first:
            execution.stop(self._first)
            self._emit(StopAsked(self._first))

    def _speak(self) -> None:
        while (notice := self._notices.get()) is not None:
            text, number = notice
            self._screen.complain(text)
            if number:
                self._emit(StopAsked(number))

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del frame
        is_first = not self._first
        self._first = self._first or number
        if self._execution is None:
            if is_first:
                after_question = "\n" if self._screen.is_asking else ""
                self._notices.put((f"{after_question}Ended; nothing was changed.", 0))
            raise SystemExit(128 + number)
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            if self._interrupts == 2:  # noqa: PLR2004 - a third one ends it without a word
                streams.end(f"Aborted at once; hosts may be out of service. Next: {self._repair}")
                # In a thread of its own: the one that was interrupted may hold what it needs.
                release = threading.Thread(target=self.abandon, daemon=True)
                release.start()
                release.join(RELEASE_SECONDS)
            proxy.end_all()
            os._exit(int(ExitCode.INTERRUPTED))
        self._execution.stop(number)
        stopping = STOPPING if is_first else "Already stopping."
        said = f"{stopping} {AGAIN}" if self._interrupts else stopping
        self._notices.put((said, number))


@dataclass(frozen=True)
class Rollout:
    """What running a plan needs: a session, the lock that is held, the screen, the signals."""

    opened: Session
    lease: Lease
    screen: Screen
    signals: Signals
    events: Stream = field(default_factory=Stream)

    def run(self, plan: Plan, fleet: Fleet | None = None) -> Report:
        """Execute a plan: a signal asks for an end, and so does the loss of the lock."""
        watch = self.screen.progress()
        execution = Execution(plan, fleet or self.opened.fleet(), self.events.emit)
        self.lease.when_lost(execution.lose)
        self.signals.guide(execution)
        with _harmless(watch) as defects, self.events.heard(SHOWING, watch):
            report = execution.run()
        defects = list(dict.fromkeys([*defects, *self.events.defects]))
        return replace(report, defects=(*report.defects, *defects))

    def run_or_take_back(self, plan: Plan) -> Report:
        """Execute a plan; where it failed and `on_failure` says so, finished hosts go back too."""
        report = self.run(plan)
        try:
            return self._back(report)
        except Exception as error:  # noqa: BLE001 - what was done is reported, whatever goes wrong
            what = "taking the finished hosts back"
            return replace(report, defects=(*report.defects, str(as_deploy_error(error, what))))

    def _back(self, report: Report) -> Report:
        """The report, with the rollback of the finished hosts in it where the policy wants one."""
        wanted = good_before(report)
        environment = self.opened.environment
        policy = environment.rollout.on_failure
        is_due = any(wanted.values()) or previous_unit.is_adoption(report.plan)
        if policy != "rollback" or not report.stopped_short or not is_due:
            return report
        try:
            seen = self.opened.survey(settled=True)
            wanted = previous_unit.with_earlier(environment, seen, report.plan, wanted)
            if not any(wanted.values()):
                return report
            self.screen.say("on_failure: rollback: the hosts that were finished go back too.")
            back = rollback.take_back(environment, seen, wanted)
        except DeployError as error:
            self.screen.complain(f"They cannot go back: {error}")
            return report
        self.screen.say(str(back))
        return merged(report, self.run(back))


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


def good_before(report: Report) -> Mapping[str, Mapping[str, Record]]:
    """What hosts ran before of the apps that were deployed there, by app name and host name."""
    found: dict[str, dict[str, Record]] = {app: {} for app in report.plan.releases}
    for batch in report.plan.batches:
        for host_plan in batch:
            for app, record in host_plan.good.items():
                if (host_plan.host.name, app) in report.deployed:
                    found[app][host_plan.host.name] = record
    return found


def merged(first: Report, back: Report) -> Report:
    """A rollout and the rollback of its finished hosts, as one report."""
    # Who failed on the way back was put back on what it came from: the new release. A host that
    # ran nothing before has no step in it; one that somebody took back by hand only proves.
    moved = {Outcome.DONE: Outcome.BACK, Outcome.CURRENT: Outcome.BACK, Outcome.BACK: Outcome.DONE}
    went = {step.host.name for step in back.plan.steps}
    not_begun = {Outcome.WAITING, Outcome.LEFT_OUT}
    went &= {name for name, outcome in back.outcomes.items() if outcome not in not_begun}
    # An earlier run had finished those that were current, or that failed in proving it.
    finished = {Outcome.DONE, Outcome.PARTLY, Outcome.CURRENT, Outcome.WAITING}
    outcomes = dict(first.outcomes)
    for host in went:
        if first.outcomes.get(host) in finished:
            outcomes[host] = moved.get(back.outcomes[host], back.outcomes[host])
    all_failures: list[Failure] = [*first.failures, *back.failures]
    return replace(
        first,
        outcomes=outcomes,
        failures=tuple(all_failures),
        executed=(*first.executed, *back.executed),
        deployed=first.deployed | back.deployed,
        seconds=first.seconds + back.seconds,
        signal=back.signal,
        lost=back.lost,
        defects=(*first.defects, *back.defects),
        remarks=(*first.remarks, *back.remarks),
    )
