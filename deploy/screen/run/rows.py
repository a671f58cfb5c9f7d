"""A line for each host that matters now, as many as the terminal has room for. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from deploy.foreign_text import visible
from deploy.natural_order import natural
from deploy.screen.run.host import State
from deploy.screen.run.line import cut, line
from deploy.screen.run.names import shortened
from deploy.steps.base import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.events.event import StepBegan
    from deploy.screen.run.host import HostInRun
    from deploy.screen.run.line import Line
    from deploy.screen.run.state import RunState

WIDE = 100
NAME_WIDTH, WIDE_NAME_WIDTH = 28, 44
STATE_WIDTH = max(map(len, State))
STYLES = {
    State.FAILED: "bold red",
    State.DRAINING: "yellow",
    State.OUT: "yellow",
    State.STARTING: "cyan",
    State.PROVING: "cyan",
    State.RETURNING: "cyan",
    State.BACK: "green",
    State.SERVING: "",
}
WAITING, NOT_BEGUN = "waiting", "not begun"
"""What is said of a host whose turn has not come: it will, or no more will."""
REASON = re.compile(r" \([^()]*\)")
_OLD_SLOT = frozenset({Phase.DRAIN.value, Phase.SWITCH.value})
_NEW_SLOT = frozenset({Phase.SWITCH.value, Phase.PROVE.value, Phase.CHECK.value})


class Ranked(NamedTuple):
    """Hosts by importance, each group in the natural order of names.

    Attributes:
        failed: Those where something failed.
        at_work: Those where a step runs.
        done: Those whose part is over, the last of them first.
        waiting: All others.
    """

    failed: list[HostInRun]
    at_work: list[HostInRun]
    done: list[HostInRun]
    waiting: list[HostInRun]


def ranked(state: RunState) -> Ranked:
    """All hosts of a run, by importance."""
    found = Ranked([], [], [], [])
    for host in sorted(state.hosts.values(), key=lambda each: natural(each.name)):
        if host.failure:
            found.failed.append(host)
        elif host.is_at_work:
            found.at_work.append(host)
        elif host.outcome:
            found.done.append(host)
        else:
            found.waiting.append(host)
    found.done.sort(key=lambda each: -each.changed)
    return found


def lines(state: RunState, width: int, height: int) -> list[Line]:
    """Return at most `height` lines: rows of hosts, and one that counts the others.

    A host at work is never among the others unless those at work alone are too many.
    """
    hosts = ranked(state)
    count = len(state.hosts)
    must = len(hosts.at_work) + len(hosts.failed)
    causes = min(len(hosts.failed), max(0, height - must - 1))
    room = height - causes
    room -= count > room
    shown = _chosen(hosts, room)
    names = shortened((each.name for each in state.hosts.values()), _name_width(width))
    waiting = NOT_BEGUN if state.schedule.is_ending else WAITING
    found: list[Line] = []
    for host in shown:
        found.append(_row(host, names, width, waiting))
        if host.failure and causes:
            causes -= 1
            found.append(line(cut(f"  {cause(host)}", width), "red"))
    if len(shown) < count:
        found.append(line(cut(_others(hosts, shown, waiting), width), "dim"))
    return found


def cause(host: HostInRun) -> str:
    """What failed on a host, without the name that stands beside it."""
    first = host.failure.split("\n", 1)[0]
    return visible(first.removeprefix(f"{host.name}: "))


def _chosen(hosts: Ranked, room: int) -> list[HostInRun]:
    """The hosts that are shown: those at work before all others, in the order of importance."""
    busy = [*(each for each in hosts.failed if each.is_at_work), *hosts.at_work]
    idle = [each for each in hosts.failed if not each.is_at_work]
    first = [*busy, *idle, *hosts.done, *hosts.waiting][:room]
    shown = {each.name for each in first}
    done = sorted(hosts.done, key=lambda each: natural(each.name))
    in_order = (*hosts.failed, *hosts.at_work, *done, *hosts.waiting)
    return [each for each in in_order if each.name in shown]


def _others(hosts: Ranked, shown: Sequence[HostInRun], waiting: str) -> str:
    """The hosts that are not shown, counted by what they are."""
    names = {host.name for host in shown}
    counts = Counter[str]()
    for kind, group in (
        ("failed", hosts.failed),
        ("at work", hosts.at_work),
        ("", hosts.done),
        (waiting, hosts.waiting),
    ):
        for host in group:
            if host.name not in names:
                counts[kind or visible(host.outcome)] += 1
    return "… and " + ", ".join(f"{count} more {kind}" for kind, count in counts.items())


def _name_width(width: int) -> int:
    return WIDE_NAME_WIDTH if width >= WIDE else min(NAME_WIDTH, max(8, width // 3))


def _row(host: HostInRun, names: dict[str, str], width: int, waiting: str) -> Line:
    """One host: its name, what it is to those who send requests, and what is done there."""
    state, longest = host.state, max(map(len, names.values()))
    style = STYLES[state]
    if not (host.is_at_work or host.failure):
        style = "dim" if state is State.SERVING else style
    name = f"{names[host.name]:{longest}}  "
    word = f"{state:{STATE_WIDTH}}  "
    detail = fitting(doing(host, waiting), max(0, width - len(name) - len(word)))
    return (
        (name, "red" if host.failure else ""),
        (word if detail else state, style),
        (detail, "red" if host.failure else ("" if host.is_at_work else "dim")),
    )


def fitting(detail: str, width: int) -> str:
    """A detail in so many characters: how far a wait is counts more than AWS's reason for it."""
    if len(detail) > width:
        detail = REASON.sub("", detail)
    return cut(detail, width)


def doing(host: HostInRun, waiting: str = WAITING) -> str:
    """What is done on a host now, or how its part ended.

    waiting: what is said of a host whose turn has not come.
    """
    if host.outcome:
        return visible(host.outcome)
    step = host.step
    said = visible(host.said or (step.step if step else ""))
    if host.is_recovering and host.failure:
        return f"putting it back: {said}" if said else "putting it back"
    if step is None:
        return said or (waiting if host.state is State.SERVING else "")
    slot = _slot(host, step)
    return f"{slot}{said}" if slot else said.removeprefix(f"{host.state}, ")


def _slot(host: HostInRun, step: StepBegan) -> str:
    """Which of an app's slots a step is about, where that is not the one that serves."""
    service = host.services.get(step.app)
    if service is None or not service.serves:
        return ""
    if service.is_back:
        is_old = step.port not in service.returned and step.phase in _OLD_SLOT
        return "old slot: " if is_old else ""
    return "new slot: " if step.phase in _NEW_SLOT else ""
