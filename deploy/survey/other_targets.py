"""Targets of our hosts that the settings do not name: they bring requests that no drain stops.

A host that is taken out of the app's own groups gets requests all the same where it is a target of
another group too, or where a proxy on it, which is such a target, passes them on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy import values
from deploy.aws.targets import GONE, State
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.scripts import read
from deploy.survey.app_on_host import target_of
from deploy.survey.reader import Reader
from deploy.survey.unit_state import listener

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from deploy.aws.inventory import Host
    from deploy.aws.other_groups import OtherGroup
    from deploy.aws.targets import Target
    from deploy.command_result import CommandResult
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
        app_ports: The ports that the app itself listens on, in its own group.
        missing: The app's own target, where that group does not find it healthy: this one may be
            the only way by which requests reach the app here. None where it does, and for other
            groups.
        is_accepted: Whether the settings accept such a target, beside one that serves.
        proxy: The process that listens there and has connections to one of these ports, or may
            have had some, or why that is not known; empty where no such process was seen.
        is_unwatched: Whether the host cannot show connections that have ended.
        forwarded: The port of an app that the host's kernel sends its requests to; 0 for none.
    """

    host: Host
    group: str
    target: Target
    app: str
    ports: tuple[int, ...]
    is_own_group: bool = False
    app_ports: tuple[int, ...] = ()
    missing: Target | None = None
    is_accepted: bool = False
    proxy: str = ""
    is_unwatched: bool = False
    forwarded: int = 0

    @property
    def problem(self) -> str:
        """Why the host cannot be deployed to; empty where nothing speaks against it."""
        where = f"{self.host}: {self.target} is a target of {self.group}"
        remedy = "or accept that its requests may fail with `other_groups: ignore`"
        if self.is_accepted and not self.missing:
            return ""
        if self.is_own_group:
            remedy = (
                f"or accept that its requests may fail with `other_ports: [{self.target.port}]`"
            )
            return f"{where}, and {self._as_own(remedy)}"
        if self.app:
            return (
                f"{where}, which `target_groups:` of {self.app} does not name: it would get "
                f"requests from there while it is stopped; name the group, deregister it, {remedy}"
            )
        if self.forwarded:
            return (
                f"{where}, and {self.proxy}: they would go on while the app is stopped; register "
                f"the app's own port with {self.group}, deregister this one, {remedy}"
            )
        if self.proxy:
            return (
                f"{where}, and {self.proxy}: requests would come by that way while the app is "
                f"stopped; name the group and the port as the app's `target_port:`, {remedy}"
            )
        return ""

    def _as_own(self, remedy: str) -> str:
        """What is wrong with a target of the own group, and what would be right.

        The only target of the app here is never to be deregistered: nothing would serve then.
        """
        port, ports = self.target.port, _listed(self.ports)
        if port in self.ports:
            why = "the host's own target there has another address"
        else:
            why = self.proxy or f"the port is none of {self.app}'s ({ports})"
        if not self.missing:
            return f"{why}: requests that it gets are not drained; deregister it, {remedy}"
        first = f"have {self.missing} registered and healthy before you deregister it"
        if port in self.ports:
            return f"{why} and serves alone: {first}"
        if port in self.app_ports:
            return f"{why}, but its own: leave out `target_port:` of {self.app}, or {first}"
        if self.forwarded:  # no such rule is for what the host itself asks
            return f"{why}: {first}"
        setting = f"set `target_port: {port}` for {self.app}"
        if self.proxy:
            return f"{why}: {setting}"
        return f"{why}: {setting} if a proxy there passes requests on to the app, or else {first}"


def notes(found: Iterable[OtherTarget]) -> tuple[str, ...]:
    """What to say of those that are no problem, in one line for each group and port. Pure."""
    hosts: dict[tuple[str, int, str], list[str]] = {}
    for each in found:
        if not each.problem:
            reason = f"nothing that listens there was seen to connect to {_listed(each.ports)}"
            if each.is_unwatched:
                reason += " (`ss -E` does not work there: short connections were not seen)"
            if each.is_accepted:
                reason = "that is not drained, and `other_ports:` accepts it"
            names = hosts.setdefault((each.group, each.target.port, reason), [])
            names += [each.host.name] if each.host.name not in names else []
    return tuple(
        f"{', '.join(names)}: also in target group {group}, with port {port}; {reason}"
        for (group, port, reason), names in hosts.items()
    )


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(f":{port}" for port in ports)


def find(
    survey: Survey,
    apps: Iterable[App],
    others: Iterable[OtherGroup],
    accepted: Collection[int] = (),
) -> tuple[OtherTarget, ...]:
    """The hosts as targets of other groups, and as targets of their own on other ports. Pure.

    accepted: the ports with which they may be targets of their own groups.
    """
    due, known = tuple(apps), tuple(others)
    ports = tuple(port for app in due for port in app.ports)
    return tuple(
        found
        for facts in survey.hosts
        for found in (
            *_of_own(facts.host, survey, due, accepted),
            *_of_others(facts.host, due, known, ports),
        )
    )


def _of_own(
    host: Host, survey: Survey, apps: tuple[App, ...], accepted: Collection[int]
) -> Iterator[OtherTarget]:
    for app in apps:
        for group, target in survey.elsewhere(host, app):
            known = survey.health[group.arn]
            own = [target_of(group, host, slot) for slot in app.slots]
            serves = any(known.get(each, GONE).state is State.HEALTHY for each in own)
            yield OtherTarget(
                host,
                group.name,
                target,
                app.name,
                app.entry_ports,
                is_own_group=True,
                is_accepted=target.port in accepted,
                app_ports=app.ports,
                missing=None if serves else target_of(group, host, survey.facts_of(host).at(app)),
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
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        return tuple(pool.map(lambda each: _asked(each, remotes), found))


def _asked(found: OtherTarget, remotes: Mapping[str, Remote]) -> OtherTarget:
    own = found.is_own_group
    if found.is_accepted and not found.missing:
        return found
    if found.problem and (not own or found.target.port in (*found.ports, *found.app_ports)):
        return found
    script = read.find_proxy(found.target.port, found.ports).read_by(partial(_listening, found))
    try:
        return remotes[found.host.name].ask(script, PATIENCE_SECONDS)
    except DeployError as error:
        return _doubted(found, f"whether a proxy listens there is not known ({error})")


def _doubted(found: OtherTarget, why: str) -> OtherTarget:
    """In the own group a doubt decides nothing: the host is refused without it."""
    return found if found.is_own_group else replace(found, proxy=why)


def _listening(found: OtherTarget, result: CommandResult) -> OtherTarget:
    """The target, with what passes its requests on to the app.

    A rule of the kernel decides first, then whether the host can say who listens, then who does.
    Connections that last only for a request show no process, and may be the listener's.
    """
    reader = Reader(result.facts)
    listeners = reader.every("port.listener", listener)
    clients = set(reader.every("client", values.pid))
    ended = reader.first("ended", values.number)
    forwarded = reader.first("forwarded", values.number) or 0
    found = replace(found, is_unwatched=bool(reader.text("unwatched")), forwarded=forwarded)
    proxy = next((each for each in listeners if each.pid in clients), None)
    if forwarded:
        text = f"a rule of its kernel (iptables, nftables) sends its requests to :{forwarded}"
    elif "port.listener" in reader.unknown:
        return _doubted(found, "who listens there cannot be read")
    elif proxy:
        text = f"{proxy} listens there and has connections to the app"
    elif listeners and ended:
        text = f"{listeners[0]} listens there, and connections from the host to the app, which"
        text += " last only for a request, may be its own"
    else:
        return found
    return replace(found, proxy=text)
