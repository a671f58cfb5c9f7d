"""Ask the hosts which unit serves now, on the port that the first release will have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.checkup import machines
from deploy.starter import previous_unit
from deploy.starter.previous_unit import PreviousUnit
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.settings.environment import Environment


def look(
    environment: Environment, app: App, hosts: Iterable[Host]
) -> tuple[PreviousUnit, dict[str, str]]:
    """The unit that listens on the app's port on every host that was read, and what it sets.

    And by name why hosts could not be read.
    """
    # Who the release will run as is decided by what is found here, so no user is judged yet.
    app = app.model_copy(update={"user": app.service_user})
    with machines.connected(environment, hosts) as (remotes, refused):
        facts, unread = gather.read_hosts(_with(environment, app), remotes)
        name = previous_unit.unit_of(app, facts)
        if name:
            app = app.model_copy(update={"replaces": name})
            again, _ = gather.read_hosts(_with(environment, app), remotes)
            facts = again or facts
    settings = [host.slots[app.name].previous_settings for host in facts]
    return (previous_unit.read(name, settings) if name else PreviousUnit()), refused | unread


def _with(environment: Environment, app: App) -> Environment:
    return environment.model_copy(update={"apps": (app,)})
