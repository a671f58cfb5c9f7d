"""Estimates the time left of a run: its plan's waits, corrected by the times so far. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from deploy.steps.base import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.events.planned import PlannedStep

REMEMBERED = 16
"""How many of the last durations of a step count: a fleet's later hosts may be slower."""
COMMAND_SECONDS = 0.3
"""What a step takes at least, one command on a host, before any was seen."""
IN_TURN = frozenset(phase.value for phase in Phase if phase.is_in_turn)


@dataclass
class Pace:
    """What a run's steps really took, by app and type.

    Attributes:
        earlier: What such steps took in an earlier run, in seconds by type, by app.
    """

    earlier: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    _seen: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def note(self, app: str, kind: str, seconds: float) -> None:
        """A step of the plan did what it says, in so many seconds."""
        self._seen.setdefault((app, kind), deque(maxlen=REMEMBERED)).append(seconds)

    def seen(self, step: PlannedStep) -> float | None:
        """What such steps took on average, in this run or an earlier one; None if in neither."""
        found = self._seen.get((step.app, step.kind))
        return fmean(found) if found else self.earlier.get(step.app, {}).get(step.kind)

    def expected(self, step: PlannedStep) -> float:
        """What a step will take: as earlier ones did, or else as long as the settings wait."""
        seen = self.seen(step)
        return step.seconds + COMMAND_SECONDS if seen is None else seen

    def total(self, steps: Iterable[PlannedStep]) -> float:
        """What one host's steps will take.

        The waits of a host's apps overlap. What was seen has that in it already: the second app's
        drain ends as soon as it begins.
        """
        known, guessed = 0.0, dict[str, list[float]]()
        for step in steps:
            seen = self.seen(step)
            if seen is None:
                guessed.setdefault(step.phase, []).append(self.expected(step))
            else:
                known += seen
        waits = (sum(own) if phase in IN_TURN else max(own) for phase, own in guessed.items())
        return known + sum(waits)


@dataclass
class Part:
    """What is left of one host's steps of one list: its staging, its turn in a batch, or after it.

    Attributes:
        host: By name.
        left: The steps that have not ended, in order.
        since: When the first of them began, unix seconds; None where it has not.
        has_begun: Whether any step of it has.
    """

    host: str
    left: tuple[PlannedStep, ...]
    since: float | None = None
    has_begun: bool = False

    def seconds(self, pace: Pace, now: float) -> float:
        """How long it still takes."""
        whole = pace.total(self.left)
        if self.since is None or not self.left:
            return whole
        return whole - min(max(0.0, now - self.since), pace.expected(self.left[0]), whole)


@dataclass
class Turn:
    """What is left of a batch.

    Attributes:
        parts: Of its hosts.
        after: What they do while the next batch begins.
        at_a_time: How many hosts work at once; 0 for all of them.
    """

    parts: list[Part]
    after: list[Part]
    at_a_time: int = 0


def seconds(
    staging: Sequence[Part], turns: Sequence[Turn], pace: Pace, now: float, *, begun: bool = False
) -> float:
    """How long a run still takes.

    Args:
        staging: What is left before any batch, on all hosts at once.
        turns: What is left of the batches, one after the other.
        pace: What the run's steps took so far.
        now: Unix seconds.
        begun: Whether only those hosts go on that have begun.
    """

    def due(parts: Iterable[Part]) -> list[Part]:
        return [each for each in parts if each.left and (each.has_begun or not begun)]

    at = end = max((part.seconds(pace, now) for part in due(staging)), default=0.0)
    for turn in turns:
        ends = _ends(due(turn.parts), turn.at_a_time, at, pace, now)
        at = max(ends.values(), default=at)
        tails = (
            (0.0 if part.has_begun else ends.get(part.host, at)) + part.seconds(pace, now)
            for part in due(turn.after)
        )
        end = max(at, end, *tails)
    return end


def _ends(
    parts: Sequence[Part], at_a_time: int, start: float, pace: Pace, now: float
) -> dict[str, float]:
    """When each host's part ends, by host; a host begins as soon as one before it has ended."""
    free = [start] * min(at_a_time or len(parts), len(parts))
    ends: dict[str, float] = {}
    for part in sorted(parts, key=lambda each: not each.has_begun):
        begins = heapq.heappop(free)
        ends[part.host] = begins + part.seconds(pace, now)
        heapq.heappush(free, ends[part.host])
    return ends
