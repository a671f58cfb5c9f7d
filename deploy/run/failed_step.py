"""What is known of a step that failed: its error, its unit's journal, its target's health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, DeployError, Unfit
from deploy.foreign_text import visible
from deploy.hosts.scripts import read
from deploy.run.report import Failure

if TYPE_CHECKING:
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet

JOURNAL_LINES = 8


def journal(fleet: Fleet, step: Step) -> tuple[str, ...]:
    """Return the last lines of a failed step's unit; none if the host does not answer."""
    script = read.journal(step.app.unit_name, JOURNAL_LINES)
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
    )
