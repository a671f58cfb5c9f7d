"""Merges the lines of many hosts by their times. Pure."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from deploy.hosts.logbook.journal_line import JournalLine

HOLD_SECONDS = 0.5
"""How long a line waits for earlier ones of hosts that are slower to pass theirs on."""


class _Placed(NamedTuple):
    """A line with its place: of one host's lines, none comes before the one that it followed."""

    at: int
    number: int
    line: JournalLine
    arrived: float = 0.0


@dataclass
class Newest:
    """The last lines of all hosts together; `add` is called from every host's thread.

    Attributes:
        most: How many of them stay.
    """

    most: int
    _heap: list[_Placed] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, line: JournalLine) -> None:
        """Take a line; the oldest falls where there are too many."""
        with self._lock:
            self._number += 1
            heapq.heappush(self._heap, _Placed(line.at, self._number, line))
            if len(self._heap) > self.most:
                heapq.heappop(self._heap)

    def in_order(self) -> list[JournalLine]:
        """Those that stayed, the oldest first."""
        with self._lock:
            return [placed.line for placed in sorted(self._heap)]


@dataclass
class Merge:
    """Lines that come from many hosts at once, each held for a moment."""

    hold_seconds: float = HOLD_SECONDS
    _heap: list[_Placed] = field(default_factory=list)
    _last: dict[str, int] = field(default_factory=dict)
    _number: int = 0

    def add(self, line: JournalLine, now: float) -> None:
        """Take a line that arrived; now: in seconds, by a clock that only grows."""
        at = max(line.at, self._last.get(line.host, 0))  # a host's clock may be set back
        self._last[line.host] = at
        self._number += 1
        heapq.heappush(self._heap, _Placed(at, self._number, line, now))

    def due(self, now: float) -> list[JournalLine]:
        """Those that were held for long enough, the oldest first."""
        found: list[JournalLine] = []
        while self._heap and self._heap[0].arrived + self.hold_seconds <= now:
            found.append(heapq.heappop(self._heap).line)
        return found
