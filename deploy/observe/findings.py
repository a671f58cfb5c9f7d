"""Suggests settings from what was observed of an account, and estimates a deploy's time. Pure.

Two rounds are few, so what is suggested has a margin and is never less than what was measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deploy.plan import order
from deploy.steps import observation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.settings.environment import Environment
    from deploy.steps.observation import Observation

MARGIN, LEAST_MARGIN_SECONDS = 1.5, 1.0
SLOW_CHECK_SECONDS = 10.0
"""An interval between health checks above which they are most of what a host waits for."""


def most_checks(groups: Sequence[TargetGroup], each: Observation) -> int:
    """How many of the connections before the deregistration may be health checks."""
    return observation.most_checks(each.peers, each.watched_seconds, _intervals(groups))


def _shows_requests(groups: Sequence[TargetGroup], each: Observation) -> bool:
    return observation.shows_requests(
        each.arrivals, each.peers, each.watched_seconds, _intervals(groups)
    )


def _intervals(groups: Sequence[TargetGroup]) -> tuple[float, ...]:
    return tuple(group.interval_seconds for group in groups)


def propagation_seconds(groups: Sequence[TargetGroup], seen: Sequence[Observation]) -> int | None:
    """How long a drain should last at least; None where no request showed it."""
    if not all(_shows_requests(groups, each) for each in seen):
        return None
    # The next request might have come just after the last one.
    longest = max(each.last_request_seconds + each.watched_seconds / each.arrivals for each in seen)
    return math.ceil(max(MARGIN * longest, longest + LEAST_MARGIN_SECONDS))


def suggestions(
    environment: Environment, groups: Sequence[TargetGroup], seen: Sequence[Observation]
) -> tuple[str, ...]:
    """One line each: a setting, its value, and the evidence for it."""
    found: list[str] = []
    still = [each for each in seen if _is_unending(each)]
    suggested = propagation_seconds(groups, seen)
    if still:
        found.append(
            f"Requests came until the end of the drain ({still[0].drain_seconds:g} s): something "
            "besides the target groups sends them, or the deregistration delay is shorter than "
            "load balancers need to hear of it. No setting is suggested."
        )
    elif suggested is None:
        few = next(each for each in seen if not _shows_requests(groups, each))
        found.append(
            f"Too few requests came in the {few.watched_seconds:g} s before: {few.arrivals} "
            f"connections brought some, and health checks from {few.peers} addresses may be up to "
            f"{most_checks(groups, few)}, so when the last request comes cannot be seen. Observe "
            "again while the host is used more."
        )
    else:
        last = max(each.last_request_seconds for each in seen)
        now = environment.propagation_seconds
        than = "as now" if now == suggested else f"now {now:g}"
        found.append(
            f"propagation_seconds: {suggested} ({than}): the last request came {last:.1f} s after "
            "the deregistration"
        )
    for group in groups:
        found += _of_checks(group, max(each.healthy_seconds for each in seen))
    return tuple(found)


def _is_unending(each: Observation) -> bool:
    """Whether requests came in until the watch was over."""
    return each.last_request_seconds > each.drain_seconds - 1.0


def _of_checks(group: TargetGroup, healthy_seconds: float) -> list[str]:
    """What the group's health check costs a deploy."""
    if group.interval_seconds <= SLOW_CHECK_SECONDS or healthy_seconds < group.interval_seconds / 2:
        return []
    return [
        f"HealthCheckIntervalSeconds of {group.name}: 5 (now {group.interval_seconds:g}): the host "
        f"was healthy again {healthy_seconds:.1f} s after its registration, and each batch waits "
        "for that"
    ]


def deploy_seconds(
    environment: Environment,
    hosts: int,
    groups: Sequence[TargetGroup],
    seen: Sequence[Observation],
) -> float:
    """How long a deploy to so many hosts waits: drains, proofs, and health as it was measured.

    Uploads and the app's own start come on top.
    """
    rollout, (app, *_) = environment.rollout, environment.asked_apps
    drain_seconds = max(group.delay_seconds for group in groups)
    if rollout.drain == "quiet":
        floor = propagation_seconds(groups, seen) or environment.propagation_seconds
        drain_seconds = min(max(floor, environment.quiet_seconds), drain_seconds)
    measured = max(each.healthy_seconds for each in seen)
    turn = app.prove_seconds + measured + rollout.soak_seconds
    cut = order.batches(rollout, range(hosts), hosts)
    turns = -(-hosts // rollout.window) if rollout.window else len(cut)
    if rollout.strategy == "surge":
        return turns * turn + drain_seconds
    return turns * (turn + drain_seconds)
