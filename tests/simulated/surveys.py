"""What is seen of the world: units as systemd shows them, slots, and a survey of all hosts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import builders

from deploy.errors import DeployError, Unreachable
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.gather import settle
from deploy.survey.slot import Listener, Slot, UnitState
from deploy.survey.unit_state import parse_show
from simulated.builds import Build, Kind
from simulated.clock import CLOCK

if TYPE_CHECKING:
    from simulated.liars import Liar
    from simulated.places import Place
    from simulated.world import World

RESTARTED_AFTER_SECONDS = 1.0


def unit_state(world: World, place: Place) -> str:
    """What `systemctl show` prints of the slot's unit."""
    process = place.process if place.process and not place.process.is_legacy else None
    restarts = 0
    if process and world.kind(process.build) is Kind.RESTLESS:
        restarts = int((CLOCK.now - process.began) / RESTARTED_AFTER_SECONDS)
    active = "active" if process else "failed" if place.failed else "inactive"
    shown = {
        "LoadState": "loaded" if place.unit else "not-found",
        "ActiveState": active,
        "SubState": "running" if process else "dead",
        "UnitFileState": "enabled" if place.enabled else "disabled" if place.unit else "",
        "MainPID": str(process.pid if process else 0),
        "InvocationID": f"{hash(process.began) % 16**32:032x}" if process else "",
        "NRestarts": str(restarts),
        "Result": "success",
    }
    return "\n".join(f"{key}={value}" for key, value in shown.items())


def previous_state(place: Place) -> str:
    """What `systemctl show` prints of the unit that the app replaces."""
    process = place.process if place.process and place.process.is_legacy else None
    shown = {
        "LoadState": "loaded",
        "ActiveState": "active" if process else "inactive",
        "InvocationID": f"{hash(process.began) % 16**32:032x}" if process else "",
    }
    return "\n".join(f"{key}={value}" for key, value in shown.items())


def connections(place: Place) -> str:
    """What `ss` prints of the load balancer's one connection: a request waits, or none does."""
    is_busy = any(begin <= CLOCK.now < end for begin, end in place.flights)
    head = f"0 0 {place.host.address}:{place.app.port} 10.0.9.9:40000"
    sent, sent_ms = ("bytes_sent:100", 8) if is_busy else ("bytes_sent:200", 4)
    received = "bytes_received:100 segs_in:2"
    return f"{head} lastsnd:{sent_ms} lastrcv:{12 - sent_ms} {sent} {received}"


@cache
def stored_digest(release: str) -> str:
    """The digest of the manifest that lies on a host beside a release."""
    return builders.manifest_digest(release)


def slot(world: World, place: Place) -> Slot:
    """The place as a survey tells it."""
    process, text, home = place.process, place.unit, place.home
    ours = process.build if process else None
    legacy = UnitState(
        load="loaded",
        active="active" if (first := home.places[0].process) and first.is_legacy else "inactive",
        enabled="enabled" if home.legacy_enabled else "disabled",
    )
    return Slot(
        unit_state=parse_show(f"show.{line}" for line in unit_state(world, place).splitlines()),
        link=place.link,
        unit_sha256=hashlib.sha256(text.encode()).hexdigest() if text else "",
        unit_digest=Build.of(text).digest if text else "",
        running_release=ours.release if ours else "",
        running_unit_digest=ours.digest if ours else "",
        releases=tuple(home.releases),
        manifests={release: stored_digest(release) for release in home.releases},
        out=place.out,
        history=tuple(home.history),
        bad=frozenset(home.bad),
        kept=frozenset(
            name.removesuffix(f".{place.app.unit_name}")
            for name in home.kept
            if name.endswith(f".{place.app.unit_name}")
        ),
        partial=home.partial,
        group=place.app.settings.service_user,
        listeners=(Listener(process.pid, place.listener, "web"),) if process else (),
        replaces=legacy if home.legacy else UnitState(),
        previous_name=home.app.replaces or "",
    )


def unreachable(world: World) -> dict[str, str]:
    """The hosts that do not answer now, with the reason."""
    return {host: "no answer" for host, until in world.dark.items() if CLOCK.now < until}


def survey(world: World, liar: Liar | None = None) -> Survey:
    """All hosts and groups, now, as one host lies about itself; Unreachable where AWS is down."""
    dark = unreachable(world)
    if CLOCK.now < world.down:
        raise Unreachable("no answer")
    seen, facts = look(world), list[HostFacts]()
    for each in seen.hosts:
        if each.host.name in dark:
            continue
        try:
            facts.append(liar.facts(each, world.apps) if liar and liar.is_on(each.host) else each)
        except DeployError as error:
            dark[each.host.name] = str(error)
    asked, apps = tuple(each.host for each in seen.hosts), world.apps
    seen = replace(seen, hosts=tuple(facts), unreachable=dark, asked=asked)
    return replace(seen, hosts=tuple(settle(each, apps, seen) for each in facts))


def look(world: World) -> Survey:
    """All hosts and groups as they are, whoever could see that."""
    homes, apps = world.homes, world.apps
    facts = tuple(
        HostFacts(
            host=host,
            init="systemd",
            systemd=252,
            selinux="",
            free_kb=10 * 1024 * 1024,
            tools=builders.TOOLS,
            slots={app.name: slot(world, homes[host.name, app.name].places[0]) for app in apps},
            spares={
                app.name: slot(world, place)
                for app in apps
                for place in homes[host.name, app.name].places[1:]
            },
        )
        for host in world.hosts
    )
    health = {group.arn: world.health(group) for own in world.groups.values() for group in own}
    seen = Survey(facts, world.groups, health)
    return replace(seen, hosts=tuple(settle(each, apps, seen) for each in facts))
