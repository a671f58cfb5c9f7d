"""Capacity is arithmetic: who goes in which batch, and what stays in service meanwhile. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import State, Target
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.aws.targets import Health, TargetGroup
    from deploy.settings.app import App
    from deploy.settings.rollout import Rollout
    from deploy.survey.facts import HostFacts, Survey


def batches(
    rollout: Rollout, order: Sequence[HostFacts], fleet: int
) -> tuple[tuple[HostFacts, ...], ...]:
    """The hosts cut into batches; percentages are of the whole fleet, at least 1 host.

    A window slides over all of them, as over one batch.
    """
    if rollout.window:
        return (tuple(order),) if order else ()
    cut: list[tuple[HostFacts, ...]] = []
    start = 0
    while start < len(order):
        size = rollout.batch.hosts(len(cut), fleet)
        cut.append(tuple(order[start : start + size]))
        start += size
    return tuple(cut)


def order(
    rollout: Rollout,
    due: Sequence[HostFacts],
    survey: Survey,
    apps: Iterable[App],
    *,
    canary: bool = True,
) -> tuple[HostFacts, ...]:
    """Unhealthy hosts first, since they cost no capacity; before them a canary, which is healthy.

    Of several apps, hosts with the fewest in service come first. A percentage or a ramp asks
    for a canary: a host that shows what the release does in service.
    """
    served = tuple(apps)

    def healthy_apps(facts: HostFacts) -> int:
        return sum(survey.health_of(facts.host, app).state is State.HEALTHY for app in served)

    found = sorted(due, key=lambda facts: (healthy_apps(facts), facts.host.name))
    sizes = rollout.batch.sizes
    if canary and not rollout.window and (len(sizes) > 1 or sizes[0].endswith("%")):
        first = next((facts for facts in found if healthy_apps(facts) == len(served)), None)
        if first:
            found.remove(first)
            found.insert(0, first)
    return tuple(found)


def healthy(targets: Mapping[Target, Health]) -> set[Target]:
    """The targets in service."""
    return {target for target, health in targets.items() if health.state is State.HEALTHY}


def fleet_size(app: App, survey: Survey) -> int:
    """How many targets the app's group has, or shall have: its share is reckoned from all of them.

    A host that is left out has one, whatever the load balancer says of it.
    """
    registered = survey.health[app.name].keys()
    targets = {survey.target(facts.host, app) for facts in survey.hosts}
    unlisted = [
        host
        for host in survey.left_out
        if not any(survey.target(host, app.at(port)) in registered for port in app.ports)
    ]
    return len(registered | targets) + len(unlisted)


def _zones_left_out(app: App, survey: Survey) -> dict[Target, str]:
    """The zones of the targets that hosts which are left out may have, in whichever slot."""
    return {
        survey.target(host, app.at(port)): host.zone
        for host in survey.left_out
        for port in app.ports
    }


def floor(rollout: Rollout, fleet: int, size: int) -> int:
    """How many of a fleet's targets stay in service while a batch of this size is out.

    The policy's `min_in_service`, or else the fleet minus the batch; never less than 1.
    """
    least = rollout.min_in_service.hosts(fleet) if rollout.min_in_service else fleet - size
    return max(1, least)


def refuse_outage(
    rollout: Rollout,
    switched: Sequence[tuple[App, list[list[Host]]]],
    survey: Survey,
    *,
    allow_downtime: bool,
) -> None:
    """Refuse a plan in which a batch leaves a group with less than the policy wants in service.

    `switched`: for each app, the hosts of each batch on which that app is switched. Of a zonal
    group, no zone may be left without a target. A group that has no healthy target now cannot lose
    its last one: the plan goes, with a warning.
    """
    if allow_downtime:
        return
    for app, batches_of_hosts in switched:
        own = {survey.target(f.host, app): f.host.zone for f in survey.hosts}
        zones = own | _zones_left_out(app, survey)
        serving = healthy(survey.health[app.name])
        if not serving:
            continue
        for number, hosts in enumerate(batches_of_hosts, start=1):
            if not hosts:
                continue
            out = {survey.target(host, app) for host in hosts}
            least = floor(rollout, fleet_size(app, survey), len(hosts))
            short = shortfall(survey.groups[app.name], least, serving, out, zones)
            if short:
                raise BadInput(
                    f"batch {number} ({len(hosts)} of {len(own)} hosts) {short}; make `batch` "
                    "smaller, add a host, or accept the outage with --allow-downtime"
                )
            serving |= out


def shortfall(
    group: TargetGroup,
    least: int,
    serving: AbstractSet[Target],
    out: AbstractSet[Target],
    zones: Mapping[Target, str],
) -> str:
    """Why a batch may not take these targets out of those that serve; empty where it may.

    least: how many must stay; zones: each target's availability zone.
    """
    left = serving - out
    if not serving & out:
        return ""
    if not left:
        return f"would leave no target of {group.name} in service ({len(serving)} healthy now)"
    if len(left) < least:
        return (
            f"would leave {len(left)} targets of {group.name} in service ({len(serving)} healthy "
            f"now), and the policy wants {least}: repair what is unhealthy first, or set "
            "`min_in_service`"
        )
    if group.zonal:
        for zone in sorted({zones[target] for target in serving & out if target in zones}):
            if not any(zones.get(target) == zone for target in left):
                return (
                    f"would leave zone {zone} of {group.name} without a target, and cross-zone "
                    "balancing is off"
                )
    return ""
