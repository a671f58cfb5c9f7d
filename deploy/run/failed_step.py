"""Collects the evidence of a failed step: its error, its unit's journal, its target's health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, DeployError, LockLost, TakenOut, Unfit
from deploy.foreign_text import visible
from deploy.run.report import Failure
from deploy.steps import verify
from deploy.steps.answers import ProvePrevious, ProveRevived
from deploy.steps.base import Phase
from deploy.steps.fleet import Stopped
from deploy.steps.unit import ReviveUnit

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet

JOURNAL_LINES, FIRST_LINES = 40, 20
"""The last lines, and the first ones: what says why may stand above a long stack trace."""


def journal(fleet: Fleet, step: Step) -> tuple[str, ...]:
    """Return lines of a failed step's unit: the last ones, or of this run's start the first too.

    None where the step is not about what the unit does, and if the host does not answer.

    That is the previous unit where that was started again or proven.
    """
    if step.phase is Phase.DRAIN:
        return ()
    unit = step.app.unit_name
    if isinstance(step, ReviveUnit | ProveRevived | ProvePrevious):
        unit = step.unit_name
    script = verify.journal(fleet, step.host, unit, JOURNAL_LINES, FIRST_LINES)
    try:
        return tuple(map(visible, fleet.remote(step.host).ask(script)))
    except DeployError:
        return ()


def failure(step: Step, error: DeployError, health: str, journal_lines: tuple[str, ...]) -> Failure:
    """Return the report's entry for a step that failed, before anything was undone.

    health: the target's state and reason; empty if unknown.
    """
    failed = error.result if isinstance(error, CommandFailed) else None
    return Failure(
        host=step.host,
        step=str(step),
        error=str(error),
        command=failed.command if failed else "",
        exit_code=failed.exit_code if failed else None,
        journal=journal_lines,
        health=health,
        refused=isinstance(error, Unfit),
        is_of_release=step.phase is Phase.SMOKE,
    )


@dataclass(frozen=True)
class Recovered:
    """A recovery that was carried out.

    lines: its steps, and how they failed; serves: whether every app of the host is in again;
    leaves: whether a slot beside the one that serves could not be ended.
    """

    lines: tuple[str, ...]
    serves: bool
    leaves: bool


def is_gone(fleet: Fleet, step: Step, error: DeployError) -> bool:
    """Whether a step failed because its host's instance ends or has ended, and never comes back.

    An instance that its Auto Scaling group ends answers until its target's drain is over, and a
    lifecycle hook may stop its services: so an answer of the host proves nothing. Not asked where
    the operator wants an end, or another deploy took over.
    """
    return not isinstance(error, (LockLost, Stopped)) and has_ended(fleet, step.host)


def has_ended(fleet: Fleet, host: Host) -> bool:
    """Whether AWS says that a host's instance never comes back; where it cannot say, it may."""
    try:
        state = fleet.ended(host)
    except DeployError:
        return False
    if state:
        fleet.tell(host.name, f"its instance is {state}: the rest of its plan is dropped")
    return bool(state)


def may_be_to_blame(step: Step, error: DeployError) -> bool:
    """Whether a release had been started when a step failed: it may have ended the instance.

    One whose target was taken out while it was well has not.
    """
    return not isinstance(error, TakenOut) and step.phase in {
        Phase.PROVE,
        Phase.CHECK,
        Phase.SOAK,
        Phase.SMOKE,
        Phase.RECORD,
    }
