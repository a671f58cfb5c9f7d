"""One app on one host: what lies there, and its slots, each with what runs there and its target."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.hosts.records import Record
    from deploy.settings.app import App, AppInSlot
    from simulated.builds import Build


@dataclass(eq=False)
class Process:
    """What runs on a slot's port: which build, from which release's files.

    build: None for the unit that the app replaces; began: in the clock's seconds; proven: whether
    a proof passed for it.
    """

    build: Build | None
    files: str
    began: float
    proven: bool = False
    pid: int = field(default_factory=itertools.count(100).__next__)

    @property
    def is_legacy(self) -> bool:
        return self.build is None


@dataclass(eq=False)
class Member:
    """A slot's target in one group.

    In the clock's seconds: since, the registration; drained, the end of its drain.
    """

    registered: bool = False
    since: float = 0.0
    drained: float = 0.0


NOBODY = Process(None, "", 0.0)
"""No place's process: what `Place.left` is where nothing was left running."""


class Changed:
    """What a command on the host changes."""

    def put(self, **values: Any) -> bool:
        """Change what lies there; True, as a command ends that worked."""
        for name, value in values.items():
            setattr(self, name, value)
        return True


@dataclass(eq=False)
class Home(Changed):
    """One app on one host, with all of its slots, the first port's first.

    kept: units' texts by release, digest and unit; partial: releases of which half an upload lies
    there, in KiB; legacy: the host has the unit that the app replaces, on the first port.
    """

    app: App
    host: Host
    places: list[Place] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    history: list[Record] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    partial: dict[str, int] = field(default_factory=dict)
    legacy: bool = False
    legacy_enabled: bool = False

    def __str__(self) -> str:
        return f"{self.host.name}: {self.app.name}"

    def at(self, port: int) -> Place:
        """The slot on a port."""
        return next(place for place in self.places if place.app.port == port)

    def of_unit(self, unit: str) -> Place:
        """The slot whose unit this is; that of before has the first one's port."""
        return next((each for each in self.places if each.app.unit_name == unit), self.places[0])


@dataclass(eq=False)
class Place(Changed):
    """One slot of an app on one host: its process and its target.

    app: in this slot; members: its targets, by group. In the clock's seconds: busy, the end of
    the last request in its drains; flights, when requests begin and end in a drain that is looked
    at; sick, until when it does not answer.
    left: what ran when this command took the target out, for as long as it was not stopped.
    """

    home: Home
    app: AppInSlot
    link: str = ""
    unit: str = ""
    enabled: bool = False
    failed: bool = False
    process: Process | None = None
    out: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    busy: float = 0.0
    flights: tuple[tuple[float, float], ...] = ()
    sick: float = 0.0
    left: Process | None = None

    def __str__(self) -> str:
        return f"{self.home}:{self.app.port}" if len(self.home.places) > 1 else str(self.home)

    @property
    def host(self) -> Host:
        """Where."""
        return self.home.host

    @property
    def registered(self) -> bool:
        """Whether a group has it."""
        return any(member.registered for member in self.members.values())

    @property
    def is_everywhere(self) -> bool:
        """Whether all its groups have it."""
        return all(member.registered for member in self.members.values())

    @property
    def since(self) -> float:
        """The last registration."""
        return max(member.since for member in self.members.values())

    @property
    def drained(self) -> float:
        """The end of the last drain."""
        return max(member.drained for member in self.members.values())

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing of it runs, comes back at a boot or is known to the load balancer."""
        before = self is self.home.places[0] and self.home.legacy_enabled
        return not (self.process or self.enabled or self.registered or self.out or before)

    @property
    def others(self) -> list[Place]:
        """The app's other slots on the host."""
        return [place for place in self.home.places if place is not self]

    @property
    def listener(self) -> str:
        """The unit whose process has the port; nothing where there is none."""
        if self.process is None:
            return ""
        return self.app.settings.replaces or "" if self.process.is_legacy else self.app.unit_name
