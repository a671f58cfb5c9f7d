"""One host's lane, step by step; where a step fails for good, its recovery."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy import retry
from deploy.errors import DeployError, LockLost, as_deploy_error
from deploy.recovery import failed_host
from deploy.run import failed_step
from deploy.run.report import Event, HostEnded, Outcome, StepBegan, StepEnded
from deploy.steps.fleet import Stopped
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.host_plan import Lane
    from deploy.recovery.failed_host import WayOut
    from deploy.run.progress import Tally
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet


@dataclass(frozen=True)
class _Recovery:
    """A recovery that was carried out.

    lines: its steps, and how they failed; serves: whether every app of the host is in again;
    leaves: whether a slot beside the one that serves could not be ended.
    """

    lines: tuple[str, ...]
    serves: bool
    leaves: bool


@dataclass
class Walk:
    """Walks lanes, each in the thread that asks for it; every failure is tallied, none is raised.

    lost: set once another deploy took the environment over, so that nothing may be changed.
    """

    fleet: Fleet
    tally: Tally
    listen: Callable[[Event], None]
    lost: threading.Event = field(default_factory=threading.Event)
    _waiting: dict[str, Lane] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lose(self) -> None:
        """Another deploy took over: begin nothing more; no step that has begun changes anything."""
        self.lost.set()
        self.fleet.stop.set()

    def stage(self, lane: Lane) -> bool:
        """Do a lane of which nothing changes what serves; whether all of it was done."""
        for step in lane.steps:
            if self.fleet.stop.is_set():
                return False
            try:
                self._do(step)
            except DeployError as error:
                self._failed(step, error)
                if self.lost.is_set():
                    self.ended(lane.host.name, Outcome.LEFT)
                return False
        return not self.fleet.stop.is_set()

    def begin(self, lane: Lane) -> None:
        """Run the steps that cannot affect traffic before the lane's turn.

        `switch` goes on with it, `call_off` ends it.
        """
        if self._go(lane, 0, len(lane.unseen)):
            with self._lock:
                self._waiting[lane.host.name] = lane
            self.fleet.tell(lane.host.name, "proven; it is registered when all hosts are staged")

    @property
    def waiting(self) -> tuple[Lane, ...]:
        """The lanes that began before their turn, and whose turn has not come."""
        with self._lock:
            return tuple(self._waiting.values())

    def switch(self, lane: Lane) -> bool:
        """One host, out and back in; where it stops, every app of it is left whole.

        Returns whether all of it was done; where it was begun and not done, its outcome is
        reported.
        """
        with self._lock:
            done = len(lane.unseen) if self._waiting.pop(lane.host.name, None) else 0
        if done and not self._stands(lane):
            return False
        return self._go(lane, done, len(lane.steps))

    def call_off(self, lane: Lane) -> None:
        """End what a lane that waits for its turn has started."""
        with self._lock:
            del self._waiting[lane.host.name]
        self._stop(lane, len(lane.unseen))

    def empty(self, lane: Lane) -> None:
        """The old slots drain and stop; the new ones serve, whatever happens here."""
        lost: set[str] = set()
        for step in lane.after:
            if step.app.name in lost or self.lost.is_set():
                continue
            try:
                self._do(step)
            except DeployError as error:
                self._failed(step, error, (), leaves=True)
                lost.add(step.app.name)

    def ended(self, host: str, outcome: Outcome) -> None:
        """A host's part is over."""
        self.tally.ended(host, outcome)
        self.listen(HostEnded(host, outcome))

    def _go(self, lane: Lane, start: int, end: int) -> bool:
        """Do these of a lane's steps; whether all of them were done."""
        for number, step in enumerate(lane.steps[start:end], start=start):
            if self.fleet.stop.is_set() and lane.may_stop_before(step):
                self._stop(lane, number)
                return False
            try:
                self._do(step)
            except DeployError as error:
                self.ended(lane.host.name, self._left(lane, step, error))
                return False
        return True

    def _stop(self, lane: Lane, done: int) -> None:
        """End a lane before anything of it serves, with so many of its steps done."""
        if done:
            stopped = Stopped(f"{lane.host}: stopped before it served")
            self.ended(lane.host.name, self._left(lane, lane.steps[done - 1], stopped))

    def _stands(self, lane: Lane) -> bool:
        """Whether what a lane proved before its turn, maybe long ago, still runs."""
        for step in lane.unseen:
            if isinstance(step, ProveRelease):
                try:
                    retry.patiently(partial(step.look_again, self.fleet), self._teller(step))
                except DeployError as error:
                    outcome = self._left(lane, step, error, begun=len(lane.unseen))
                    self.ended(lane.host.name, outcome)
                    return False
        return True

    def _teller(self, step: Step) -> Callable[[str], None]:
        """Who hears why a step is tried again."""
        return partial(self.fleet.tell, step.host.name)

    def _left(self, lane: Lane, step: Step, error: DeployError, begun: int = 0) -> Outcome:
        """Lead a lane out that stopped at a step; where that left its host.

        begun: so many steps were begun, where that is more than up to this one.
        """
        if self.lost.is_set():
            self._failed(step, error)
            return Outcome.LEFT
        stopped = isinstance(error, Stopped)
        journal = () if stopped else failed_step.journal(self.fleet, step)
        way = failed_host.way_out(
            lane, step, still_runs=stopped, is_bad=error.blames_release, begun=begun
        )
        # What may pass has been waited for already: a host that is gone costs no second minute.
        patience_seconds = 0 if error.may_pass else retry.PATIENCE_SECONDS
        recovery = self._recover(lane, way, patience_seconds)
        if recovery.leaves or not (stopped and recovery.serves):
            self._failed(step, error, journal, recovery.lines, leaves=recovery.leaves)
        if self.lost.is_set():
            return Outcome.LEFT
        if failed_host.is_deployed(step):
            self.tally.deploy(step)
        return self.tally.reached(lane.host) if recovery.serves else Outcome.OUT

    def _recover(self, lane: Lane, way: WayOut, patience_seconds: float) -> _Recovery:
        """Carry out the recovery."""
        done, todo = list[str](), list(way.steps)
        serves, leaves = way.serves, way.leaves
        while todo and not self.lost.is_set():
            back = todo.pop(0)
            try:
                self._do(back, planned=False, patience_seconds=patience_seconds)
            except DeployError as error:
                done.append(f"{back}: failed: {error}")
                if failed_host.is_deployed(back):
                    self.tally.deploy(back)
                other = failed_host.instead(lane, back, is_bad=error.blames_release)
                if other is not None:
                    others = [step for step in todo if step.app.name != back.app.name]
                    todo = [*others, *other.steps]
                    serves = serves and other.serves
                    leaves = leaves or other.leaves
            else:
                done.append(str(back))
        return _Recovery(tuple(done), serves, leaves)

    def _do(
        self,
        step: Step,
        *,
        planned: bool = True,
        patience_seconds: float = retry.PATIENCE_SECONDS,
    ) -> None:
        """One step, its events and its place in the tally; raises what it failed with."""
        if self.lost.is_set():
            raise LockLost(f"{step.host}: {step}: not begun: another deploy took over")
        self.listen(StepBegan(step))
        began = time.monotonic()
        error: DeployError | None = None
        try:
            run = partial(step.run, self.fleet)
            retry.patiently(run, self._teller(step), patience_seconds)
        except DeployError as raised:
            error = raised
            if isinstance(raised, LockLost):
                self.lose()
        except Exception as raised:  # noqa: BLE001 - a defect of ours may not leave a host behind
            error = as_deploy_error(raised, f"{step.host}: {step}")
        health = self.fleet.health(step.host, step.app)
        seconds = time.monotonic() - began
        stopped = isinstance(error, Stopped)
        said = str(error) if error and not stopped else None
        self.listen(StepEnded(step, seconds, str(health or ""), said, stopped))
        if error:
            raise error
        self.tally.did(step, planned=planned)

    def _failed(
        self,
        step: Step,
        error: DeployError,
        journal: tuple[str, ...] = (),
        undone: tuple[str, ...] = (),
        *,
        leaves: bool = False,
    ) -> None:
        health = str(self.fleet.health(step.host, step.app) or "")
        failure = failed_step.failure(step, error, health, journal)
        self.tally.failed(replace(failure, undone=undone, leaves=leaves))
