"""Computes how many targets stay in service while a batch is out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.aws.targets import ALL_ZONES, State
from deploy.errors import BadInput
from deploy.survey import foreign_targets
from deploy.survey.app_on_host import target_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.aws.targets import Target, TargetGroup
    from deploy.settings.app import App
    from deploy.settings.rollout import Rollout
    from deploy.survey.facts import Survey


@dataclass(frozen=True)
class InService:
    """What serves an app in one of its target groups, and what of it a batch takes out.

    Attributes:
        group: The target group.
        size: How many targets the group has, or shall have: shares are reckoned from all of them,
            one for each host. Those in a zone that traffic is shifted away from are none.
        registered: How many targets AWS counts, when a group sends to unhealthy ones.
        healthy: Those in service.
        shifted: Those in a zone that traffic is shifted away from.
        targets: By host, the target of the slot in use.
        zones: The availability zones of registered targets: those that AWS has them registered
            with, or else those of their hosts. A target of all zones has none.
    """

    group: TargetGroup
    size: int
    registered: int
    healthy: frozenset[Target]
    shifted: frozenset[Target]
    targets: Mapping[Host, Target]
    zones: Mapping[Target, str]

    @classmethod
    def of(cls, app: App, group: TargetGroup, survey: Survey) -> InService:
        """From a survey, in one of the app's groups.

        Each host counts once, in its slot in use. A slot beside that is ended before a batch goes
        out, and a target that drains was deregistered: neither is capacity, nor counted as such.
        A host that is left out has one target, whatever the load balancer says of it.
        """
        health = survey.health[group.arn]
        targets = {on.host: survey.target(group, on.host, on.app) for on in survey.everywhere(app)}
        own = set(targets.values())
        others = {
            host: [target_of(group, host, slot) for slot in app.slots]
            for host in (*survey.left_out, *survey.other_hosts)
        }
        spares = {target_of(group, host, slot) for host in targets for slot in app.slots} - own
        listed = {its for its, state in health.items() if state.state is not State.DRAINING}
        registered = (listed - spares) | own
        for host, its in others.items():
            # One that only drains is out for a while, and comes back in one of its slots.
            is_member = host in survey.left_out or bool(health.keys() & set(its))
            if is_member and not registered & set(its):
                registered.add(its[0])
        shifted = {target for target, its in health.items() if its.is_shifted}
        healthy = {target for target, its in health.items() if its.serves} - spares
        # One that is no host and does not serve is nothing that a policy could keep in service.
        strangers = {each.target for each in foreign_targets.find(survey, [app])} - healthy
        second = {target for its in others.values() for target in _second(its, listed, healthy)}
        zones = {target: host.zone for host, target in targets.items()}
        zones |= {target: host.zone for host, its in others.items() for target in its}
        zones |= {each: each.zone for each in (*targets.values(), *health) if each.zone}
        return cls(
            group,
            len(registered - shifted - strangers - second),
            len(registered - shifted),
            frozenset(healthy),
            frozenset(shifted),
            targets,
            {
                target: zone
                for target, zone in zones.items()
                if zone != ALL_ZONES and target in registered
            },
        )

    @property
    def is_complete(self) -> bool:
        """Whether each host's target is in service, where traffic is not shifted away."""
        return set(self.targets.values()) <= self.healthy | self.shifted

    def without(self, hosts: int) -> InService:
        """What there is after so many hosts have ended."""
        return replace(self, size=self.size - hosts, registered=self.registered - hosts)

    def minimum(self, rollout: Rollout, size: int) -> int:
        """How many targets stay in service while a batch of this size is out.

        That is what the policy wants, and what keeps the group from sending requests to unhealthy
        targets, and its zones in DNS.
        """
        return max(minimum(rollout, self.size, size), self.group.fewest(self.registered - size))


def _second(
    its: Sequence[Target], listed: AbstractSet[Target], healthy: AbstractSet[Target]
) -> tuple[Target, ...]:
    """A host's registered targets beside the one that counts, which is one that serves if any."""
    mine = sorted((each for each in its if each in listed), key=lambda each: each not in healthy)
    return tuple(mine[1:])


def minimum(rollout: Rollout, fleet: int, size: int) -> int:
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
        for group in survey.groups[app.name]:
            _refuse_outage(rollout, InService.of(app, group, survey), batches_of_hosts)


def _refuse_outage(
    rollout: Rollout, now: InService, batches_of_hosts: Sequence[Sequence[Host]]
) -> None:
    """Refuse batches that leave one group with less than the policy wants in service."""
    serving = now.healthy
    if not serving:
        return
    for number, hosts in enumerate(batches_of_hosts, start=1):
        if not hosts:
            continue
        out = {now.targets[host] for host in hosts}
        short = shortfall(now.group, now.minimum(rollout, len(hosts)), serving, out, now.zones)
        if short:
            raise BadInput(
                f"batch {number} ({len(hosts)} of {len(now.targets)} hosts) {short}; make "
                "`batch` smaller, add a host, or accept the outage with --allow-downtime"
            )
        serving |= out - now.shifted


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
            there = sum(zones.get(target) == zone for target in left)
            members = sum(its == zone for target, its in zones.items() if target not in out)
            wanted = group.fewest(members)
            if there < wanted:
                few = f"with {there} targets of at least {wanted}" if there else "without a target"
                return (
                    f"would leave zone {zone} of {group.name} {few}, and cross-zone balancing is "
                    "off"
                )
    return ""
