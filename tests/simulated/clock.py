"""The time of the simulation: nobody waits for it, it goes on when somebody would have waited."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deploy import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.clock import Waited

BEGAN_SECONDS = 1000.0
CALL_SECONDS = 0.125  # a command on a host, a call to AWS
TICK_SECONDS = 2.0  # between two polls of a group
SLICE_SECONDS = 1.0  # after which another host may go on while one is slow


class Clock(clock.Clock):
    """Nothing sleeps, the time goes on.

    let_others: lets another host's thread go on, where it is its turn.
    """

    def __init__(self) -> None:
        self.now = BEGAN_SECONDS
        self.let_others: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1 / 1024)

    def pass_slowly(self, seconds: float) -> None:
        """So much time passes for one host, in which others go on, as they would."""
        end = self.now + seconds
        while self.now < end:
            self.let_others()
            self.sleep(min(SLICE_SECONDS, end - self.now))

    def wait(self, on: Waited, seconds: float) -> bool:
        """Look at an event, which has come or will not; a `Stop` takes its time."""
        return on.wait(0 if isinstance(on, threading.Event) else seconds)


CLOCK = Clock()
"""The only one; every `World` sets it back."""
