"""One target's life as an Application Load Balancer reports it: values in, values out.

Nothing here reads a clock or opens a connection. Every function gets the time (seconds, any
epoch, always the same one) and gives a new value back; states and reasons are AWS's own words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """Where a target is, in AWS's words."""

    UNUSED = "unused"
    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"


class Reason(StrEnum):
    """Why it is there, in AWS's reason codes; healthy targets have none."""

    NONE = ""
    REGISTERING = "Elb.RegistrationInProgress"
    CHECKING = "Elb.InitialHealthChecking"
    MISMATCH = "Target.ResponseCodeMismatch"
    TIMEOUT = "Target.Timeout"
    FAILED = "Target.FailedHealthChecks"
    NOT_REGISTERED = "Target.NotRegistered"
    NOT_IN_USE = "Target.NotInUse"
    INVALID_STATE = "Target.InvalidState"
    DEREGISTERING = "Target.DeregistrationInProgress"


DESCRIPTIONS = {
    Reason.REGISTERING: "Target registration is in progress",
    Reason.CHECKING: "Initial health checks in progress",
    Reason.TIMEOUT: "Request timed out",
    Reason.FAILED: "Health checks failed",
    Reason.NOT_REGISTERED: "Target is not registered to the target group",
    Reason.NOT_IN_USE: "Target group is not configured to receive traffic from the load balancer",
    Reason.INVALID_STATE: "Target is not in the running state",
    Reason.DEREGISTERING: "Target deregistration is in progress",
}


class StillDraining(Exception):
    """An `ip` target was registered again before its deregistration delay was over."""


@dataclass(frozen=True, order=True)
class Key:
    """What a registration is: the same instance on two ports is two targets."""

    group: str
    id: str
    port: int


@dataclass(frozen=True)
class Checks:
    """A group's health check as it is now; the interval is divided by the lab's divisor."""

    path: str = "/"
    port: int | None = None  # None is the traffic port
    interval_seconds: float = 30.0
    timeout_seconds: float = 5.0
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    matcher: str = "200"
    is_tls: bool = False
    version: str = "HTTP1"  # in AWS's words: HTTP2 and GRPC are the others


@dataclass(frozen=True)
class Outcome:
    """What one health check saw: a status, of a gRPC call its code, or why there is none."""

    status: int = 0
    reason: Reason = Reason.NONE


@dataclass(frozen=True)
class Target:
    """One registration; times in seconds.

    `registration` distinguishes one registration of a key from the next: the result of a check
    that began before a target left and came back belongs to the past. `left_at` is when a target
    that got requests was deregistered, `gone_at` when its in-flight ones are cut.
    """

    key: Key
    registration: int
    check_at: float
    state: State = State.INITIAL
    reason: Reason = Reason.REGISTERING
    status: int = 0
    checked_at: float | None = None
    passes: int = 0
    fails: int = 0
    left_at: float | None = None
    gone_at: float = 0.0

    @property
    def description(self) -> str:
        """AWS's sentence for the reason."""
        if self.reason is Reason.MISMATCH:
            return f"Health checks failed with these codes: [{self.status}]"
        return DESCRIPTIONS.get(self.reason, "")


def matches(matcher: str, status: int) -> bool:
    """Whether a status or a gRPC code fits AWS's matcher syntax: `200`, `200-299`, `0,12`."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def register(
    key: Key,
    before: Target | None,
    now: float,
    *,
    registration: int,
    first_check_delay_seconds: float = 0.0,
    target_type: str = "instance",
) -> Target:
    """Register a target; one that is registered already stays as it is.

    A draining instance comes back as `initial`. Raises StillDraining for a draining `ip` target.
    """
    if before is not None and before.state is not State.DRAINING:
        return before
    if before is not None and target_type == "ip":
        raise StillDraining(key.id)
    return Target(key, registration, check_at=now + first_check_delay_seconds)


def deregister(target: Target, now: float, *, delay_seconds: float, serving: bool) -> Target | None:
    """Begin to drain; None when it is gone at once (no delay, or the group was not in use).

    A target that was `serving` still gets new requests from nodes that have not heard of it.
    """
    if target.state is State.DRAINING:
        return target
    if delay_seconds <= 0 or target.state is State.UNUSED:
        return None
    return replace(
        target,
        state=State.DRAINING,
        reason=Reason.DEREGISTERING,
        left_at=now if serving else None,
        gone_at=now + delay_seconds,
    )


def elapsed(target: Target, now: float, *, in_use: bool, running: bool) -> Target | None:
    """Let time and surroundings act on a target; None when its delay is over.

    `in_use`: a listener sends to its group. `running`: its instance does.
    """
    if target.state is State.DRAINING:
        return None if now >= target.gone_at else target
    if not in_use:
        return replace(target, state=State.UNUSED, reason=Reason.NOT_IN_USE)
    if not running:
        return replace(target, state=State.UNUSED, reason=Reason.INVALID_STATE)
    if target.state is State.UNUSED:
        return Target(target.key, target.registration, check_at=now)
    return target


def is_check_due(target: Target, checks: Checks, now: float) -> bool:
    """Whether it is time for the next check: the interval counts from start to start."""
    if target.state in {State.UNUSED, State.DRAINING}:
        return False
    if target.checked_at is None:
        return now >= target.check_at
    return now >= target.checked_at + checks.interval_seconds


def checked(target: Target, outcome: Outcome, checks: Checks) -> Target:
    """Count one check: a single pass makes `initial` healthy, thresholds rule the rest."""
    if target.state in {State.UNUSED, State.DRAINING}:
        return target
    reason = outcome.reason
    if reason is Reason.NONE and not matches(checks.matcher, outcome.status):
        reason = Reason.MISMATCH
    if reason is Reason.NONE:
        target = replace(target, passes=target.passes + 1, fails=0, status=outcome.status)
        needed = checks.healthy_threshold if target.state is State.UNHEALTHY else 1
        if target.passes >= needed:
            return replace(target, state=State.HEALTHY, reason=Reason.NONE)
        return target
    target = replace(target, passes=0, fails=target.fails + 1, status=outcome.status)
    if target.state is State.UNHEALTHY or target.fails >= checks.unhealthy_threshold:
        return replace(target, state=State.UNHEALTHY, reason=reason)
    if target.state is State.INITIAL:
        return replace(target, reason=Reason.CHECKING)
    return target


def serving(targets: Iterable[Target], now: float, lag_seconds: float = 0.0) -> frozenset[Key]:
    """Give the keys of one group's targets that get new requests from a node now.

    The healthy ones; with none healthy and some unhealthy, the group fails open to all that are
    registered; in both cases also those that drain, for as long as the node hears of it late.
    """
    all_targets = list(targets)
    states = {target.state for target in all_targets}
    takes = {State.HEALTHY}
    if State.HEALTHY not in states and State.UNHEALTHY in states:
        takes = {State.UNHEALTHY, State.INITIAL}
    return frozenset(
        target.key
        for target in all_targets
        if target.state in takes or _still_gets(target, now, lag_seconds)
    )


def _still_gets(target: Target, now: float, lag_seconds: float) -> bool:
    """Whether a node that hears of a deregistration so late still sends to a draining target."""
    if target.state is not State.DRAINING or target.left_at is None:
        return False
    return now < min(target.left_at + lag_seconds, target.gone_at)
