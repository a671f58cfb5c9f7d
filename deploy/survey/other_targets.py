"""Targets of our hosts that the settings do not name: they bring requests that no drain stops.

A host that is taken out of the app's own groups gets requests all the same where it is a target of
another group too, or where a proxy on it, which is such a target, passes them on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy import values
from deploy.errors import DeployError
from deploy.hosts.scripts import read
from deploy.hosts.ssh.remote import MOST_AT_ONCE
from deploy.survey.app_on_host import target_of
from deploy.survey.reader import Reader
from deploy.survey.unit_state import listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.aws.inventory import Host
    from deploy.aws.other_groups import OtherGroup
    from deploy.aws.targets import Target
    from deploy.errors import CommandResult
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.app import App
    from deploy.survey.facts import Survey

PATIENCE_SECONDS = 15.0


@dataclass(frozen=True)
class OtherTarget:
    """A host as a target that the settings do not name.

    Attributes:
        host: The host.
        group: The group's name.
        target: The target.
        app: The app whose group it is, or whose port the target has; empty for neither.
        ports: The ports of the apps, which a proxy would connect to.
        is_own_group: Whether it is the app's own group, which has another port of the host, or
            another address.
        proxy: The process that listens there and has connections to one of these ports, or may
            have had some, or why that is not known; empty where no such process was seen.
        is_unwatched: Whether the host cannot show connections that have ended.
    """

    host: Host
    group: str
    target: Target
    app: str
    ports: tuple[int, ...]
    is_own_group: bool = False
    proxy: str = ""
    is_unwatched: bool = False

    @property
    def problem(self) -> str:
        """Why the host cannot be deployed to; empty where nothing speaks against it."""
        where = f"{self.host}: {self.target} is a target of {self.group}"
        remedy = "or accept that its requests may fail with `other_groups: ignore`"
        if self.is_own_group:
            other = f"the port is none of {self.app}'s ({_listed(self.ports)})"
            if self.target.port in self.ports:
                other = "the host's own target there has another address"
            return (
                f"{where}, and {other}: requests that it gets are not drained; deregister it, "
                f"{remedy}"
            )
        if self.app:
            return (
                f"{where}, which `target_groups:` of {self.app} does not name: it would get "
                f"requests from there while it is stopped; name the group, deregister it, {remedy}"
            )
        if self.proxy:
            return (
                f"{where}, and {self.proxy}: requests would come by that way while the app is "
                f"stopped; name the group and the port as the app's `target_port:`, {remedy}"
            )
        return ""


def notes(found: Iterable[OtherTarget]) -> tuple[str, ...]:
    """What to say of those that are no problem, in one line for each group and port. Pure."""
    hosts: dict[tuple[str, int, tuple[int, ...], bool], list[str]] = {}
    for each in found:
        if not each.problem:
            key = each.group, each.target.port, each.ports, each.is_unwatched
            hosts.setdefault(key, []).append(each.host.name)
    blind = " (`ss -E` does not work there: connections for a request each were not seen)"
    return tuple(
        f"{', '.join(names)}: also in target group {group}, with port {port}; nothing that listens "
        f"there was seen to connect to {_listed(ports)}{blind if is_unwatched else ''}"
        for (group, port, ports, is_unwatched), names in hosts.items()
    )


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(f":{port}" for port in ports)


def find(
    survey: Survey, apps: Iterable[App], others: Iterable[OtherGroup]
) -> tuple[OtherTarget, ...]:
    """The hosts as targets of other groups, and as targets of their own on other ports. Pure."""
    due, known = tuple(apps), tuple(others)
    ports = tuple(port for app in due for port in app.ports)
    return tuple(
        found
        for facts in survey.hosts
        for found in (*_of_own(facts.host, survey, due), *_of_others(facts.host, due, known, ports))
    )


def _of_own(host: Host, survey: Survey, apps: tuple[App, ...]) -> Iterator[OtherTarget]:
    for app in apps:
        for group in survey.groups[app.name]:
            own = {target_of(group, host, slot) for slot in app.slots}
            for target, health in survey.health[group.arn].items():
                is_foreign = target.id in host.reached_by and target not in own
                if is_foreign and health.may_receive:
                    yield OtherTarget(
                        host, group.name, target, app.name, app.entry_ports, is_own_group=True
                    )


def _of_others(
    host: Host, apps: tuple[App, ...], others: tuple[OtherGroup, ...], ports: tuple[int, ...]
) -> Iterator[OtherTarget]:
    owner = {port: app.name for app in apps for port in (*app.ports, *app.entry_ports)}
    for group in others:
        for target in sorted(group.targets):
            if target.id in host.reached_by:
                yield OtherTarget(host, group.name, target, owner.get(target.port, ""), ports)


def seen(found: Iterable[OtherTarget], remotes: Mapping[str, Remote]) -> tuple[OtherTarget, ...]:
    """The same, with the proxies that hosts have; each host is asked where that decides."""
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        return tuple(pool.map(lambda each: _asked(each, remotes), found))


def _asked(found: OtherTarget, remotes: Mapping[str, Remote]) -> OtherTarget:
    if found.problem:
        return found
    script = read.find_proxy(found.target.port, found.ports).read_by(_proxy)
    try:
        proxy, is_unwatched = remotes[found.host.name].ask(script, PATIENCE_SECONDS)
        return replace(found, proxy=proxy, is_unwatched=is_unwatched)
    except DeployError as error:
        return replace(found, proxy=f"whether a proxy listens there is not known ({error})")


def _proxy(result: CommandResult) -> tuple[str, bool]:
    """The listener that is a client too, in words, or empty; whether short ones were not seen.

    What has ended shows no process. It may be the listener's where no connection of it was seen:
    a proxy opens one for each request where it keeps none.
    """
    reader = Reader(result.facts)
    listeners = reader.every("port.listener", listener)
    clients = set(reader.every("client", values.pid))
    is_unwatched = bool(reader.text("unwatched"))
    if "port.listener" in reader.unknown:
        return "who listens there cannot be read", is_unwatched
    proxy = next((each for each in listeners if each.pid in clients), None)
    if proxy:
        return f"{proxy} listens there and has connections to the app", is_unwatched
    if listeners and reader.first("ended", values.number):
        text = f"{listeners[0]} listens there, and connections from the host to the app, which"
        return f"{text} last only for a request, may be its own", is_unwatched
    return "", is_unwatched
