"""The time of the simulation: nobody waits for it, it goes on when somebody would have waited."""

from __future__ import annotations

BEGAN_SECONDS = 1000.0
CALL_SECONDS = 0.125  # a command on a host, a call to AWS
TICK_SECONDS = 2.0  # between two polls of a group


class Clock:
    """Stands in for `time` in the modules that wait: nothing sleeps, the time goes on."""

    def __init__(self) -> None:
        self.now = BEGAN_SECONDS

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 1 / 1024)


CLOCK = Clock()
"""The only one; every `World` sets it back."""
