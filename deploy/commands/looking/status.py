"""`inv status`: settings → survey → rows, of one environment or of all in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.commands.looking import looks
from deploy.errors import DeployError
from deploy.foreign_text import json_text
from deploy.run.report import ExitCode
from deploy.screen import status_table
from deploy.screen.console import Screen
from deploy.screen.status import overview, worst
from deploy.session import session
from deploy.session.arguments import read_settings

if TYPE_CHECKING:
    from deploy.screen.status import Overview
    from deploy.session.arguments import CommandOptions
    from deploy.settings.environment import Environment


def status(asked: CommandOptions) -> ExitCode:
    """Show the environment that is named, or all of them one after the other.

    Returns the exit code of the worst.

    Raises:
        BadInput: The settings or the account do not allow a look at the one that is named.
    """
    screen = Screen()
    if not asked.environment:
        return _all(asked, screen)
    fleet = _look(read_settings(asked, screen), asked)
    if asked.json:
        screen.say(fleet.as_json())
    else:
        screen.show(status_table.render_overview(fleet))
    return fleet.exit_code


def _all(asked: CommandOptions, screen: Screen) -> ExitCode:
    """One environment after the other; one that cannot be looked at hides no other."""
    bodies: list[dict[str, object]] = []
    codes: list[ExitCode] = []
    for name, loaded in looks.settings_of_each(asked, screen).items():
        try:
            if isinstance(loaded, DeployError):
                raise loaded
            fleet = _look(loaded, asked)
        except DeployError as error:
            code = ExitCode.BAD_INPUT
            screen.complain(looks.unseen(name, error))
            bodies.append({"environment": name, "exit_code": int(code), "error": str(error)})
        else:
            code = fleet.exit_code
            bodies.append(fleet.body())
            if not asked.json:
                screen.show(status_table.render_overview(fleet))
                screen.say("")
        codes.append(code)
    if asked.json:
        screen.say(json_text({"exit_code": int(worst(codes)), "environments": bodies}))
    return worst(codes)


def _look(loaded: Environment, asked: CommandOptions) -> Overview:
    """Look at an environment once; machines that are no hosts are shown, and end nothing."""
    scope = looks.scope_of(loaded, asked)
    with session.Session(loaded, scope=scope, is_partial=True) as opened:
        seen = opened.survey(for_plan=False)
        held = looks.holders(opened, seen)
    return overview(loaded, seen, scope, holders=held, at=looks.now())
