"""The threads of a run, one for each host; in the simulation a crew's threads take turns."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

MOST_HOSTS_AT_ONCE = 32
"""So many hosts are connected to, asked or left together."""
LOOK_FOR_SIGNALS_SECONDS = 0.2


class Crew:
    """Starts threads and waits for them; what an act raises is raised where it is waited for."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._adding, self._deciding = threading.Lock(), threading.Lock()
        self._ahead: set[Future[None]] = set()
        self._aside: set[Future[None]] = set()

    def together(self, acts: Sequence[Callable[[], None]], at_a_time: int) -> None:
        """Run all of them, so many at a time, and what they send ahead, until all have ended."""
        if not acts:
            return
        try:
            with ThreadPoolExecutor(max_workers=min(at_a_time, len(acts))) as pool:
                self._wait({pool.submit(act) for act in acts})
        finally:
            self._wait(self._ahead)

    def ahead(self, act: Callable[[], None]) -> None:
        """Begin an act beside those that run together, which end when it has, too."""
        self._begin(act, self._ahead)

    def aside(self, act: Callable[[], None]) -> None:
        """Begin an act that goes on until `finish`."""
        self._begin(act, self._aside)

    def finish(self) -> None:
        """Wait for what goes on aside."""
        self._wait(self._aside)

    def turn(self, host: str) -> AbstractContextManager[object]:
        """Decide for a host while no other thread decides for another."""
        del host
        return self._deciding

    def _begin(self, act: Callable[[], None], those: set[Future[None]]) -> None:
        """Run an act in a thread of its own."""
        pool = ThreadPoolExecutor(max_workers=1)
        future = pool.submit(act)
        pool.shutdown(wait=False)
        with self._adding:
            those.add(future)

    @staticmethod
    def _wait(futures: set[Future[None]]) -> None:
        """Wait in short turns, so that signals are handled in between."""
        waiting = set(futures)
        while waiting:
            ended, waiting = wait(waiting, timeout=LOOK_FOR_SIGNALS_SECONDS)
            for future in ended:
                future.result()
