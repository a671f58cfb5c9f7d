"""The AWS side as the reconciler reads it: target groups, instances, and their zones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.targets import Checks


@dataclass(frozen=True)
class Group:
    """A target group as the AWS API has it now, in AWS's seconds."""

    name: str
    port: int
    target_type: str
    in_use: bool
    delay_seconds: float
    checks: Checks
    is_tls: bool = False
    is_cross_zone: bool = True

    @property
    def is_http2(self) -> bool:
        """Whether its targets get requests over HTTP/2."""
        return self.checks.version != "HTTP1"


@dataclass(frozen=True)
class Machine:
    """An instance: where it is and whether it runs."""

    address: str
    running: bool
    zone: str = ""


class World(Protocol):
    """What the reconciler reads from the AWS side."""

    def groups(self) -> Mapping[str, Group]:
        """All target groups by name."""

    def machines(self) -> Mapping[str, Machine]:
        """All instances by id."""


@dataclass(frozen=True)
class View:
    """The AWS side at one moment; zones: of each machine, by its id and by its address."""

    groups: Mapping[str, Group]
    machines: Mapping[str, Machine]
    zones: Mapping[str, str]

    @classmethod
    def of(cls, world: World) -> View:
        """Read it once, for all nodes: that is done at every tick."""
        machines = world.machines()
        zones = {machine.address: machine.zone for machine in machines.values()}
        zones |= {id_: machine.zone for id_, machine in machines.items()}
        return cls(world.groups(), machines, zones)
