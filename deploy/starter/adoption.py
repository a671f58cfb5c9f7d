"""Ask the hosts which unit serves now, on the port that the first release will have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.checkup import machines
from deploy.starter import front as fronts
from deploy.starter import previous_unit
from deploy.starter.front import Front
from deploy.starter.previous_unit import PreviousUnit
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.settings.environment import Environment


@dataclass(frozen=True)
class Serving:
    """The unit that serves on the hosts now.

    Attributes:
        previous: The unit, and what it sets.
        front: The program in front of it on each host; None where the service has the port itself.
        unread: By host's name, why hosts could not be read.
    """

    previous: PreviousUnit = PreviousUnit()  # noqa: RUF009  # frozen
    front: Front | None = None
    unread: Mapping[str, str] = field(default_factory=dict)


def look(environment: Environment, app: App, hosts: Iterable[Host]) -> Serving:
    """Ask which unit listens on the app's port on every host that can be read, and what it sets.

    Where that is a proxy's, the unit behind it is asked for.
    """
    # Who the release will run as is decided by what is found here, so no user is judged yet.
    app = app.model_copy(update={"user": app.service_user})
    with machines.connected(environment, hosts) as (remotes, refused):
        facts, unread = gather.read_hosts(_with(environment, app), remotes)
        front, (port,) = None, app.ports
        if program := fronts.program_of(app, facts):
            front = Front(program, fronts.port_behind(port, remotes))
        if front and front.port:
            app = app.model_copy(update={"ports": (front.port,), "target_port": port})
            facts, unread = gather.read_hosts(_with(environment, app), remotes)
        is_own = front is None or bool(front.port)
        name = previous_unit.unit_of(app, facts) if is_own else ""
        if name:
            app = app.model_copy(update={"replaces": name})
            again, _ = gather.read_hosts(_with(environment, app), remotes)
            facts = again or facts
    settings = [host.slots[app.name].previous_settings for host in facts]
    previous = previous_unit.read(name, settings) if name else PreviousUnit()
    return Serving(previous, front, refused | unread)


def _with(environment: Environment, app: App) -> Environment:
    return environment.model_copy(update={"apps": (app,)})
