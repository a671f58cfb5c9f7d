"""Converts seconds to positions on the time axis, in percent. Pure."""

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
NARROW = 2.5
"""How much more of the axis a text takes on a phone."""
TIP_PIXELS = 340
"""How wide the box is that says what the bar is that has the keyboard's focus."""


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

    def holds(self, text: str, start: float, end: float, *, is_narrow: bool = False) -> bool:
        """Whether a bar is wide enough for a text in it; is_narrow: on a phone too."""
        needed = (PERCENT_OF_A_LETTER * len(text) + PERCENT_OF_EDGES) * (NARROW if is_narrow else 1)
        return self._percent(end) - self._percent(start) >= needed

    @property
    def tip_width(self) -> int:
        """In pixels."""
        return TIP_PIXELS

    def tip_left(self, start: float) -> int:
        """Where the box of a bar begins, in pixels from the bar's own beginning.

        To the right of an early bar, to the left of a late one: so none leaves the page.
        """
        thirds = min(2, int(self._percent(start) * 3 / 100))
        return -thirds * TIP_PIXELS // 2

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
