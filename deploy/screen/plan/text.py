"""A plan's text for a screen of some width, or for a log. Pure."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from deploy.screen.plan import folded, full

if TYPE_CHECKING:
    from deploy.events.planned import PlanMade

_JOINED = re.compile(r"(?<=[0-9]) (?=(?:s|min|h|bytes?|kB|MB|GB|hosts?)\b)| (?=\(changed\))")
"""Spaces at which no line is broken: before a unit of measure, for one."""
_NO_BREAK = "\N{NO-BREAK SPACE}"
LEAST_WIDTH = 40
"""No narrower than this are lines broken: the terminal breaks what is left."""


def of(plan: PlanMade, width: int | None = None, *, is_full: bool = False) -> str:
    """The text of a plan, with safe line breaks alone.

    Args:
        plan: What will be done.
        width: Columns at which lines of a folded plan are broken; None for a log, where a line is
            as long as what it says, and is found as a whole.
        is_full: Whether every step has a line.
    """
    if is_full:
        return "\n".join(full.lines(plan))
    lines = folded.lines(plan)
    if width is None:
        return "\n".join(lines)
    return "\n".join(part for each in lines for part in _broken(each, max(width, LEAST_WIDTH)))


def _broken(text: str, width: int) -> list[str]:
    """A line in parts; those after the first are indented below it."""
    indent = re.match(" *", text)
    below = " " * (len(indent[0]) + 4 if indent else 4)
    parts = textwrap.wrap(
        _JOINED.sub(_NO_BREAK, text),
        width,
        subsequent_indent=below,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_NO_BREAK, " ") for part in parts] or [text]
