"""What is suggested is never less than what was measured, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from deploy.observe import findings
from deploy.steps.observation import Observation

SEEN = Observation(
    arrivals=40,
    peers=2,
    watched_seconds=3.0,
    draining_seconds=0.4,
    last_request_seconds=4.0,
    drain_seconds=60.0,
    healthy_seconds=2.0,
)
GROUP = builders.group("web-lab", delay_seconds=60.0, interval_seconds=5.0)


@pytest.mark.parametrize("last_seconds", [0.0, 0.4, 1.0, 3.9, 4.0, 9.2, 29.0])
def test_the_suggested_propagation_is_longer_than_the_longest_that_was_seen(
    last_seconds: float,
) -> None:
    seen = (replace(SEEN, last_request_seconds=last_seconds), SEEN)
    longest = max(last_seconds, 4.0)
    suggested = findings.propagation_seconds([GROUP], seen)
    assert suggested is not None
    assert longest + 1 <= suggested <= 2 * longest + 2


@pytest.mark.parametrize("arrivals", [0, 1, 5])
def test_where_few_requests_came_before_nothing_is_suggested(arrivals: int) -> None:
    """Also where it is one of two rounds."""
    few = replace(SEEN, arrivals=arrivals, last_request_seconds=9.0)
    assert findings.propagation_seconds([GROUP], (few,)) is None
    assert findings.propagation_seconds([GROUP], (SEEN, few)) is None


CHECKS: dict[str, tuple[int, list[float], int]] = {
    "twelve nodes": (12, [5.0], 12),
    "four nodes that ask quickly": (4, [1.0], 16),
    "two groups of three nodes": (3, [5.0, 2.0], 9),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_health_checks_alone_may_bring_is_no_sign_of_requests(name: str) -> None:
    """Each node of a load balancer asks by itself, once in each interval."""
    peers, intervals, checks = CHECKS[name]
    groups = [replace(GROUP, interval_seconds=each) for each in intervals]
    few = replace(SEEN, arrivals=checks, peers=peers)
    assert findings.propagation_seconds(groups, [few]) is None
    (said, *_) = findings.suggestions(builders.environment(), groups, [few])
    assert f"in the 3 s before: {checks} connections brought some, and health checks" in said
    assert f"from {peers} addresses may be up to {checks}" in said
    more = replace(few, arrivals=checks + 1)
    assert findings.propagation_seconds(groups, [more]) is not None


def test_the_time_between_two_requests_counts() -> None:
    rare = replace(SEEN, arrivals=6, watched_seconds=6.0)
    assert findings.propagation_seconds([GROUP], (rare,)) == 8
    assert findings.propagation_seconds([GROUP], (SEEN,)) == 7


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a lag": ({}, {}, "propagation_seconds: 7 (now 15): the last request came 4.0 s after"),
    "nothing came before": (
        {"arrivals": 0},
        {},
        "Too few requests came in the 3 s before: 0 connections brought some, and health checks",
    ),
    "requests to the end": (
        {"last_request_seconds": 59.8},
        {},
        "Requests came until the end of the drain (60 s)",
    ),
    "slow checks": (
        {"healthy_seconds": 31.0},
        {"interval_seconds": 30.0},
        "HealthCheckIntervalSeconds of web-lab: 5 (now 30): the host was healthy again 31.0 s",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_suggestion_has_its_evidence(name: str) -> None:
    seen, group, expected = CASES[name]
    found = findings.suggestions(
        builders.environment(), [replace(GROUP, **group)], [replace(SEEN, **seen)]
    )
    assert any(text.startswith(expected) for text in found), found


def test_quick_checks_are_left_as_they_are() -> None:
    found = findings.suggestions(builders.environment(), [GROUP], [SEEN])
    assert len(found) == 1
    slow = replace(GROUP, interval_seconds=30.0)
    assert len(findings.suggestions(builders.environment(), [slow], [SEEN])) == 1


ROLLOUTS: dict[str, tuple[dict[str, Any], int, float]] = {
    "one by one": ({"batch": 1}, 4, 4 * (60 + 2 + 10)),
    "halves": ({"batch": "50%"}, 4, 2 * (60 + 2 + 10)),
    "a ramp": ({"batch": [1, "50%"]}, 4, 3 * (60 + 2 + 10)),
    "a window": ({"window": 2}, 5, 3 * (60 + 2 + 10)),
    "quiet": ({"batch": 1, "drain": "quiet"}, 4, 4 * (7 + 2 + 10)),
    "surge": ({"batch": 1, "strategy": "surge"}, 4, 4 * (2 + 10) + 60),
}


@pytest.mark.parametrize("name", ROLLOUTS)
def test_the_time_of_a_deploy_is_that_of_its_waits(name: str) -> None:
    rollout, hosts, expected = ROLLOUTS[name]
    app = builders.app("web", 5000, 5001, prove_seconds=10)
    environment = builders.environment(app, batch=None, rollout=rollout)
    assert findings.deploy_seconds(environment, hosts, [GROUP], [SEEN]) == expected
