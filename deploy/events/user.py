"""Events of what the user adds to a run: hooks that ran, pauses for a decision. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HoldBegan:
    """It waits for a person to decide.

    Attributes:
        batch: The number of the batch after which it waits.
        seconds: How long at most, before it goes on by itself; 0 for without an end.
        go_on: What to type to let it go on.
        end: What to type to end it.
    """

    batch: int
    seconds: float
    go_on: str
    end: str


@dataclass(frozen=True)
class HoldEnded:
    """It waits no more.

    Attributes:
        decision: `promote` or `abort`; empty where the time was over, or the operator wants an end.
        by: Who decided, and when.
    """

    decision: str = ""
    by: str = ""


@dataclass(frozen=True)
class HookBegan:
    """A hook of the user's starts, on the workstation.

    Attributes:
        hook: Its file's name, which is the moment at which it runs.
        host: That it is about, by name; empty for all.
        seconds: Its time limit.
    """

    hook: str
    host: str
    seconds: float


@dataclass(frozen=True)
class HookEnded:
    """A hook of the user's ended, on the workstation.

    Attributes:
        hook: Its file's name, which is the moment at which it runs.
        host: That it is about, by name; empty for all.
        seconds: Of wall time.
        error: What it failed with; empty where it ended with status 0.
        output: Its last lines.
    """

    hook: str
    host: str
    seconds: float
    error: str = ""
    output: tuple[str, ...] = ()
