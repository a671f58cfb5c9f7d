"""What an observation of an account shows at its end, and the file that it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import path_checks
from deploy.durations import planned
from deploy.errors import BadInput, as_deploy_error
from deploy.observe import findings
from deploy.observe import trace as trace_of
from deploy.screen import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.commands.rollout import Rollout
    from deploy.steps.observation import Observation


def refuse_file(file: Path) -> None:
    """Raise BadInput where a trace cannot be written, or would replace something else."""
    # A pipe has no end.
    if path_checks.exists(file) and not (path_checks.is_file(file) and trace_of.is_one(file)):
        raise BadInput(f"--trace {file}: is there, and is no trace; give another name")
    if not path_checks.is_folder(file.parent):
        raise BadInput(f"--trace {file}: there is no folder {file.parent}; make it first")


def show(rollout: Rollout, seen: Sequence[Observation], file: Path) -> None:
    """Show the measurements, the suggestions, and the file that they are written to.

    Raises nothing: the report must come, whatever goes wrong here.
    """
    try:
        _show(rollout, seen, file)
    except Exception as error:  # noqa: BLE001 - see above
        said = as_deploy_error(error, "showing what was measured")
        rollout.screen.complain(str(said))


def _show(rollout: Rollout, seen: Sequence[Observation], file: Path) -> None:
    opened, (app, *_) = rollout.opened, rollout.opened.environment.asked_apps
    groups = opened.groups[app.name]
    found = [*findings.suggestions(opened.environment, groups, seen)]
    count = len(opened.everyone)
    seconds = findings.deploy_seconds(opened.environment, count, groups, seen)
    found.append(
        f"A deploy to all {count} hosts waits about {planned(seconds)}; uploads and the app's own "
        "start come on top."
    )
    try:
        file.write_text(trace_of.as_json(groups, seen), encoding="utf-8")
        found.append(f"The figures, without any name: {file}")
    except OSError as error:
        found.append(f"{file} could not be written: {error.strerror}")
    rollout.screen.show(tables.render_observations(seen, found))
