"""The part of the screen that is drawn again and again while a run goes on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.screen.run import header, rows
from deploy.screen.run.line import cut, line

if TYPE_CHECKING:
    from deploy.screen.run.line import Line
    from deploy.screen.run.state import RunState

LEFT_FREE, LEFT_FREE_FOR_NEWS = 4, 9
"""Lines of the terminal that are kept for messages above, so that a failure's cause stays."""
JOURNAL_SHOWN = 4


def lines(state: RunState, width: int, height: int, now: float) -> list[Line]:
    """Return what is drawn on a terminal of this size; now: unix seconds."""
    top = [*header.banner(state, width, now), *header.lines(state, width, now)]
    room = max(1, height - 1 - len(top))
    hosts = rows.ranked(state)
    has_news = bool(hosts.failed or state.stop or state.is_lost)
    free = LEFT_FREE_FOR_NEWS if has_news else LEFT_FREE
    busy = sum(host.is_at_work for host in state.hosts.values())
    room = max(min(room, busy + 1), room - free)  # a host at work counts more than free lines
    shown = rows.lines(state, width, room)
    journal = _journal(state, width)
    return [*top, *shown, *journal[: max(0, room - len(shown))]]


def _journal(state: RunState, width: int) -> list[Line]:
    """The last journal lines of the host that began last to start something."""
    starting = [host for host in state.hosts.values() if host.is_starting and host.journal]
    if not starting:
        return []
    host = max(starting, key=lambda each: each.since)
    last = [*host.journal][-JOURNAL_SHOWN:]
    head = f"journal of {visible(host.name)}:"
    return [
        line(cut(head, width), "dim"),
        *(line(cut(f"  {visible(each)}", width), "dim") for each in last),
    ]
