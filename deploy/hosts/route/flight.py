"""One thread does what several want, and all get what comes of it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Flight:
    """What several threads want at the same time is done once; its outcome is for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Future[None] | None = None

    def join(self, act: Callable[[], None]) -> None:
        """Act, or wait for the thread that acts already; what it raises is raised for all."""
        with self._lock:
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
            if error is None:
                own.set_result(None)
            else:
                # An end of this thread is none of the others'.
                own.set_exception(error if isinstance(error, Exception) else EOFError("given up"))
