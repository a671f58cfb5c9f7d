"""Walks a plan: staging at once, then batch by batch, a thread for each host; events, report.

The first batch begins while others are still staged where nobody can notice: new releases start
and are proven beside what serves, and enrol once every host is staged.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import capacity, questions, recovery, retries
from deploy.enrolment import RegisterTarget
from deploy.errors import CommandFailed, DeployError, LockLost
from deploy.fleet import Stopped
from deploy.report import (
    BatchBegan,
    Event,
    Failure,
    HostEnded,
    Outcome,
    Report,
    StepBegan,
    StepEnded,
    Told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.fleet import Fleet
    from deploy.inventory import Host
    from deploy.lanes import Lane
    from deploy.plan import Plan
    from deploy.recovery import WayOut
    from deploy.settings import App
    from deploy.steps import Step

JOURNAL_LINES = 8
LOOK_FOR_SIGNALS_SECONDS = 0.2
LOOK_FOR_CAPACITY_SECONDS = 0.5
SILENT_API_SECONDS = 60.0
# Who begins early is staged first, alone where that is quick: on a slow line others lose but this.
HEAD_START_SECONDS = 2.0
# A batch mostly waits, so all of it goes at once; uploads share the workstation and its line.
MOST_AT_A_TIME, STAGED_AT_A_TIME = 1000, 64


@dataclass(frozen=True)
class _WayGone:
    """A way out that was gone.

    told: its steps, and how they failed; serves: whether every app of the host is in again;
    leaves: whether a slot beside the one that serves could not be ended.
    """

    told: tuple[str, ...]
    serves: bool
    leaves: bool


@dataclass
class Execution:
    """One run of one plan.

    signal: the number of the signal that asked for an end, or 0; lost: set once another deploy
    took the environment over, so that nothing may be changed any more.
    """

    plan: Plan
    fleet: Fleet
    listen: Callable[[Event], None]
    signal: int = 0
    lost: threading.Event = field(default_factory=threading.Event)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    deployed: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: dict[str, Lane] = field(default_factory=dict)
    _aside: set[Future[None]] = field(default_factory=set)
    _early: dict[str, Lane] = field(default_factory=dict)
    _begun: set[Future[None]] = field(default_factory=set)
    _ahead: threading.Event = field(default_factory=threading.Event)
    _may_enrol: threading.Event = field(default_factory=threading.Event)
    _is_called_off: bool = False

    def stop(self, signal: int) -> None:
        """Ask for an end: no new work starts; hosts that are out go back in first."""
        self.signal = self.signal or signal
        self.fleet.stop.set()

    def lose(self) -> None:
        """Another deploy took over: begin nothing more; no step that has begun changes anything."""
        self.lost.set()
        self.fleet.stop.set()

    def run(self) -> Report:
        """Do the plan; every failure is in the report, none is raised."""
        began = time.monotonic()
        self.fleet.tell = lambda host, text: self.listen(Told(host, text))
        self.outcomes = {host.name: Outcome.WAITING for host in self.plan.hosts}
        rolled = {lane.host.name for batch in self.plan.batches for lane in batch}
        self._last = {lane.host.name: lane for batch in self.plan.batches for lane in batch}
        self._early = self._unseen()
        order = sorted(self.plan.staging, key=lambda lane: lane.host.name not in self._early)
        self._together([(lane, self._stage) for lane in order], STAGED_AT_A_TIME)
        unproven = {failure.host.name for failure in self.failures}
        for name in self.outcomes:
            if name not in rolled | unproven:
                self._ended(name, Outcome.CURRENT)
        self._roll(self._enrol_early())
        self._wait(self._aside)
        return Report(
            plan=self.plan,
            outcomes=dict(self.outcomes),
            failures=tuple(self.failures),
            executed=tuple(self.executed),
            deployed=frozenset(self.deployed),
            seconds=time.monotonic() - began,
            signal=self.signal,
            lost=self.lost.is_set(),
            mixed=self.plan.mixed,
        )

    def _unseen(self) -> dict[str, Lane]:
        """The lanes by host of a first batch that may begin when its own hosts are staged."""
        if not self.plan.batches or self.plan.at_a_time(1):
            return {}
        first = {lane.host.name: lane for lane in self.plan.batches[0]}
        staged = {lane.host.name for lane in self.plan.staging}
        may = first.keys() <= staged and all(lane.begins_unseen for lane in first.values())
        return first if may else {}

    def _begin_early(self, lane: Lane) -> None:
        """Go on with a host that is staged while others are not; it waits before it enrols."""
        with self._lock:
            is_first = not self._begun
            self._begun.add(self._beside(lane, self._switch))
        if is_first:
            self.listen(BatchBegan(1, len(self.plan.batches), tuple(self._early)))

    def _enrol_early(self) -> int:
        """Let lanes that began early enrol, now that all is staged; how many batches are done."""
        if not self._begun:
            self._may_enrol.set()
            return 0
        lanes = list(self._early.values())
        too_many = len({failure.host.name for failure in self.failures}) > self.plan.tolerated
        self._is_called_off = too_many or not self._has_room(1, lanes.copy)
        self._may_enrol.set()
        self._wait(self._begun)
        return len(self.plan.batches) if self._is_called_off else 1

    def _roll(self, done: int) -> None:
        """Batch by batch, until too many hosts failed; a host that failed before is left alone.

        done: so many batches are over.
        """
        total = len(self.plan.batches)
        for number, whole in enumerate(self.plan.batches[done:], start=done + 1):
            failed = {failure.host.name for failure in self.failures}
            if len(failed) > self.plan.tolerated or self.fleet.stop.is_set():
                return
            batch = [lane for lane in whole if lane.host.name not in failed]
            if not batch:
                continue
            names = tuple(lane.host.name for lane in batch)
            if self.plan.at_a_time(number):
                self.listen(BatchBegan(number, total, names))
                self._slide(number, batch)
                continue
            if not self._has_room(number, batch.copy):
                return
            self.listen(BatchBegan(number, total, names))
            self._together([(lane, self._switch) for lane in batch])

    def _slide(self, number: int, batch: list[Lane]) -> None:
        """So many hosts at a time; the next one starts as soon as one has ended."""
        turn, counting = threading.Lock(), threading.Lock()
        out: dict[str, Lane] = {}

        def going(lane: Lane) -> list[Lane]:
            with counting:
                return [lane, *out.values()]

        def take_turn(lane: Lane) -> None:
            with turn:
                failed = {failure.host.name for failure in self.failures}
                if len(failed) > self.plan.tolerated or self.fleet.stop.is_set():
                    return
                if not self._has_room(number, lambda: going(lane)):
                    return
                with counting:
                    out[lane.host.name] = lane
            self._switch(lane)
            with counting:
                del out[lane.host.name]

        self._together([(lane, take_turn) for lane in batch], self.plan.at_a_time(number))

    def _has_room(self, number: int, going: Callable[[], list[Lane]]) -> bool:
        """See by fresh readings that the policy holds without these lanes; wait for it a while.

        going: those that are out, and those that want to be. All apps of one look have to be
        well: what was seen of the first before the second was waited for is old.
        """
        began = time.monotonic()
        while (found := self._shortfall(number, going())) is not None:
            app, short = found
            host, limit = going()[0].host, app.healthy_timeout_seconds
            gone = time.monotonic() - began
            if gone > limit or self.fleet.stop.wait(LOOK_FOR_CAPACITY_SECONDS):
                text = f"batch {number} {short}; waited {gone:.0f} s for it"
                if not self.fleet.stop.is_set():
                    self.failures.append(Failure(host, f"begin batch {number}", text))
                return False
            self.fleet.tell(host.name, f"waiting, {gone:.0f} of {limit:g} s: it {short}")
        return True

    def _shortfall(self, number: int, going: list[Lane]) -> tuple[App, str] | None:
        """The first app that would be short without these lanes, and how; one look at each."""
        for name, least in self.plan.floors[number - 1].items():
            app = self.plan.apps[name]
            targets = {
                host.name: self.fleet.target(host, self.plan.slot_of(host, app))
                for host in self.plan.hosts
            }
            zones = {targets[host.name]: host.zone for host in self.plan.hosts}
            out = {targets[lane.host.name] for lane in going if lane.switches(app)}
            try:
                serving = self.fleet.serving(app, SILENT_API_SECONDS)
                short = capacity.shortfall(self.fleet.groups[name], least, serving, out, zones)
            except DeployError as error:
                short = f"cannot begin: {error}"
            if short:
                return app, short
        return None

    def _together(
        self, work: list[tuple[Lane, Callable[[Lane], None]]], at_a_time: int = MOST_AT_A_TIME
    ) -> None:
        """Run lanes in threads until all have ended."""
        if work:
            with ThreadPoolExecutor(max_workers=min(at_a_time, len(work))) as pool:
                self._wait({pool.submit(run, lane) for lane, run in work})

    def _begin_aside(self, lane: Lane) -> None:
        """Go on with a lane while the next batch begins."""
        with self._lock:
            self._aside.add(self._beside(lane, self._leave))

    @staticmethod
    def _beside(lane: Lane, run: Callable[[Lane], None]) -> Future[None]:
        """Run a lane in a thread of its own."""
        pool = ThreadPoolExecutor(max_workers=1)
        future = pool.submit(run, lane)
        pool.shutdown(wait=False)
        return future

    @staticmethod
    def _wait(futures: set[Future[None]]) -> None:
        """Wait in short turns, so that signals are heard meanwhile."""
        waiting = set(futures)
        while waiting:
            ended, waiting = wait(waiting, timeout=LOOK_FOR_SIGNALS_SECONDS)
            for future in ended:
                future.result()

    def _stage(self, lane: Lane) -> None:
        """Nothing of this changes what serves, so a failure leaves the host as it was."""
        early = self._early.get(lane.host.name)
        if self._early and not early:
            self._ahead.wait(HEAD_START_SECONDS)
        try:
            is_staged = self._brought(lane)
        finally:
            if early:
                self._ahead.set()
        if early and is_staged:
            self._begin_early(early)

    def _brought(self, lane: Lane) -> bool:
        """Do a lane's staging; whether all of it was done."""
        for step in lane.steps:
            if self.fleet.stop.is_set():
                return False
            try:
                self._do(step)
            except DeployError as error:
                self._failed(step, error, ())
                if self.lost.is_set():
                    self._ended(lane.host.name, Outcome.LEFT)
                return False
        return not self.fleet.stop.is_set()

    def _switch(self, lane: Lane) -> None:
        """One host, out and back in; where it stops, every app of it is left whole."""
        host, done = lane.host, None
        for step in lane.steps:
            if self._ends_before(lane, step):
                if done:
                    stopped = Stopped(f"{host}: stopped before it served")
                    self._ended(host.name, self._left(lane, done, stopped))
                return
            try:
                self._do(step)
            except DeployError as error:
                self._ended(host.name, self._left(lane, step, error))
                return
            done = step
        if self._last[host.name] is not lane:
            self._empty(lane)
            outcome = Outcome.LEFT if self.lost.is_set() else self._reached(host)
            if outcome is not Outcome.BACK:
                self._ended(host.name, outcome)
            return
        if not lane.after:
            self._ended(host.name, Outcome.DONE)
            return
        with self._lock:
            self.outcomes[host.name] = Outcome.DONE
        self._begin_aside(lane)

    def _ends_before(self, lane: Lane, step: Step) -> bool:
        """Whether a lane goes no further; before it enrols, all hosts have to be staged."""
        if isinstance(step, RegisterTarget):
            while not (self._may_enrol.is_set() or self.fleet.stop.is_set()):
                self.fleet.tell(lane.host.name, "waiting until all hosts are staged")
                self._may_enrol.wait(LOOK_FOR_SIGNALS_SECONDS)
        ends = self._is_called_off or self.fleet.stop.is_set()
        return ends and lane.may_stop_before(step)

    def _leave(self, lane: Lane) -> None:
        self._empty(lane)
        self._ended(lane.host.name, Outcome.LEFT if self.lost.is_set() else Outcome.DONE)

    def _empty(self, lane: Lane) -> None:
        """The slots of before drain and stop; the new ones serve, whatever happens here."""
        lost: set[str] = set()
        for step in lane.after:
            if step.app.name in lost or self.lost.is_set():
                continue
            try:
                self._do(step)
            except DeployError as error:
                self._failed(step, error, (), leaves=True)
                lost.add(step.app.name)

    def _left(self, lane: Lane, step: Step, error: DeployError) -> Outcome:
        """Lead a lane out that stopped at a step; where that left its host."""
        if self.lost.is_set():
            self._failed(step, error, ())
            return Outcome.LEFT
        stopped = isinstance(error, Stopped)
        journal = () if stopped else self._journal(step)
        way = recovery.way_out(lane, step, still_runs=stopped, is_bad=error.blames_release)
        # What may pass has been waited for already: a host that is gone costs no second minute.
        patience_seconds = 0 if error.may_pass else retries.PATIENCE_SECONDS
        gone = self._recover(lane, way, patience_seconds)
        if gone.leaves or not (stopped and gone.serves):
            self._failed(step, error, gone.told, journal, leaves=gone.leaves)
        if self.lost.is_set():
            return Outcome.LEFT
        if recovery.is_deployed(step):
            self._deployed(step)
        return self._reached(lane.host) if gone.serves else Outcome.OUT

    def _recover(self, lane: Lane, way: WayOut, patience_seconds: float) -> _WayGone:
        """Do the way out."""
        done, todo = list[str](), list(way.steps)
        serves, leaves = way.serves, way.leaves
        while todo and not self.lost.is_set():
            back = todo.pop(0)
            try:
                self._do(back, planned=False, patience_seconds=patience_seconds)
            except DeployError as error:
                done.append(f"{back}: failed: {error}")
                if recovery.is_deployed(back):
                    self._deployed(back)
                other = recovery.instead(lane, back, is_bad=error.blames_release)
                if other is not None:
                    others = [step for step in todo if step.app.name != back.app.name]
                    todo = [*others, *other.steps]
                    serves = serves and other.serves
                    leaves = leaves or other.leaves
            else:
                done.append(str(back))
        return _WayGone(tuple(done), serves, leaves)

    def _do(
        self,
        step: Step,
        *,
        planned: bool = True,
        patience_seconds: float = retries.PATIENCE_SECONDS,
    ) -> None:
        host = step.host.name
        if self.lost.is_set():
            raise LockLost(f"{step.host}: {step}: not begun: another deploy took over")
        self.listen(StepBegan(step))
        began = time.monotonic()
        error: DeployError | None = None
        try:
            retries.patiently(
                lambda: step.run(self.fleet),
                lambda text: self.fleet.tell(host, text),
                patience_seconds,
            )
        except DeployError as raised:
            error = raised
            if isinstance(raised, LockLost):
                self.lose()
        except Exception as raised:  # noqa: BLE001 - a defect of ours may not leave a host behind
            error = DeployError(
                f"{step.host}: {step}: a defect in Changeover: {type(raised).__name__}: {raised}"
            )
            error.__cause__ = raised
        health = self.fleet.health(step.host, step.app)
        seconds = time.monotonic() - began
        stopped = isinstance(error, Stopped)
        said = str(error) if error and not stopped else None
        self.listen(StepEnded(step, seconds, str(health or ""), said, stopped))
        if error:
            raise error
        if recovery.is_deployed(step):
            self._deployed(step)
        if planned:
            with self._lock:
                self.executed.append(f"{step.host.name}: {step}")

    def _deployed(self, step: Step) -> None:
        with self._lock:
            self.deployed.add((step.host.name, step.app.name))

    def _reached(self, host: Host) -> Outcome:
        """How far a host came whose apps all serve: by which of them the release is deployed to."""
        due = {
            step.app.name
            for step in self.plan.steps
            if step.host == host and recovery.is_deployed(step)
        }
        with self._lock:
            done = {app for name, app in self.deployed if name == host.name}
        if not done:
            return Outcome.BACK
        return Outcome.DONE if done >= due else Outcome.PARTLY

    def _journal(self, step: Step) -> tuple[str, ...]:
        script = questions.journal(step.app.unit, JOURNAL_LINES)
        try:
            text = self.fleet.remote(step.host).ask(script, "journal").stdout
        except DeployError:
            return ()
        return tuple(text.splitlines())

    def _failed(
        self,
        step: Step,
        error: DeployError,
        undone: tuple[str, ...],
        journal: tuple[str, ...] = (),
        *,
        leaves: bool = False,
    ) -> None:
        failed = error.result if isinstance(error, CommandFailed) else None
        failure = Failure(
            host=step.host,
            step=str(step),
            error=str(error),
            command=failed.command if failed else "",
            exit_code=failed.exit_code if failed else None,
            journal=journal,
            health=str(self.fleet.health(step.host, step.app) or ""),
            undone=undone,
            leaves=leaves,
        )
        with self._lock:
            self.failures.append(failure)

    def _ended(self, host: str, outcome: Outcome) -> None:
        with self._lock:
            self.outcomes[host] = outcome
        self.listen(HostEnded(host, outcome))
