"""What is on hosts and in groups at one moment, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE
from deploy.hosts.notes import Note
from deploy.survey.app_on_host import (
    AppOnHost,
    Membership,
    SlotOnHost,
    is_outside,
    target_id,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.settings.app import App, AppInSlot
    from deploy.survey.slot import Slot


@dataclass(frozen=True)
class HostFacts:
    """A host as it is.

    Attributes:
        host: Which one.
        init: The program of process 1.
        systemd: Its major version.
        selinux: SELinux's mode, in its own word; empty where there is none.
        free_kb: The space under /srv, in KiB.
        free_files: How many files may be made there; None where there is no limit.
        given_ports: Those that the kernel gives to outgoing connections.
        reserved_ports: Those of them that it does not give.
        tools: The programs, of those that commands need, that are there.
        slots: By app, its slot in use.
        lock: Who holds the environment, as the lock's file has it.
        progress: How far the holder's run is, as its file has it.
        lock_age: Seconds since the holder's last heartbeat, by the host's own clock; None where
            that is not known.
        spares: By app, the other slot of an app that has two.
        ports: By app, the port of the slot in use where that is not the app's first.
        free_memory_kb: The memory that new processes can have, in KiB.
        unknown: The keys of the host's answer whose values do not match their grammar.
        machine: The processor, as `uname -m` calls it; empty where the host did not say.
        has_ipv6: Whether the host's kernel knows IPv6.
        start_seconds: How long the look took to begin.
        start_words: What sudo said meanwhile.
    """

    host: Host
    init: str
    systemd: int
    selinux: str
    free_kb: int
    tools: frozenset[str]
    slots: dict[str, Slot]
    lock: str = ""
    progress: str = ""
    lock_age: int | None = None
    spares: dict[str, Slot] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    free_memory_kb: int = 0
    unknown: tuple[str, ...] = ()
    machine: str = ""
    has_ipv6: bool = True
    free_files: int | None = None
    given_ports: tuple[range, ...] = ()
    reserved_ports: tuple[range, ...] = ()
    start_seconds: float = 0.0
    start_words: str = ""

    def may_give(self, port: int) -> bool:
        """Whether the kernel may give a port to an outgoing connection while nothing listens."""
        is_reserved = any(port in each for each in self.reserved_ports)
        return any(port in each for each in self.given_ports) and not is_reserved

    def at(self, app: App) -> AppInSlot:
        """The app in the slot that is in use here."""
        return app.at(self.ports.get(app.name, app.slots[0].port))

    def spare(self, app: App) -> AppInSlot | None:
        """The app in its other slot; None where it has but one."""
        used = self.at(app)
        return next((each for each in app.slots if each.port != used.port), None)


@dataclass(frozen=True)
class Survey:
    """Everything a plan is made from: hosts in their order, each app's groups, and their health.

    Attributes:
        hosts: The hosts that were read.
        groups: By app, its target groups.
        health: By the group's ARN, the health of each target.
        most_targets: How many targets a load balancer may have; 0 where that was not asked for.
    """

    hosts: tuple[HostFacts, ...]
    groups: dict[str, tuple[TargetGroup, ...]]
    health: dict[str, dict[Target, Health]]
    unreachable: dict[str, str] = field(default_factory=dict)
    """Hosts that could not be read, by name, with the reason."""
    most_targets: int = 0
    asked: tuple[Host, ...] = ()
    """All hosts that the command is about, also those that could not be read."""
    left_out: dict[Host, str] = field(default_factory=dict)
    """Hosts that the command leaves out, with the reason; no other field has facts of them."""
    other_hosts: tuple[Host, ...] = ()
    """Hosts of the environment that the command is not about."""
    resting: Mapping[Host, str] = field(default_factory=dict)
    """Hosts that their Auto Scaling group keeps out of service, with their lifecycle state."""
    partners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each app, by name, the others that share its target."""
    notes: tuple[str, ...] = ()
    """What was seen beside all that, and what was not looked at, for the plan to say."""

    @property
    def everyone(self) -> tuple[Host, ...]:
        """All hosts that the command is about."""
        known = (*self.asked, *(facts.host for facts in self.hosts), *self.left_out)
        return tuple(dict.fromkeys(known))

    @cached_property
    def _facts(self) -> dict[str, HostFacts]:
        return {facts.host.name: facts for facts in self.hosts}

    def facts_of(self, host: Host) -> HostFacts:
        """Return the facts of a host that was read."""
        return self._facts[host.name]

    @cached_property
    def zones(self) -> dict[tuple[str, str], str]:
        """The availability zones that addresses are registered with, by the group's ARN.

        An address that is no target now was registered with what our note on its host names. The
        note counts only outside of the group's VPC: within it AWS knows the zone by itself, and a
        host has no say in where it counts as capacity.
        """
        noted = {
            (group.arn, target_id(group, facts.host)): zone
            for facts in self.hosts
            for slots in (facts.spares, facts.slots)
            for name, slot in slots.items()
            for note in [Note.parse(slot.out)]
            if note
            for group in self.groups[name]
            if is_outside(group, facts.host) and (zone := note.zones.get(group.name))
        }
        given = {
            (arn, target.id): target.zone
            for arn, targets in self.health.items()
            for target in targets
            if target.zone
        }
        return noted | given

    def target(self, group: TargetGroup, host: Host, app: AppInSlot) -> Target:
        """The target of a host's slot in a group, with the zone that it is registered with."""
        target = target_of(group, host, app)
        return replace(target, zone=self.zones.get((group.arn, target.id), target.zone))

    def memberships(self, host: Host, app: AppInSlot) -> tuple[Membership, ...]:
        """The targets of a host's slot, one in each of the app's groups."""
        return tuple(
            Membership(group, target, self.health[group.arn].get(target, GONE))
            for group in self.groups[app.name]
            for target in [self.target(group, host, app)]
        )

    def elsewhere(self, host: Host, app: App) -> tuple[tuple[TargetGroup, Target], ...]:
        """Return a host's targets in the app's groups besides those of its slots.

        That is another port, as of a proxy there, or another address.
        """
        return tuple(
            (group, target)
            for group in self.groups[app.name]
            for own in [{target_of(group, host, slot) for slot in app.slots}]
            for target, health in self.health[group.arn].items()
            if target.id in host.reached_by and target not in own and health.may_receive
        )

    def on(self, host: Host, app: App) -> AppOnHost:
        """All that is known of an app on a host that was read."""
        facts = self._facts[host.name]
        spare = facts.spare(app)
        return AppOnHost(
            *self._slot(host, facts.at(app), facts.slots),
            spare=SlotOnHost(*self._slot(host, spare, facts.spares)) if spare else None,
            has_partner_out=any(facts.slots[n].out for n in self.partners.get(app.name, ())),
        )

    def everywhere(self, app: App) -> tuple[AppOnHost, ...]:
        """The app on each host that was read."""
        return tuple(self.on(facts.host, app) for facts in self.hosts)

    def _slot(
        self, host: Host, app: AppInSlot, slots: Mapping[str, Slot]
    ) -> tuple[Host, AppInSlot, Slot, tuple[Membership, ...]]:
        return host, app, slots[app.name], self.memberships(host, app)
