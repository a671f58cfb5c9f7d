"""Executes one host's plan step by step, and its recovery if a step fails for good."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy import retry
from deploy.errors import DeployError, LockLost, as_deploy_error
from deploy.events.event import HostEnded, LockTaken
from deploy.recovery import failed_host, failed_recovery, shared_target
from deploy.run import as_events, failed_step
from deploy.run.failed_step import Recovered
from deploy.run.report import Outcome
from deploy.steps.fleet import Stopped
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.host_plan import HostPlan
    from deploy.recovery.recovery import Recovery
    from deploy.run.progress import Progress
    from deploy.run.report import Failure
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet


@dataclass
class HostRunner:
    """Runs host plans, each in the caller's thread; every failure is counted, none is raised.

    lost: set once another deploy took the environment over, so that nothing may be changed.
    """

    fleet: Fleet
    progress: Progress
    lost: threading.Event = field(default_factory=threading.Event)
    _waiting: dict[str, HostPlan] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def lose(self) -> None:
        """Another deploy took over: begin nothing more; no step that has begun changes anything."""
        if not self.lost.is_set():
            self.lost.set()
            self.progress.listen(LockTaken())
        self.fleet.stop.set()

    def stage(self, host_plan: HostPlan) -> bool:
        """Do a host plan of which nothing changes what serves; whether all of it was done."""
        for step in host_plan.steps:
            if self.fleet.stop.is_set():
                return False
            try:
                self._do(step)
            except DeployError as error:
                if failed_step.is_gone(self.fleet, step, error):
                    self.ended(host_plan.host.name, Outcome.GONE)
                    return False
                self._failed(step, error)
                if self.lost.is_set():
                    self.ended(host_plan.host.name, Outcome.LEFT)
                return False
        return not self.fleet.stop.is_set()

    def begin(self, host_plan: HostPlan) -> None:
        """Run the steps that cannot affect traffic; `switch` goes on, or `call_off` ends it."""
        host = host_plan.host.name
        if self._go(host_plan, 0, len(host_plan.unseen)):
            with self._lock:
                self._waiting[host] = host_plan
            self.fleet.tell(host, "proven; it is registered when all hosts are staged")

    @property
    def waiting(self) -> tuple[HostPlan, ...]:
        """The host plans that began before their turn, and whose turn has not come."""
        with self._lock:
            return tuple(self._waiting.values())

    def switch(self, host_plan: HostPlan) -> bool:
        """One host, out and back in; where it stops, every app of it is left whole.

        Returns whether all of it was done; where it was begun and not done, its outcome is
        reported.
        """
        with self._lock:
            done = len(host_plan.unseen) if self._waiting.pop(host_plan.host.name, None) else 0
        if done and not self._stands(host_plan):
            return False
        return self._go(host_plan, done, len(host_plan.steps))

    def call_off(self, host_plan: HostPlan) -> None:
        """End what a host plan that waits for its turn has started."""
        with self._lock:
            del self._waiting[host_plan.host.name]
        self._stop(host_plan, len(host_plan.unseen))

    def empty(self, host_plan: HostPlan) -> None:
        """The old slots drain and stop; the new ones serve, whatever happens here."""
        lost: set[str] = set()
        for step in host_plan.after:
            if step.app.name in lost or self.lost.is_set():
                continue
            try:
                self._do(step)
            except DeployError as error:
                if failed_step.is_gone(self.fleet, step, error):
                    self.progress.ended(step.host.name, Outcome.GONE)
                    return
                self._failed(step, error, leaves=True)
                lost.add(step.app.name)

    def ended(self, host: str, outcome: Outcome) -> None:
        """A host's part is over."""
        self.progress.ended(host, outcome)
        self.progress.listen(HostEnded(host, str(outcome)))

    def _go(self, host_plan: HostPlan, start: int, end: int) -> bool:
        """Do these of a host plan's steps; whether all of them were done."""
        for number, step in enumerate(host_plan.steps[start:end], start=start):
            if self.fleet.stop.is_set() and host_plan.may_stop_before(step):
                self._stop(host_plan, number)
                return False
            try:
                self._do(step)
            except DeployError as error:
                self.ended(host_plan.host.name, self._left(host_plan, step, error))
                return False
        return True

    def _stop(self, host_plan: HostPlan, done: int) -> None:
        """End a host plan before anything of it serves, with so many of its steps done."""
        if done:
            stopped = Stopped(f"{host_plan.host}: stopped before it served")
            self.ended(
                host_plan.host.name, self._left(host_plan, host_plan.steps[done - 1], stopped)
            )

    def _stands(self, host_plan: HostPlan) -> bool:
        """Whether what a host plan proved before its turn, maybe long ago, still runs."""
        for step in host_plan.unseen:
            if isinstance(step, ProveRelease):
                try:
                    self._patiently(step, step.look_again, retry.PATIENCE_SECONDS)
                except Exception as raised:  # noqa: BLE001 - as in `_do`: what was started is ended
                    error = as_deploy_error(raised, f"{step.host}: {step}")
                    outcome = self._left(host_plan, step, error, begun=len(host_plan.unseen))
                    self.ended(host_plan.host.name, outcome)
                    return False
        return True

    def _patiently(self, step: Step, act: Callable[[Fleet], None], seconds: float) -> None:
        """Act, and retry a transient failure; the screen shows why."""
        tell = partial(self.fleet.tell, step.host.name)
        retry.patiently(partial(act, self.fleet), tell, seconds, self.fleet.clock)

    def _left(self, host_plan: HostPlan, step: Step, error: DeployError, begun: int = 0) -> Outcome:
        """Recover a host whose plan stopped at a step; return how that left it.

        begun: so many steps were begun, where that is more than up to this one.
        """
        if self.lost.is_set():
            self._failed(step, error)
            return Outcome.LEFT
        if failed_step.is_gone(self.fleet, step, error):
            if failed_step.may_be_to_blame(step, error):
                self._failed(step, error)
            return Outcome.GONE
        stopped = isinstance(error, Stopped)
        journal = () if stopped else failed_step.journal(self.fleet, step)
        recovery = failed_host.recovery_of(
            host_plan, step, still_runs=stopped, is_bad=error.blames_release, begun=begun
        )
        recovery = failed_recovery.because(recovery, error)
        failure = self._failure(step, error, journal)  # as things are now, not after the recovery
        if not stopped:
            self.progress.listen(as_events.recovery_began(failure, recovery, self.fleet.groups))
        # What may pass has been waited for already: a host that is gone costs no second minute.
        patience_seconds = 0 if error.may_pass else retry.PATIENCE_SECONDS
        recovered = self._recover(host_plan, recovery, patience_seconds)
        if recovered.leaves or not (stopped and recovered.serves):
            done, leaves = recovered.lines, recovered.leaves
            self.progress.failed(replace(failure, undone=done, leaves=leaves))
        if self.lost.is_set():
            return Outcome.LEFT
        if failed_host.is_deployed(step):
            self.progress.deploy(step)
        if recovered.serves:
            return self.progress.reached(host_plan.host)
        is_gone = failed_step.has_ended(self.fleet, host_plan.host)
        return Outcome.GONE if is_gone else Outcome.OUT

    def _recover(self, plan: HostPlan, recovery: Recovery, patience_seconds: float) -> Recovered:
        """Carry out the recovery."""
        done, todo = list[str](), list(recovery.steps)
        serves, leaves = recovery.serves, recovery.leaves
        while todo and not self.lost.is_set():
            back = todo.pop(0)
            try:
                self._do(back, planned=False, patience_seconds=patience_seconds)
            except DeployError as error:
                done.append(f"{back}: failed: {error}")
                if failed_host.is_deployed(back):
                    self.progress.deploy(back)
                other = failed_recovery.instead(plan, back, is_bad=error.blames_release)
                if other is not None:
                    other = failed_recovery.because(other, error)
                    todo = shared_target.after(todo, back, other)
                    serves = serves and other.serves
                    leaves = leaves or other.leaves
            else:
                done.append(str(back))
        return Recovered(tuple(done), serves, leaves)

    def _do(
        self,
        step: Step,
        *,
        planned: bool = True,
        patience_seconds: float = retry.PATIENCE_SECONDS,
    ) -> None:
        """One step, its events and its place in the progress; raises what it failed with."""
        if self.lost.is_set():
            raise LockLost(f"{step.host}: {step}: not begun: another deploy took over")
        self.progress.began(step, planned=planned)
        began = self.fleet.clock.monotonic()
        error: DeployError | None = None
        try:
            self._patiently(step, step.run, patience_seconds)
        except DeployError as raised:
            error = raised
            if isinstance(raised, LockLost):
                self.lose()
        except Exception as raised:  # noqa: BLE001 - a defect of ours may not leave a host behind
            error = as_deploy_error(raised, f"{step.host}: {step}")
        health = self.fleet.health(step.host, step.app)
        seconds = self.fleet.clock.monotonic() - began
        self.progress.listen(as_events.step_ended(step, seconds, health, error, planned=planned))
        if error:
            raise error
        self.progress.did(step, planned=planned)

    def _failed(self, step: Step, error: DeployError, *, leaves: bool = False) -> None:
        self.progress.failed(replace(self._failure(step, error), leaves=leaves))

    def _failure(self, step: Step, error: DeployError, journal: tuple[str, ...] = ()) -> Failure:
        health = str(self.fleet.health(step.host, step.app) or "")
        return failed_step.failure(step, error, health, journal)
