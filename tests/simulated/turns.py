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
        self._count = 0
        self._had: dict[int, int] = {}

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
        self._pass_to(self._next())

    def pass_on(self) -> None:
        """Let the other one run that has had no turn for the longest: time passes for all alike."""
        if len(self._gates) < 2 or self._random is None:
            return
        others = [number for number in self._gates if number != self._now]
        self._pass_to(min(others, key=lambda number: (self._had.get(number, 0), number)))

    def _pass_to(self, other: int) -> None:
        mine, self._now = self._now, other
        self._count += 1
        self._had[other] = self._count
        if mine != other:
            own = self._gates[mine]
            self._gates[other].release()
            own.acquire()

    def _next(self) -> int:
        left = list(self._gates)
        return left[0] if self._random is None else self._random.choice(left)
