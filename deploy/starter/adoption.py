"""Which unit serves on the hosts now, on the port that the first release will have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.checkup import machines
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import HostFacts


def look(environment: Environment, app: App, hosts: Iterable[Host]) -> tuple[str, dict[str, str]]:
    """The unit that listens on the app's port on every host that was read; empty where none does.

    And by name why hosts could not be read.
    """
    with machines.connected(environment, hosts) as (remotes, refused):
        facts, unread = gather.read_hosts(environment, remotes)
    return unit_of(app, facts), refused | unread


def unit_of(app: App, facts: Iterable[HostFacts]) -> str:
    """The one unit that listens on the app's port everywhere; empty for none, and for several."""
    own = {slot.unit_name for slot in app.slots}
    found = [{each.unit_name for each in host.slots[app.name].listeners} for host in facts]
    names = set().union(*found)
    name = next(iter(names), "")
    is_everywhere = all(each == {name} for each in found)
    return name if is_everywhere and name not in own and values.unit_name(name) else ""
