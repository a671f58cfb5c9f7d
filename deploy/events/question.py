"""Events about a host that failed: the question, and what was decided. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QuestionAsked:
    """A host failed, and the person at the terminal is asked what to do; nothing more begins.

    Attributes:
        host: By name.
        step: Which one failed.
        error: In words.
        exit_code: Of the command that failed; None where none did.
        journal: The last lines of the unit's journal, of this start alone.
        health: The state of its target when the step failed, and the reason.
        outcome: How the host is now, after its recovery.
        in_service: How many targets serve, of how many, and the minimum; empty if not known.
        options: What can be answered.
        seconds: How long an answer is waited for.
        policy: What answers when that time is over.
        note: Why the answer before this question could not be followed; empty for none.
    """

    host: str
    step: str
    error: str
    exit_code: int | None = None
    journal: tuple[str, ...] = ()
    health: str = ""
    outcome: str = ""
    in_service: str = ""
    options: tuple[str, ...] = ()
    seconds: float = 0.0
    policy: str = ""
    note: str = ""


@dataclass(frozen=True)
class QuestionAnswered:
    """What is done about a host that failed was decided.

    Attributes:
        host: By name.
        answer: One of the options; empty where the run ends, so that none is needed.
        by: Who or what decided.
    """

    host: str
    answer: str
    by: str = ""
