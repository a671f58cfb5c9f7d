"""What is on hosts and in groups at one moment, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE, Health, Target, TargetGroup
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.hosts.records import Record
    from deploy.settings.app import App


@dataclass(frozen=True)
class UnitState:
    """What `systemctl show` reports; an absent unit is `not-found` and `inactive`.

    Attributes:
        started: When its main process started, in seconds since 1970; None where unknown.
        fragment: The path of the unit file that systemd has loaded.
        needs_reload: Whether a file of the unit has changed since systemd loaded it.
        has_drop_ins: Whether files beside ours change this unit.
        is_sealed: Whether its processes may not make user namespaces.
    """

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    main_pid: int = 0
    invocation: str = ""
    restarts: int = 0
    result: str = ""
    since: str = ""
    started: int | None = None
    fragment: str = ""
    needs_reload: bool = False
    has_drop_ins: bool = False
    is_sealed: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether systemd knows the unit."""
        return self.load == "loaded"

    @property
    def is_running(self) -> bool:
        """Whether its processes run or are about to."""
        return self.active in {"active", "activating", "reloading"}


@dataclass(frozen=True)
class Listener:
    """A process that listens on the slot's port, and the unit that it belongs to."""

    pid: int
    unit: str
    process: str

    def __str__(self) -> str:
        unit, process = visible(self.unit), visible(self.process)
        return f"{unit or process} (pid {self.pid}, {process})"


@dataclass(frozen=True)
class Slot:
    """One app's slot on one host, as it is.

    What belongs to the app (releases, manifests, history, bad, partial, group) is the same in each
    of its slots. Every value matches its grammar in `values`.

    Attributes:
        link: The release that the slot points to.
        unit_sha256: The digest of the unit file on disk.
        unit_digest: The unit's digest as that file states it.
        running_release: The release whose folder the running process has mounted, as its kernel
            knows it; empty where none is, or where the process could have forged its mounts.
        running_unit: The digest of the unit that the running process was started with; empty
            where the file has changed since.
        memory_kb: What that process holds, in KiB.
        releases: The releases that lie here.
        manifests: For each of them, the digest of its stored manifest.
        out: Our note that its target was taken out; `?` for one that cannot be read.
        history: What was deployed, oldest first.
        bad: Releases that failed here.
        kept: This slot's units that lie here, as Record.kept names them.
        partial: Releases whose upload never ended, with the KiB that lie here.
        group: The service user's group; empty if there is no such user.
    """

    unit: UnitState = UnitState()
    link: str = ""
    unit_sha256: str = ""
    unit_digest: str = ""
    running_release: str = ""
    running_unit: str = ""
    memory_kb: int = 0
    releases: tuple[str, ...] = ()
    manifests: Mapping[str, str] = field(default_factory=dict)
    out: str = ""
    history: tuple[Record, ...] = ()
    bad: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    partial: dict[str, int] = field(default_factory=dict)
    group: str = ""
    listeners: tuple[Listener, ...] = ()
    replaces: UnitState = UnitState()
    has_environment_file: bool = False

    @property
    def deployed(self) -> Record | None:
        """What was deployed last, whatever was tried since."""
        return self.history[-1] if self.history else None

    def runs(self, release: str, unit_digest: str) -> bool:
        """Whether link, unit file and process are this release under this unit, also at boot."""
        return (
            self.unit.active == "active"
            and self.unit.enabled == "enabled"
            and self.link == release == self.running_release
            and self.running_unit == unit_digest == self.unit_digest
        )

    def can_run(self, record: Record) -> bool:
        """Whether all that a record names is still here: its release and its unit."""
        return record.release in self.releases and record.kept in self.kept


@dataclass(frozen=True)
class HostFacts:
    """A host as it is.

    free_kb: the space under /srv in KiB; free_memory_kb: what new processes can have; slots:
    each app's slot in use, by the app's name; spares: the other one, of an app with two; ports:
    the port of the slot in use, where it is not the app's first; lock: who holds the environment;
    unknown: the keys of its answer whose values do not match their grammar.
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

    def at(self, app: App) -> App:
        """The app in the slot that is in use here."""
        return app.at(self.ports.get(app.name, app.ports[0]))

    def slot(self, app: App) -> Slot:
        """The facts of this slot of the app."""
        return self.slots[app.name] if self.at(app).port == app.port else self.spares[app.name]

    def spare(self, app: App) -> App | None:
        """The app in its other slot; None where it has but one."""
        used = self.at(app).port
        return next((app.at(port) for port in app.ports if port != used), None)


@dataclass(frozen=True)
class Survey:
    """Everything a plan is made from: hosts in their order, groups and health by app.

    most_targets: how many targets a load balancer may have; 0 where that was not asked for.
    """

    hosts: tuple[HostFacts, ...]
    groups: dict[str, TargetGroup]
    health: dict[str, dict[Target, Health]]
    unreachable: dict[str, str] = field(default_factory=dict)
    """Hosts that could not be read, by name, with the reason."""
    most_targets: int = 0
    asked: tuple[Host, ...] = ()
    """All hosts that the command is about, also those that could not be read."""
    left_out: dict[Host, str] = field(default_factory=dict)
    """Hosts that the command leaves out, with the reason; no other field has facts of them."""

    @property
    def everyone(self) -> tuple[Host, ...]:
        """All hosts that the command is about."""
        known = (*self.asked, *(facts.host for facts in self.hosts), *self.left_out)
        return tuple(dict.fromkeys(known))

    @cached_property
    def _facts(self) -> dict[str, HostFacts]:
        return {facts.host.name: facts for facts in self.hosts}

    def target(self, host: Host, app: App) -> Target:
        """The host's target in the app's group: of this slot, or else of the one in use."""
        facts = self._facts.get(host.name)
        bound = facts.at(app) if facts and app.slot is None else app
        return target_of(self.groups[app.name], host, bound)

    def health_of(self, host: Host, app: App) -> Health:
        """The load balancer's word on the host's target."""
        return self.health[app.name].get(self.target(host, app), GONE)


def target_of(group: TargetGroup, host: Host, app: App) -> Target:
    """The target of the host's slot in a group: by instance, or by address for `ip` groups."""
    address = host.private_address or host.address
    return Target(address if group.target_type == "ip" else host.instance_id, app.port)
