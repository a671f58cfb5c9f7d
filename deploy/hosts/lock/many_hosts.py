"""Asks many hosts at once, so that one slow host delays neither the others nor the end."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

from deploy.clock import CLOCK, Clock
from deploy.errors import ConnectionLost, DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

GRACE_SECONDS = 5.0
"""How long nothing may come, once there is enough, before the rest counts as late."""


def never() -> bool:
    """Return False: the answers of all are waited for."""
    return False


def answers(
    names: Iterable[str],
    ask: Callable[[str], T],
    deadline_seconds: float,
    at_once: int,
    enough: Callable[[], bool] = never,
    clock: Clock = CLOCK,
) -> Iterator[tuple[str, T | DeployError]]:
    """Yield each name with what `ask` returned for it, or its error, in the order of arrival.

    ask: runs in a daemon thread per name, `at_once` of them at a time. A thread of a pool would
    be joined when the interpreter ends, so that one silent host would hold up the end for ever.
    deadline_seconds: a name without an answer by then yields ConnectionLost. Its thread goes on,
    and its place is given to the next name. An unforeseen exception yields a DeployError.
    enough: once it returns True, five seconds in which no answer comes are a deadline, too.
    """
    heard: queue.SimpleQueue[tuple[str, T | DeployError]] = queue.SimpleQueue()

    def run(name: str) -> None:
        try:
            heard.put((name, ask(name)))
        except DeployError as error:
            heard.put((name, error))
        except Exception as error:  # noqa: BLE001 - one host's defect may not silence the others
            heard.put((name, DeployError(f"{name}: {type(error).__name__}: {error}")))

    waiting, ends = list(reversed(list(names))), dict[str, float]()
    while waiting or ends:
        while waiting and len(ends) < at_once:
            name = waiting.pop()
            ends[name] = clock.monotonic() + deadline_seconds
            threading.Thread(target=run, args=(name,), daemon=True).start()
        first = next(iter(ends.values()))  # all have the same time, so the first ends first
        left = max(0.0, first - clock.monotonic())
        is_short = left > GRACE_SECONDS and enough()
        try:
            name, answer = heard.get(timeout=GRACE_SECONDS if is_short else left)
        except queue.Empty:
            now = clock.monotonic()
            for late in [name for name, end in ends.items() if is_short or end <= now]:
                del ends[late]
                yield late, ConnectionLost(f"{late}: no answer in time")
        else:
            if ends.pop(name, None) is not None:
                yield name, answer
