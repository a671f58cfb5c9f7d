"""Which hosts a run changed, and which it only staged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.run.report import Outcome
from deploy.screen.run.host import STARTS

if TYPE_CHECKING:
    from deploy.page.lanes import Lane, Timeline

ENTERS = frozenset({"wait_healthy", "record_deployed", "record_restarted"})
"""The kinds of steps after which a host serves; the last two of workers too."""


@dataclass(frozen=True)
class Reach:
    """How far a run came.

    Attributes:
        changed: The hosts, by name, on which what was started serves now.
        put_back: Those whose turn began, and that serve what they ran before.
        returned: Those that were out, and serve again what they ran.
        staged: Those whose turn never began: everything was prepared there, and nothing changed.
        batches: How many batches of the plan began.
    """

    changed: tuple[str, ...] = ()
    put_back: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()
    batches: int = 0


def reach(timeline: Timeline) -> Reach:
    """How far the run came, by the steps that ended and how hosts ended."""
    hosts: dict[str, list[str]] = {}
    for lane in timeline.lanes:
        hosts.setdefault(_kind(lane), []).append(lane.host)
    return Reach(
        changed=tuple(hosts.get("changed", ())),
        put_back=tuple(hosts.get("put_back", ())),
        returned=tuple(hosts.get("returned", ())),
        staged=tuple(hosts.get("staged", ())),
        batches=timeline.batches,
    )


def _kind(lane: Lane) -> str:
    """What a host is to a reach; empty for one that was left alone, or is out of service."""
    if not lane.bars:
        return ""
    if lane.turn is None:
        return "staged" if lane.outcome in {"", Outcome.WAITING} else ""
    if lane.outcome == Outcome.BACK:
        return "put_back"
    entered = {bar.app for bar in lane.bars if bar.is_of_plan and bar.kind in ENTERS}
    started = {bar.app for bar in lane.bars if bar.is_of_plan and bar.kind in STARTS}
    if entered & started:
        return "changed"
    return "returned" if entered else ""
