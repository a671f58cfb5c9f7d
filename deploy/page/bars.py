"""How a step's bar and a target's state are drawn, and the sentence that describes them. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.page.lanes import End
from deploy.page.wording import duration, offset

if TYPE_CHECKING:
    from deploy.page.lanes import Bar

TIP_LETTERS, MOST_TIP_LINES = 46, 7
"""In a line of the box that says what a bar is, and how many lines it has at most."""

STATES = {
    "healthy": "ok",
    "initial": "change",
    "draining": "change",
    "unhealthy.draining": "bad",
    "unhealthy": "bad",
}
"""How a target's state is drawn; all others as `off`: no requests come."""


def look(bar: Bar) -> str:
    """How a bar is drawn, as CSS classes."""
    kinds = ["wait" if bar.is_waiting else "work"]
    kinds += ["recovery"] if bar.is_recovery else []
    kinds += [] if bar.how is End.DONE else [bar.how.name.lower()]
    return " ".join(kinds)


def kind(bar: Bar) -> str:
    """What a step's time was for, in a word or two."""
    what = "waiting" if bar.is_waiting else "work"
    return f"recovery, {what}" if bar.is_recovery else what


def name(bar: Bar) -> str:
    """Describe a bar in one sentence, for screen readers and for the pointer."""
    step, time, *more = _parts(bar)
    return "; ".join((f"{step}: {time}", *more))


def tip(bar: Bar) -> list[str]:
    """The same in lines that fit the box of the bar that has the keyboard's focus."""
    lines = [each for part in _parts(bar) for each in textwrap.wrap(visible(part), TIP_LETTERS)]
    return lines if len(lines) <= MOST_TIP_LINES else [*lines[: MOST_TIP_LINES - 1], "…"]


def _parts(bar: Bar) -> list[str]:
    """What a bar is, how its time was spent, the state of its target, and what failed."""
    ended = "" if bar.how is End.DONE else f", {bar.how}"
    when = f"{offset(bar.start)} to {offset(bar.end)}"
    target = [f"target {bar.health}"] if bar.health else []
    error = [" ".join(bar.error.split())] if bar.error else []
    return [bar.step, f"{kind(bar)}, {duration(bar.seconds)}{ended}, {when}", *target, *error]


def state(health: str) -> str:
    """How a target's state is drawn, as a CSS class."""
    return STATES.get(health.partition(" ")[0], "off")
