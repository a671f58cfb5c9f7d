"""Whoever else holds an environment's lock: who it is, whether it lives, and an end to it."""

from __future__ import annotations

import enum
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploy import fence
from deploy.errors import DeployError
from deploy.holder import Holder, last_line
from deploy.remote import MOST_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.remote import Remote

BEATS_IN_TTL = 4
ASK_SECONDS = 40.0


class Life(enum.Enum):
    """What watching a holder showed."""

    ALIVE = "alive"
    DEAD = "dead"
    GONE = "gone"


def read(environment: str, remotes: Mapping[str, Remote]) -> dict[str, Holder]:
    """Who holds the lock on each host where somebody does."""
    ends = ask_aside(remotes, remotes, fence.read_lock(environment), ASK_SECONDS)
    found = {name: Holder.parse(last_line(text)) for name, (_, text) in ends.items()}
    return {name: holder for name, holder in found.items() if holder}


def holders(
    environment: str, remotes: Mapping[str, Remote]
) -> list[tuple[Holder, tuple[str, ...]]]:
    """Each holder, as its newest heartbeat tells it, with the hosts where it holds the lock."""
    found = read(environment, remotes)
    newest: dict[str, Holder] = {}
    for holder in sorted(found.values(), key=lambda holder: holder.beat):
        newest[holder.token] = holder
    return [
        (holder, tuple(sorted(name for name, h in found.items() if h.token == token)))
        for token, holder in newest.items()
    ]


def watch(environment: str, remotes: Mapping[str, Remote], holder: Holder) -> Life:
    """Whether a holder lives: its counter moves within its own time to live, as watched here.

    Never by clocks or process ids, which two machines do not share. What counts is a change
    after the first look: a holder that was killed in the middle of a beat left two counts. The
    time to live runs from that look's end to the last one's beginning, since hosts that do not
    answer make a look long.
    """
    end = float("inf")
    pause = holder.ttl_seconds / BEATS_IN_TTL / 2
    first: int | None = None
    while True:
        began = time.monotonic()
        beats = [h.beat for h in read(environment, remotes).values() if h.token == holder.token]
        if not beats:
            return Life.GONE
        if first is None:
            first, end = max(beats), time.monotonic() + holder.ttl_seconds
        if max(beats) > first:
            return Life.ALIVE
        if began >= end:
            return Life.DEAD
        threading.Event().wait(min(max(end - time.monotonic(), 0), pause))


def destroy(environment: str, remotes: Mapping[str, Remote], holder: Holder, note: str) -> None:
    """Take the lock from its holder on every host, and write down why."""
    script = fence.break_lock(environment, holder.token, note)
    ask_aside(remotes, remotes, script, ASK_SECONDS)


def ask_aside(
    remotes: Mapping[str, Remote], names: Iterable[str], script: str, timeout_seconds: float
) -> dict[str, tuple[int, str]]:
    """Exit code and output by host, beside whatever runs there; hosts that fail are left out."""

    def ask(name: str) -> tuple[str, tuple[int, str] | None]:
        try:
            result = remotes[name].aside(script, timeout_seconds)
        except DeployError:
            return name, None
        return name, (result.exit_code, result.stdout)

    listed = list(names)
    if not listed:
        return {}
    with ThreadPoolExecutor(max_workers=min(MOST_AT_ONCE, len(listed))) as pool:
        return {name: found for name, found in pool.map(ask, listed) if found is not None}
