"""Limits the logins at once at each machine, and repeats one that sshd turned away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deploy import retry
from deploy.clock import CLOCK, Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST_AT_ONCE = 8
"""Below the 10 from which sshd turns some away: `MaxStartups 10:30:100`, sshd_config(5)."""


class Logins:
    """Turns at the machines that are logged in to: MOST_AT_ONCE at each."""

    def __init__(self, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._turns: dict[Hashable, threading.Semaphore] = {}

    def take(
        self,
        machine: Hashable,
        attempt: Callable[[], object],
        may_pass: Callable[[BaseException], bool],
        patience_seconds: float,
    ) -> None:
        """Log in when it is our turn at a machine; again where that failed and `may_pass`.

        Pauses are random and grow, so that those who were turned away together do not return
        together. What fails later than `patience_seconds` after the first failure is raised. A turn
        is waited for no longer than that, so that hosts which are down hold up no others.
        """
        with self._lock:
            turn = self._turns.setdefault(machine, threading.Semaphore(MOST_AT_ONCE))

        def in_turn() -> None:
            is_ours = turn.acquire(timeout=patience_seconds)
            try:
                attempt()
            finally:
                if is_ours:
                    turn.release()

        retry.patiently(in_turn, lambda _: None, patience_seconds, self._clock, may_pass)
