"""What happened in a run beside its steps: batches, pauses, failures, hooks, rollbacks. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.events.event import BatchBegan, LockTaken, RunEnded, StopAsked
from deploy.events.planned import PlanMade
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HoldEnded, HookEnded
from deploy.hooks.words import described
from deploy.hooks.words import lines as in_words
from deploy.page.lanes import Look, Mark
from deploy.page.wording import duration
from deploy.screen.plan import words
from deploy.screen.plan.folded import serving

if TYPE_CHECKING:
    from deploy.events.event import Event

DECISIONS = {"promote": "promoted", "abort": "aborted", "": "pause over"}
"""What a pause ended with, in a word or two."""


@dataclass
class Moments:
    """Hears a run's events.

    Attributes:
        marks: The moments so far.
        plan: The plan that is carried out; None before there is one.
        plans: How many there were: a second one takes finished hosts back.
        batches: The numbers of the first plan's batches that began.
        is_over: Whether the run's end was heard.
    """

    marks: list[Mark] = field(default_factory=list)
    plan: PlanMade | None = None
    plans: int = 0
    batches: set[int] = field(default_factory=set)
    is_over: bool = False

    def hear(self, now: float, event: Event) -> None:
        """Hear one event; now: seconds since the run began."""
        match event:
            case PlanMade():
                self._plan(now, event)
            case BatchBegan():
                self._batch(now, event)
            case RecoveryBegan(host, step):
                text = f"{host}: {step} failed; {event.goal or 'its recovery begins'}"
                self._add(now, f"{host} failed", text, Look.FAILURE)
            case HoldBegan():
                self._add(now, "paused", " ".join(in_words(event)), Look.PAUSE)
            case HoldEnded():
                self._go_on(now, event)
            case HookEnded():
                self._hook(now, event)
            case StopAsked(number):
                text = f"the operator asks for an end ({_signal(number)})"
                self._add(now, "stop", text, Look.TURN)
            case LockTaken():
                text = "another deploy took the environment over"
                self._add(now, "taken over", text, Look.TURN)
            case RunEnded():
                self.is_over = True
            case _:
                pass

    def all_until(self, seconds: float) -> tuple[Mark, ...]:
        """All moments; seconds: when the last event was, to which a pause lasts that goes on."""
        if not self.is_over:
            text = "the last event: how the run went on is not known"
            self._add(seconds, "last event", text, Look.TURN)
        return tuple(_over(each, seconds) for each in self.marks)

    def _add(
        self, at: float, name: str, text: str, look: Look, details: tuple[str, ...] = ()
    ) -> None:
        self.marks.append(Mark(at, name, text, look, details=details))

    def _plan(self, now: float, plan: PlanMade) -> None:
        self.plan, self.plans = plan, self.plans + 1
        if self.plans > 1:
            text = f"hosts that were finished go back: {plan.title}"
            self._add(now, "rollback", text, Look.TURN)

    def _batch(self, now: float, batch: BatchBegan) -> None:
        plan, number = self.plan, batch.number
        planned = plan.batches[number - 1 : number] if plan and number > 0 else ()
        stay = "; ".join(serving(plan, each) for each in planned if plan)
        prefix = "rollback, " if self.plans > 1 else ""
        if not prefix:
            self.batches.add(number)
        text = f"{prefix}batch {number} of {batch.total} begins: {words.hosts(batch.hosts)}"
        name = f"rollback {number}" if prefix else f"batch {number}"
        self._add(now, name, f"{text}; {stay}" if stay else text, Look.BATCH)

    def _go_on(self, now: float, ended: HoldEnded) -> None:
        """A pause is over: it lasted until now."""
        self.marks = [_over(each, now) for each in self.marks]
        name = DECISIONS.get(ended.decision, ended.decision)
        self._add(now, name, " ".join(in_words(ended)), Look.TURN)

    def _hook(self, now: float, hook: HookEnded) -> None:
        on = f" for {hook.host}" if hook.host else ""
        took = duration(hook.seconds)
        if not hook.error:
            text = f"hook {hook.hook}{on} ended well, in {took}"
            self._add(now, "hook", text, Look.HOOK, hook.output)
            return
        text, *output = described(hook)
        details = tuple(each.removeprefix("  | ") for each in output)
        self._add(now, "hook failed", f"{text} (after {took})", Look.HOOK_FAILED, details)


def _over(mark: Mark, now: float) -> Mark:
    """The mark; where it is a pause that goes on, with its end."""
    is_open = mark.look is Look.PAUSE and mark.until is None
    return replace(mark, until=now) if is_open else mark


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
