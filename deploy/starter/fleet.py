"""The machines behind a target group: its targets as instances, and what selects exactly these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.aws import instances
from deploy.aws.targets import State
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from deploy.aws.api.account import Account
    from deploy.aws.instances import Instance
    from deploy.aws.targets import Health, Target, TargetGroup

RESERVED = "aws:"
"""How the keys of tags begin that AWS itself sets (EC2 user guide, "Tag restrictions")."""
NAME = "Name"


@dataclass(frozen=True)
class FleetOfGroup:
    """The machines behind a target group.

    Attributes:
        group: The group.
        machines: The instances that are its targets, by name.
        ports: The ports of its targets, the usual one first.
        tags: Tags that these running instances carry and no other; empty where there are none.
    """

    group: TargetGroup
    machines: tuple[Instance, ...]
    ports: tuple[int, ...]
    tags: Mapping[str, str]

    @property
    def zones(self) -> tuple[str, ...]:
        """The availability zones of the machines."""
        return tuple(sorted({each.zone for each in self.machines if each.zone}))


def read(account: Account, group: TargetGroup, health: Mapping[Target, Health]) -> FleetOfGroup:
    """Find the instances of a group's targets.

    Raises BadInput for a group without targets, and for targets that are no running instances.
    """
    ids = sorted({target.id for target in health})
    if not ids:
        raise BadInput(
            f"target group {group.name} has no targets, so its hosts are not known: register them "
            "once by hand, or write `hosts:` yourself (docs/quickstart.md in Changeover's "
            "repository)"
        )
    found = _of_ids(account, group, ids)
    missing = [each for each in ids if each not in found]
    if missing:
        raise BadInput(
            f"target group {group.name}: no running EC2 instance of this account and region is the "
            f"target {', '.join(missing)}; deregister it, or write `hosts:` yourself"
        )
    machines = {each.id: each for each in found.values()}
    ordered = sorted(machines.values(), key=lambda each: (each.name, each.id))
    # A draining target may not come back: its service may have got a proxy in front of it.
    stay = [target for target, its in health.items() if its.state is not State.DRAINING]
    ports = {target.port for target in stay or health}
    usual = [group.port] if group.port in ports else []
    others = sorted(ports - {group.port})
    return FleetOfGroup(
        group, tuple(ordered), (*usual, *others), _tags(account, ordered, machines.keys())
    )


def _of_ids(account: Account, group: TargetGroup, ids: list[str]) -> dict[str, Instance]:
    """The running instance of each target's id, which is an address in a group of type ip."""
    if group.target_type != "ip":
        known = instances.with_ids(account, ids)
        return {id_: each for id_, each in known.items() if each.state == instances.RUNNING}
    found: dict[str, Instance] = {}
    for address, several in instances.at(account, ids).items():
        running = [each for each in several if each.state == instances.RUNNING]
        near = [each for each in running if each.vpc == group.vpc] or running
        if len(near) == 1:
            found[address] = near[0]
    return found


def _tags(account: Account, machines: list[Instance], ids: Collection[str]) -> Mapping[str, str]:
    """The fewest tags that select exactly these among the running instances; none if none do."""
    first, *others = machines
    common = {
        key: value
        for key, value in sorted(first.tags.items())
        if key != NAME
        and not key.startswith(RESERVED)
        and all(each.tags.get(key) == value for each in others)
    }
    tried = [{key: value} for key, value in common.items()]
    tried += [common] if len(common) > 1 else []
    for tags in tried:
        if {each.id for each in instances.tagged(account, tags)} == set(ids):
            return tags
    return {}
