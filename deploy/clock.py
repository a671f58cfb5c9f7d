"""The time that the engine reads and waits by; tests and the simulation pass their own."""

from __future__ import annotations

import time
from typing import Protocol


class Waited(Protocol):
    """Something that can be waited for: an event, a condition."""

    def wait(self, timeout: float, /) -> bool:
        """Wait so many seconds at most; whether it came."""


class Clock:
    """The machine's own time; another clock overrides its methods."""

    def monotonic(self) -> float:
        """Seconds that only grow, from no known beginning."""
        return time.monotonic()

    def awake(self) -> float:
        """Seconds that go on while the machine sleeps, where the system counts them."""
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return time.time() if boot is None else time.clock_gettime(boot)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        time.sleep(seconds)

    def wait(self, on: Waited, seconds: float) -> bool:
        """Wait for something, so many seconds at most; whether it came."""
        return on.wait(seconds)


CLOCK = Clock()
"""The machine's own, which is used unless another one is given."""
