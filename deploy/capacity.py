"""Capacity is arithmetic: who goes in which batch, and what stays in service meanwhile. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.balancer import State, Target
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.inventory import Host
    from deploy.offers import Offer
    from deploy.settings import App, Batch, Rollout
    from deploy.survey import HostFacts, Survey


def batches(
    sizes: Batch, order: Sequence[HostFacts], fleet: int
) -> tuple[tuple[HostFacts, ...], ...]:
    """The hosts cut into batches; percentages are of the whole fleet, at least 1 host."""
    cut: list[tuple[HostFacts, ...]] = []
    start = 0
    while start < len(order):
        size = sizes.hosts(len(cut), fleet)
        cut.append(tuple(order[start : start + size]))
        start += size
    return tuple(cut)


def order(
    rollout: Rollout, due: Sequence[HostFacts], survey: Survey, offers: tuple[Offer, ...]
) -> tuple[HostFacts, ...]:
    """Unhealthy hosts first, since they cost no capacity; before them a canary, which is healthy.

    A percentage or a ramp asks for a canary: a host that shows what the release does in service.
    """

    def is_healthy(facts: HostFacts) -> bool:
        return all(survey.health_of(facts.host, o.app).state is State.HEALTHY for o in offers)

    found = sorted(due, key=lambda facts: (is_healthy(facts), facts.host.name))
    sizes = rollout.batch.sizes
    if len(sizes) > 1 or sizes[0].endswith("%"):
        canary = next((facts for facts in found if is_healthy(facts)), None)
        if canary:
            found.remove(canary)
            found.insert(0, canary)
    return tuple(found)


def refuse_outage(
    switched: Sequence[tuple[App, list[list[Host]]]], survey: Survey, *, allow_downtime: bool
) -> None:
    """Refuse a plan in which a batch leaves a group, or a zone of a zonal group, with nobody.

    `switched`: for each app, the hosts of each batch on which that app is switched.
    A group that has no healthy target now cannot lose its last one: the plan goes, with a warning.
    """
    if allow_downtime:
        return
    for app, batches_of_hosts in switched:
        zones = {survey.target(f.host, app): f.host.zone for f in survey.hosts}
        serving = {t for t, h in survey.health[app.name].items() if h.state is State.HEALTHY}
        if not serving:
            continue
        for number, hosts in enumerate(batches_of_hosts, start=1):
            if not hosts:
                continue
            out = {survey.target(host, app) for host in hosts}
            _refuse_batch(app, survey, number, len(hosts), serving, out, zones)
            serving |= out


def _refuse_batch(
    app: App,
    survey: Survey,
    number: int,
    size: int,
    serving: set[Target],
    out: set[Target],
    zones: dict[Target, str],
) -> None:
    group = survey.groups[app.name]
    left = serving - out
    if not left:
        raise BadInput(
            f"batch {number} ({size} of {len(zones)} hosts) would leave no target of {group.name} "
            f"in service ({len(serving)} healthy now); make `batch` smaller, add a host, or "
            "accept the outage with --allow-downtime"
        )
    if group.zonal:
        for zone in sorted({zones[target] for target in serving & out if target in zones}):
            if not any(zones.get(target) == zone for target in left):
                raise BadInput(
                    f"batch {number} would leave zone {zone} of {group.name} without a target, and "
                    "cross-zone balancing is off; make `batch` smaller, add a host in that zone, "
                    "or accept the outage with --allow-downtime"
                )
