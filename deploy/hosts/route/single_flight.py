"""Does once what several threads want at the same time; some failures hold for a while."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from deploy.clock import CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable


class SingleFlight:
    """Does once what several threads want at the same time, and gives all of them the outcome.

    holds_seconds: for how long a failure is also that of those who come later, since asking again
    would do harm and give the same answer.
    """

    def __init__(
        self,
        holds_seconds: Callable[[Exception], float] = lambda _: 0.0,
        clock: Clock = CLOCK,
    ) -> None:
        self._holds_seconds = holds_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: Future[None] | None = None
        self._held: tuple[Exception, float] | None = None

    def join(self, act: Callable[[], None]) -> None:
        """Act, or wait for the thread that acts already; what it raises is raised for all."""
        with self._lock:
            if self._held and self._clock.monotonic() < self._held[1]:
                raise self._held[0]
            others = self._under_way
            own = self._under_way = others or Future()
        if others:
            others.result()
            return
        error: BaseException | None = None
        try:
            act()
        except BaseException as raised:
            error = raised
            raise
        finally:
            with self._lock:
                self._under_way = None
                if isinstance(error, Exception):
                    self._held = error, self._clock.monotonic() + self._holds_seconds(error)
            if error is None:
                own.set_result(None)
            else:
                # An end of this thread is none of the others'.
                own.set_exception(error if isinstance(error, Exception) else EOFError("given up"))
