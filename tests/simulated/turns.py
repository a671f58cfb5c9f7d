"""Threads that take turns, in an order that can be had again."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Turns:
    """Lanes in threads of which one runs at a time; who is next follows from the seed.

    seed: 0 for one after another.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed) if seed else None  # noqa: S311 - a schedule
        self._gates: dict[int, threading.Lock] = {}
        self._over = threading.Lock()
        self._now = 0

    def together(self, acts: Sequence[Callable[[], None]]) -> None:
        """Run all of them to their ends; raises what the first one raised that failed."""
        if len(acts) < 2:
            for act in acts:
                act()
            return
        failed: list[BaseException] = []

        def live(number: int, act: Callable[[], None], gate: threading.Lock) -> None:
            gate.acquire()
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)
            del self._gates[number]
            if self._gates:
                self._now = self._next()
                self._gates[self._now].release()
            else:
                self._over.release()

        threads: list[threading.Thread] = []
        self._over.acquire()
        for number, act in enumerate(acts):
            gate = self._gates[number] = threading.Lock()
            gate.acquire()
            threads.append(threading.Thread(target=live, args=(number, act, gate), daemon=True))
        for thread in threads:
            thread.start()
        self._now = self._next()
        self._gates[self._now].release()
        self._over.acquire()
        self._over.release()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def pause(self) -> None:
        """Let another host plan run first, if it is its turn."""
        if len(self._gates) < 2 or self._random is None or self._random.random() < 0.5:
            return
        mine, self._now = self._now, self._next()
        if mine != self._now:
            own = self._gates[mine]
            self._gates[self._now].release()
            own.acquire()

    def _next(self) -> int:
        left = list(self._gates)
        return left[0] if self._random is None else self._random.choice(left)
