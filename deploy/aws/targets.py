"""Target groups and targets as values: settings, states, health. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

HIGHEST_PORT = 65535
ALL_ZONES = "all"
"""AWS's word for a target of every zone (API reference, TargetDescription)."""


class State(enum.StrEnum):
    """A target's state in AWS's own words (TargetHealthStateEnum)."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNHEALTHY_DRAINING = "unhealthy.draining"
    UNUSED = "unused"
    DRAINING = "draining"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, order=True)
class Target:
    """A target of a load balancer: an instance id (or an address) and a port.

    Attributes:
        id: The instance id, or the address.
        port: The port.
        zone: The availability zone that it is registered with, or `all`; empty where AWS gives
            none. A group distinguishes its targets by id and port alone, and so do we.
    """

    id: str
    port: int
    zone: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"[{self.id}]:{self.port}" if ":" in self.id else f"{self.id}:{self.port}"


class ProtocolVersion(enum.StrEnum):
    """How a group's targets are sent requests, and asked by health checks, in AWS's own words."""

    HTTP1 = "HTTP1"
    HTTP2 = "HTTP2"
    GRPC = "GRPC"


class Override(enum.StrEnum):
    """AWS's administrative override of a target's state, such as a zonal shift.

    TargetAdministrativeOverrideStateEnum; a zonal shift takes traffic away from a whole zone, and
    its targets' own state stays `healthy`.
    """

    NONE = "no_override"
    SHIFTED = "zonal_shift_active"
    SHIFTED_BY_DNS = "zonal_shift_delegated_to_dns"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Health:
    """A target's state with AWS's reason for it.

    Attributes:
        state: The state by its health checks and registrations.
        reason: AWS's reason code for it.
        description: The reason in AWS's words.
        override: What stands over the state, so that a healthy target may get no requests.
        is_anomalous: Whether AWS finds that it answers unlike the others, and sends it less.
    """

    state: State
    reason: str = ""
    description: str = ""
    override: Override = Override.NONE
    is_anomalous: bool = False

    @property
    def serves(self) -> bool:
        """Whether it is healthy and the load balancer sends requests to it."""
        return self.state is State.HEALTHY and not self.is_shifted

    @property
    def is_shifted(self) -> bool:
        """Whether traffic is shifted away from its zone."""
        return self.override in {Override.SHIFTED, Override.SHIFTED_BY_DNS}

    @property
    def is_hopeless(self) -> bool:
        """No waiting makes such a target healthy: no listener, or the instance is not running."""
        return self.reason in {
            "Target.NotInUse",
            "Target.InvalidState",
            "Target.IpUnusable",
            "Target.HealthCheckDisabled",
        }

    @property
    def is_registered(self) -> bool:
        """Whether the group knows the target, be it only to drain it."""
        return self.reason != "Target.NotRegistered"

    @property
    def has_left(self) -> bool:
        """Whether it was deregistered, be it that its last requests are still answered."""
        return self.state is State.DRAINING or not self.is_registered

    @property
    def may_receive(self) -> bool:
        """Whether the load balancer may send new requests now or soon."""
        return self.state not in {State.DRAINING, State.UNUSED, State.UNHEALTHY_DRAINING}

    def __str__(self) -> str:
        more = [visible(self.reason)] if self.reason else []
        more += ["its zone is shifted away"] if self.is_shifted else []
        more += ["anomalous"] if self.is_anomalous else []
        return f"{self.state} ({', '.join(more)})" if more else str(self.state)


def weakest(states: Sequence[Health]) -> Health:
    """Of a host's health in several groups, the first that is not healthy, or the first of all."""
    return next((each for each in states if each.state is not State.HEALTHY), states[0])


GONE = Health(State.UNUSED, "Target.NotRegistered", "Target is not registered")


@dataclass(frozen=True)
class TargetGroup:
    """A target group's settings, as AWS has them; times in seconds."""

    name: str
    arn: str
    port: int
    target_type: str
    protocol_version: ProtocolVersion
    load_balancers: tuple[str, ...]
    health_path: str
    health_port: str
    matcher: str
    """The codes that mean healthy: of HTTP, or of gRPC in a group of that version."""
    interval_seconds: float
    timeout_seconds: float
    unhealthy_threshold: int
    delay_seconds: float
    slow_start_seconds: float
    zonal: bool
    """Cross-zone balancing is off: each availability zone must keep targets of its own."""
    vpc: str = ""
    """The id of the VPC that its targets are in."""
    health_protocol: str = "HTTP"
    """How the health check asks: `HTTP` or `HTTPS`."""
    least_healthy: int = 1
    """With fewer healthy targets requests go to unhealthy ones too, or a zone leaves DNS.

    The larger of both counts; in a zonal group it is one per zone.
    """
    least_healthy_percent: int = 0
    """The same as a share of the registered targets; 0 where none is set."""

    control_port: int = 0
    """Where the group's agent on each target says how many requests it takes; 0 for no agent."""

    def fewest(self, registered: int) -> int:
        """How many of so many registered targets must stay healthy, or AWS routes otherwise."""
        return max(self.least_healthy, -(-registered * self.least_healthy_percent // 100))
