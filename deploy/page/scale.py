"""From seconds to places on a time axis, in percent of its width. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count, takewhile

from deploy.page.wording import offset

MOST_TICKS = 8
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds between two ticks that a reader can count with."""
LEAST_WIDTH = 0.2
"""Of a bar: about two pixels of a screen, so that a step of a moment is seen."""
PERCENT_OF_A_LETTER, PERCENT_OF_EDGES = 0.85, 1.2
"""How wide a bar must be for the text in it, on a screen that is wide enough for texts at all."""


@dataclass(frozen=True)
class Tick:
    """A time that is written on the axis.

    Attributes:
        place: In percent.
        text: The time.
    """

    place: str
    text: str


@dataclass(frozen=True)
class Scale:
    """A time axis.

    Attributes:
        seconds: Its length; above 0.
    """

    seconds: float

    def place(self, at: float) -> str:
        """Where a moment is; at: seconds from the axis' beginning."""
        return f"{self._percent(at):.3f}"

    def left(self, start: float, end: float) -> str:
        """Where a bar begins; one of a moment at the end of the axis lies before it."""
        return f"{min(self._percent(start), 100 - float(self.width(start, end))):.3f}"

    def width(self, start: float, end: float) -> str:
        """How wide a bar is."""
        return f"{max(LEAST_WIDTH, self._percent(end) - self._percent(start)):.3f}"

    def holds(self, text: str, start: float, end: float) -> bool:
        """Whether a bar is wide enough for a text in it."""
        needed = PERCENT_OF_A_LETTER * len(text) + PERCENT_OF_EDGES
        return self._percent(end) - self._percent(start) >= needed

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """The times on it, from 0 on."""
        longest = max(math.ceil(self.seconds / MOST_TICKS), STEPS[0])
        days = STEPS[-1] * math.ceil(longest / STEPS[-1])
        step = next((each for each in STEPS if each >= longest), days)
        times = takewhile(lambda each: each <= self.seconds, count(0, step))
        return tuple(Tick(self.place(each), offset(each)) for each in times)

    def _percent(self, at: float) -> float:
        return 100 * at / self.seconds
