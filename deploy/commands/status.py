"""The command that shows what runs where: settings → survey → overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.screen import tables
from deploy.screen.console import Screen
from deploy.screen.status import overview
from deploy.session import session
from deploy.session.arguments import read_settings

if TYPE_CHECKING:
    from deploy.run.report import ExitCode
    from deploy.session.arguments import Asked


def status(asked: Asked) -> ExitCode:
    """Show what runs where; the exit code says how well."""
    screen = Screen()
    loaded = read_settings(asked, screen)
    with session.Session(loaded, scope=asked.scope("status"), is_partial=True) as opened:
        seen = opened.survey()
        fleet = overview(loaded, seen, opened.scope)
    if asked.json:
        screen.say(fleet.as_json())
    else:
        screen.show(tables.render_overview(fleet))
    return fleet.exit_code
