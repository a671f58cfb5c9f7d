"""The event at the start of a host's recovery: the cause, and what is done. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.events.planned import PlannedStep  # noqa: TC001 - its type is read from the annotation


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
        command: What the host ran; empty where that is not what failed.
        planned: The same steps, with how long the settings have each wait.
    """

    host: str
    step: str
    error: str
    exit_code: int | None = None
    journal: tuple[str, ...] = ()
    health: str = ""
    steps: tuple[str, ...] = ()
    goal: str = ""
    command: str = ""
    planned: tuple[PlannedStep, ...] = ()
