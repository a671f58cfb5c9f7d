"""One app on one host: its slot in use, the other one, and their targets. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from deploy.aws.targets import ALL_ZONES, State, Target, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.aws.targets import Health, TargetGroup
    from deploy.settings.app import AppInSlot
    from deploy.survey.slot import Slot


class Membership(NamedTuple):
    """A slot's target in one of the app's target groups, with its health there."""

    group: TargetGroup
    target: Target
    health: Health


@dataclass(frozen=True)
class SlotOnHost:
    """One slot of an app on one host.

    Attributes:
        host: Where.
        app: The app in this slot.
        slot: What the host reports of the slot.
        memberships: Its target in each of the app's groups; there is at least one.
    """

    host: Host
    app: AppInSlot
    slot: Slot
    memberships: tuple[Membership, ...]

    @property
    def unit_name(self) -> str:
        """The slot's systemd unit."""
        return self.app.unit_name

    @property
    def is_first(self) -> bool:
        """Whether it has the app's first port, which is that of the unit that the app replaces."""
        return self.app == self.app.settings.slots[0]

    @property
    def running_name(self) -> str:
        """The release that runs in the slot, or the previous unit, which has the first one's port.

        Empty where neither is known to run.
        """
        slot = self.slot
        is_previous = self.is_first and slot.replaces.is_running and not slot.unit_state.is_running
        return str(self.app.settings.replaces or "") if is_previous else slot.running_release

    @property
    def is_worker(self) -> bool:
        """Whether no load balancer sends it requests."""
        return self.app.settings.is_worker

    @property
    def is_up(self) -> bool:
        """Whether its unit is active, or the one that it replaces runs."""
        return self.slot.unit_state.active == "active" or self.slot.replaces.is_running

    @property
    def may_have_served(self) -> bool:
        """Whether what runs may have got requests: all but what a first deploy left unproven."""
        is_known = bool(self.slot.deployed or self.slot.out)
        return self.slot.replaces.is_running or (self.slot.unit_state.is_running and is_known)

    @property
    def groups(self) -> tuple[TargetGroup, ...]:
        """The app's target groups."""
        return tuple(each.group for each in self.memberships)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The slot's target in each of the groups, in their order."""
        return tuple(each.target for each in self.memberships)

    @property
    def health(self) -> Health:
        """The health of the first target that is not in service, or of the first of all.

        A worker has no target, and so none.
        """
        return weakest([each.health for each in self.memberships])

    @property
    def is_healthy(self) -> bool:
        """Whether every group finds it healthy; of a worker, whether it runs."""
        if self.is_worker:
            return self.is_up
        return self.health.state is State.HEALTHY

    @property
    def is_healthy_somewhere(self) -> bool:
        """Whether a group finds it healthy; of a worker, whether it runs."""
        if self.is_worker:
            return self.is_up
        return any(each.health.state is State.HEALTHY for each in self.memberships)

    @property
    def serves(self) -> bool:
        """Whether every group finds it healthy, and traffic is not shifted away from its zone.

        Of a worker, whether it runs.
        """
        if self.is_worker:
            return self.is_up
        return all(each.health.serves for each in self.memberships)

    @property
    def may_receive(self) -> bool:
        """Whether a load balancer may send new requests now or soon."""
        return any(each.health.may_receive for each in self.memberships)

    @property
    def is_in_every_group(self) -> bool:
        """Whether each of its groups may send new requests now or soon."""
        return all(each.health.may_receive for each in self.memberships)

    @property
    def is_registered(self) -> bool:
        """Whether a group knows its target, draining ones included."""
        return any(each.health.is_registered for each in self.memberships)

    @property
    def is_draining(self) -> bool:
        """Whether it drains from a group."""
        return any(each.health.state is State.DRAINING for each in self.memberships)

    @property
    def drains_by_address(self) -> bool:
        """Whether it drains from a group that will not take its address before that is over."""
        return any(
            each.health.state is State.DRAINING and each.group.target_type == "ip"
            for each in self.memberships
        )


@dataclass(frozen=True)
class AppOnHost(SlotOnHost):
    """One app on one host: all that was seen of it, as its slot in use.

    Attributes:
        spare: The other slot; None for an app that has but one.
        has_partner_out: Whether a note says that an app that shares its target was taken out.
    """

    spare: SlotOnHost | None
    has_partner_out: bool = False

    @property
    def previous_unit(self) -> str:
        """The unit that the app replaces, where that runs; empty otherwise."""
        return str(self.app.settings.replaces) if self.slot.replaces.is_running else ""

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever deployed here, nothing serves, and no group knows the host."""
        slots = [self.slot, *([self.spare.slot] if self.spare else [])]
        is_known = self.is_registered or bool(self.spare and self.spare.is_registered)
        is_used = any(each.deployed or each.out for each in slots)
        return not (is_known or is_used or self.previous_unit)

    @property
    def is_unproven(self) -> bool:
        """Whether a unit of ours runs, or would at the next boot, that was never in service.

        A first deploy that is killed before its end leaves one, in the slot in use. Only what was
        proven is registered. Not of a worker, which no load balancer knows.
        """
        unit = self.slot.unit_state
        is_started = unit.is_running or unit.enabled == "enabled"
        is_ours = bool(self.slot.unit_digest) and not self.is_worker
        return is_ours and is_started and not (self.slot.deployed or self.may_receive)

    @property
    def taken_out(self) -> tuple[TargetGroup, ...]:
        """The groups that it was taken out of by hand: no note on the host says that we did."""
        if self.slot.out or self.has_partner_out or self.is_new:
            return ()
        return tuple(
            each.group
            for each in self.memberships
            if not each.health.is_registered or each.health.state is State.DRAINING
        )

    @property
    def running(self) -> frozenset[str]:
        """The releases of the app that run in its slots, and the unit that it replaces."""
        spare = self.spare.slot.running_release if self.spare else ""
        return frozenset({self.slot.running_release, spare, self.previous_unit}) - {""}


def is_mixed(fleet: Iterable[AppOnHost]) -> bool:
    """Whether an app runs in more than one release, the unit that it replaces being one.

    fleet: the app on each host. One on which nothing of it runs has none.
    """
    return len({name for on in fleet for name in on.running}) > 1


def target_of(group: TargetGroup, host: Host, app: AppInSlot) -> Target:
    """The target of the host's slot in a group: by instance, or by address for `ip` groups.

    AWS requires a zone for an address outside the group's VPC: with cross-zone balancing that is
    `all`; without, it has to be one of the group's own zones, which cannot be known here.
    """
    needs_zone = group.target_type == "ip" and is_outside(group, host)
    zone = ALL_ZONES if needs_zone and not group.zonal else ""
    return Target(target_id(group, host), app.target_port, zone)


def target_id(group: TargetGroup, host: Host) -> str:
    """The host's id in a target group: its instance id, or its address."""
    address = host.private_address or host.address
    return address if group.target_type == "ip" else host.instance_id


def is_outside(group: TargetGroup, host: Host) -> bool:
    """Whether a host is in another VPC than the group; not, where AWS names none."""
    return bool(host.vpc and group.vpc and host.vpc != group.vpc)
