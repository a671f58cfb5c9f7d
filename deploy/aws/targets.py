"""Target groups and targets as values: settings, states, health. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from deploy.foreign_text import visible


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
    """What a load balancer sends requests to: an instance id (or an address) and a port."""

    id: str
    port: int

    def __str__(self) -> str:
        return f"{self.id}:{self.port}"


@dataclass(frozen=True)
class Health:
    """A target's state with AWS's reason for it."""

    state: State
    reason: str = ""
    description: str = ""

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
    def may_receive(self) -> bool:
        """Whether the load balancer may send new requests now or soon."""
        return self.state not in {State.DRAINING, State.UNUSED, State.UNHEALTHY_DRAINING}

    def __str__(self) -> str:
        return f"{self.state} ({visible(self.reason)})" if self.reason else str(self.state)


GONE = Health(State.UNUSED, "Target.NotRegistered", "Target is not registered")


@dataclass(frozen=True)
class TargetGroup:
    """A target group's settings, as AWS has them; times in seconds."""

    name: str
    arn: str
    port: int
    target_type: str
    protocol_version: str
    load_balancers: tuple[str, ...]
    health_path: str
    health_port: str
    matcher: str
    interval_seconds: float
    timeout_seconds: float
    unhealthy_threshold: int
    delay_seconds: float
    slow_start_seconds: float
    zonal: bool
    """Cross-zone balancing is off: each availability zone must keep targets of its own."""
