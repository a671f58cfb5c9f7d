"""What is on hosts and in groups at one moment, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE
from deploy.survey.app_on_host import AppOnHost, Membership, SlotOnHost, target_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.settings.app import App, AppInSlot
    from deploy.survey.slot import Slot


@dataclass(frozen=True)
class HostFacts:
    """A host as it is.

    free_kb: the space under /srv in KiB; free_memory_kb: what new processes can have; slots:
    each app's slot in use, by the app's name; spares: the other one, of an app with two; ports:
    the port of the slot in use, where it is not the app's first; lock: who holds the environment;
    unknown: the keys of its answer whose values do not match their grammar; machine: as `uname -m`
    calls it, empty where the host did not say.
    """

    host: Host
    init: str
    systemd: int
    selinux: str
    free_kb: int
    tools: frozenset[str]
    slots: dict[str, Slot]
    lock: str = ""
    spares: dict[str, Slot] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    free_memory_kb: int = 0
    unknown: tuple[str, ...] = ()
    machine: str = ""

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

    groups: each app's target groups, by the app's name; health: by the group's ARN, its targets;
    most_targets: how many targets a load balancer may have; 0 where that was not asked for.
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
        """What a host that was read reports of itself."""
        return self._facts[host.name]

    def memberships(self, host: Host, app: AppInSlot) -> tuple[Membership, ...]:
        """The targets of a host's slot, one in each of the app's groups."""
        return tuple(
            Membership(group, target, self.health[group.arn].get(target, GONE))
            for group in self.groups[app.name]
            for target in [target_of(group, host, app)]
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
