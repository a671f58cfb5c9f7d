"""A run in time: a lane for each host, a bar for each of its steps. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from deploy.steps.base import Phase

WAITING = frozenset({Phase.DRAIN.value, Phase.CHECK.value, Phase.SOAK.value})
"""Phases that wait for requests, the load balancer or the time; all others are work."""
END_NOT_KNOWN = "end not known"
"""How a host's part ended of which a step had not ended at the last event."""


class End(enum.StrEnum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "not known"


class Look(enum.StrEnum):
    """How a moment of a run is drawn."""

    BATCH = "batch"
    PAUSE = "pause"
    FAILURE = "failure"
    TURN = "turn"
    HOOK = "hook"
    HOOK_FAILED = "hook-failed"

    @property
    def is_bad(self) -> bool:
        """Whether something failed."""
        return self in {Look.FAILURE, Look.HOOK_FAILED}


@dataclass(frozen=True)
class Bar:
    """A step in time.

    Attributes:
        app: By name.
        step: What it does, as the plan has it.
        phase: What it is part of.
        start: Seconds since the run began.
        end: The same; of a step whose end is not in the events, the last event.
        how: How it ended.
        is_recovery: Whether it is of a recovery, and not of the plan.
        health: The state of its target at its end, and the reason; empty where none is known.
        error: What it failed with.
        kind: What kind of step it is: `deregister_target`, `start_unit`, …
    """

    app: str
    step: str
    phase: str
    start: float
    end: float
    how: End = End.UNKNOWN
    is_recovery: bool = False
    health: str = ""
    error: str = ""
    kind: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start

    @property
    def is_waiting(self) -> bool:
        """Whether its time is spent waiting, and not at work."""
        return self.phase in WAITING

    @property
    def is_of_plan(self) -> bool:
        """Whether the plan wanted it, and it did what it says."""
        return self.how is End.DONE and not self.is_recovery


@dataclass(frozen=True)
class State:
    """What the load balancer showed of a host's target, as last read.

    Attributes:
        app: Whose target.
        health: The state, and the reason.
        start: Seconds since the run began, when it was first read.
        end: When another one was read, or the run ended.
    """

    app: str
    health: str
    start: float
    end: float


@dataclass(frozen=True)
class Lane:
    """One host's part of a run.

    Attributes:
        host: By name.
        batch: The plan's batch that it is in; 0 for none.
        bars: In order of their starts.
        states: Of its targets, by app and time.
        outcome: How it ended; empty where the events do not say.
        said: The last lines of its journal, and its remarks.
    """

    host: str
    batch: int = 0
    bars: tuple[Bar, ...] = ()
    states: tuple[State, ...] = ()
    outcome: str = ""
    said: tuple[str, ...] = ()

    @property
    def waited(self) -> float:
        """Seconds in steps that wait."""
        return sum(bar.seconds for bar in self.bars if bar.is_waiting)

    @property
    def worked(self) -> float:
        """Seconds in all other steps."""
        return sum(bar.seconds for bar in self.bars if not bar.is_waiting)

    @property
    def turn(self) -> tuple[float, float] | None:
        """When its batch's work on it began and ended; None where it was only staged."""
        own = [bar for bar in self.bars if bar.phase != Phase.STAGE.value]
        return (own[0].start, max(bar.end for bar in own)) if own else None

    @property
    def last_known(self) -> str:
        """How its part ended; of a run whose events stop before, how far it was."""
        if self.outcome:
            return self.outcome
        if any(bar.how is End.UNKNOWN for bar in self.bars):
            return END_NOT_KNOWN
        if self.turn:
            return "no outcome"
        return "only staged" if self.bars else "not begun"

    @property
    def apps(self) -> tuple[str, ...]:
        """The apps whose targets have a state, in order."""
        return tuple(dict.fromkeys(state.app for state in self.states))

    @property
    def last_states(self) -> tuple[State, ...]:
        """The state of each app's target that was read last."""
        return tuple({state.app: state for state in self.states}.values())


@dataclass(frozen=True)
class Mark:
    """A moment of the run.

    Attributes:
        at: Seconds since the run began.
        name: In a word or two: `batch 2`.
        text: What happened, in full.
        look: How it is drawn; a hook that ended well is listed alone.
        until: When a pause was over; None for a moment without a length.
        details: More about it, a line each.
    """

    at: float
    name: str
    text: str
    look: Look = Look.BATCH
    until: float | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """A run in time.

    Attributes:
        seconds: From its first event to its last; never 0.
        lanes: In order of batches, then of names.
        moments: In order of time.
        batches: How many of the plan's batches began.
    """

    seconds: float
    lanes: tuple[Lane, ...]
    moments: tuple[Mark, ...]
    batches: int = 0

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The moments that are drawn on the time axis."""
        return tuple(each for each in self.moments if each.look is not Look.HOOK)
