"""Sentences about hooks, pauses and decisions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.durations import about, limit
from deploy.events.question import QuestionAnswered
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from deploy.events.event import Event

GATES = ("pre-deploy", "pre-batch")
"""The hooks whose failure keeps a batch or a deploy from beginning, and is reported as that."""


def is_gate(event: HoldBegan | HoldEnded | HookBegan | HookEnded) -> bool:
    """Whether nothing more begins until it is over: a pause, or a hook before something."""
    return isinstance(event, HoldBegan | HoldEnded) or event.hook in GATES


def waiting(event: HoldBegan | HookBegan, seconds: float) -> str:
    """What is waited for, in a line; seconds: since it began."""
    if isinstance(event, HookBegan):
        far = f"{max(0.0, seconds):.0f} of {event.seconds:g} s at most"
        return f"Waiting for hook {visible(event.hook)}, {far}."
    left = max(0.0, event.seconds - seconds)
    rest = f"for {about(left)} more" if event.seconds else "until someone decides"
    return f"Paused after batch {event.batch} {rest}."  # what to type was said as it began


def lines(event: Event) -> tuple[str, ...]:
    """Return lines about failed hooks and pauses; none for other events."""
    match event:
        case HoldBegan(batch, seconds, go_on, end):
            most = f" for {limit(seconds)} at most" if seconds else ""
            return (f"Paused after batch {batch}{most}: `{go_on}` lets it go on, `{end}` ends it.",)
        case HoldEnded(decision="", by=_):
            return ("The pause is over.",)
        case HoldEnded(decision, by):
            return (f"{decision}: {visible(by)}",)
        case QuestionAnswered(host, answer, by) if answer:
            return (f"{visible(host)}: {visible(answer)}, decided by {visible(by)}",)
        case HookEnded() if event.error and event.hook not in GATES:
            return described(event)
        case _:
            return ()


def described(ended: HookEnded) -> tuple[str, ...]:
    """A hook that failed, in lines: what, why, and its last output."""
    where = f" for {visible(ended.host)}" if ended.host else ""
    return (
        f"hook {ended.hook}{where} failed: {ended.error}",
        *(f"  | {each}" for each in ended.output),
    )
