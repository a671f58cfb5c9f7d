"""A run that others started, on a terminal: its numbers, and the hosts at work. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.durations import about, clock_time
from deploy.foreign_text import visible
from deploy.screen.fleet.lock_seen import numbers
from deploy.screen.run import header
from deploy.screen.run.host import State
from deploy.screen.run.line import cut, filled, line
from deploy.screen.run.names import shortened
from deploy.screen.run.rows import STATE_WIDTH, STYLES, fitting

if TYPE_CHECKING:
    from deploy.hosts.lock.progress import HostNow, Progress
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.screen.run.line import Line

NAME_WIDTH = 28
NOT_BEGUN = "It does not say yet how far it is: it plans, or waits for an answer."


def lines(held: HolderSeen, width: int, most: int, age_seconds: float) -> list[Line]:
    """What is known of the run of a lock's holder.

    Args:
        held: The holder.
        width: Of the terminal.
        most: How many hosts are listed; the others are counted.
        age_seconds: Since its progress was first seen as it is.
    """
    far = held.progress
    found = [line(cut(_who(held), width), "dim")]
    if far is None:
        return [*found, line(cut(NOT_BEGUN, width), "bold")]
    found += _header(far, min(width, header.MOST_WIDTH), age_seconds)
    if far.note:
        found.append(line(cut(visible(far.note), width), "bold yellow"))
    return [*found, *_rows(far, width, most)]


def _who(held: HolderSeen) -> str:
    """The holder, without how far it is."""
    return str(held._replace(progress=None))


def _header(far: Progress, width: int, age_seconds: float) -> list[Line]:
    left, elapsed = max(0.0, far.seconds_left - age_seconds), far.seconds + age_seconds
    parts = [visible(far.what)] if far.what else []
    parts += [*numbers(far), *([f"{about(left)} left"] if left else []), clock_time(elapsed)]
    share = min(elapsed / (elapsed + left), header.NEARLY) if elapsed + left else 0.0
    return [*(line(each, "bold") for each in filled(parts, width)), header.bar(share, width)]


def _rows(far: Progress, width: int, most: int) -> list[Line]:
    shown = [*far.failed, *far.at_work][: max(1, most)]
    names = shortened((each.host for each in shown), NAME_WIDTH)
    spare = most - len(shown)
    found: list[Line] = []
    for each in shown:
        rows = _row(each, names, width, spare)
        spare -= len(rows) - 1
        found += rows
    hidden = len(far.failed) + len(far.at_work) - len(shown)
    hidden += far.more_at_work + far.more_failed
    if hidden:
        found.append(line(f"… and {hidden} more at work or failed", "dim"))
    return found


def _row(now: HostNow, names: dict[str, str], width: int, spare: int) -> list[Line]:
    """One host: its name, what it is to those who send requests, and what is done there.

    spare: so many lines more than one may be taken, for a cause that is long.
    """
    longest = max(map(len, names.values()))
    name = f"{names[now.host]:{longest}}  "
    word = cut(visible(now.state), STATE_WIDTH)
    detail, space = visible(now.doing), max(0, width - len(name) - STATE_WIDTH - 2)
    head = (name, ""), (f"{word:{STATE_WIDTH}}  ", _style(now.state))
    if now.state != State.FAILED:
        return [(*head, (fitting(detail, space), ""))]
    if len(detail) > space and spare > 0:
        return [head, line(cut(f"  {detail}", width), "red")]
    return [(*head, (cut(detail, space), "red"))]


def _style(state: str) -> str:
    """The style of a state's word; a text that is no state has none."""
    return next((style for known, style in STYLES.items() if known == state), "")
