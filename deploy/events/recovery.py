"""The event at the start of a host's recovery: the cause, and what is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecoveryBegan:
    """A step failed on a host, and what follows from it begins; HostFailed says how that ended.

    Attributes:
        host: By name.
        step: Which one failed.
        error: In words.
        exit_code: Of the command that failed; None where none did.
        journal: The last lines of the unit's journal, of this start alone.
        health: The state of its target when the step failed, and the reason.
        steps: What is done now, in order.
        goal: What that leads to, in words.
    """

    host: str
    step: str
    error: str
    exit_code: int | None = None
    journal: tuple[str, ...] = ()
    health: str = ""
    steps: tuple[str, ...] = ()
    goal: str = ""
