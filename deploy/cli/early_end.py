"""What a command prints that ends before its report: an error, a defect, Ctrl-C.

Cheap to import: every start does so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploy.cli.invoke_patch import USAGE_ERROR
from deploy.run.report import ExitCode
from deploy.screen import streams
from deploy.screen.ci import dialects

if TYPE_CHECKING:
    from deploy.errors import DeployError
    from deploy.settings.scope import Scope


def effect(scope: Scope) -> str:
    """Return what the command changed: nothing; for `lock.break`, how to find out."""
    if scope.verb == "lock.break":
        return f"`{scope.command('lock.status')}` shows whether the lock is gone."
    return "Nothing was changed."


def refusal(error: DeployError, scope: Scope) -> tuple[str, int]:
    """Return the message and the exit code for an error of ours.

    An error that means a failed step in a rollout, such as one of the AWS API, changed nothing
    before it.
    """
    if error.exit_code != ExitCode.FAILED:
        return str(error), error.exit_code
    return f"{error}\n{effect(scope)}", USAGE_ERROR


def defect(error: Exception, scope: Scope) -> str:
    """Return the message for an unexpected error."""
    return (
        f"a defect in Changeover: {type(error).__name__}: {error}\n{effect(scope)} Run "
        f"{scope.program} {scope.verb} with CHANGEOVER_DEBUG=1 for the traceback, and report it."
    )


def interruption(scope: Scope) -> str:
    """Return the message for Ctrl-C."""
    return f"Interrupted. {effect(scope)}"


def annotate(scope: Scope, message: str, code: int, *, is_json: bool) -> None:
    """Report an early end beside the log too, where a CI system runs this.

    is_json: whether scripts read standard output, where nothing else may be.
    """
    title = f"{scope.verb} {scope.environment}".rstrip()
    if not is_json and (
        command := dialects.of(os.environ).error(f"{title}: exit code {code}", message)
    ):
        streams.guard()[0].command(command)
