"""What a target group's settings mean for a deploy: each warning has what to type."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from deploy.checkup.doctor import group_advice
from deploy.checkup.doctor.finding import Finding, Findings, Level
from deploy.checkup.refusals import Part

FIT: dict[str, Any] = {"delay_seconds": 60.0, "interval_seconds": 10.0}
ARN = builders.group().arn


def advice(app: dict[str, Any] | None = None, **group: Any) -> tuple[Finding, ...]:
    """What is noted of the group of an app whose longest request takes 30 s."""
    findings, web = Findings(), builders.app(**(app or {}))
    own = builders.group(**(FIT | group))
    health = builders.survey(apps=[web]).health
    group_advice.look(builders.environment(web), web, (own,), health, findings)
    return findings.each


def test_a_group_that_fits_is_described() -> None:
    (only,) = advice()
    assert (only.part, only.level) == (Part.BALANCER, Level.OK)
    assert only.text == (
        "web-lab of web: 1 healthy; checked every 10 s: HTTP /health gives 200; deregistration "
        "delay 60 s"
    )


@pytest.mark.parametrize(
    ("group", "app", "said", "remedy"),
    [
        ({"delay_seconds": 59.0}, {}, "under twice the longest request of web (60 s)", "Value=60"),
        ({"delay_seconds": 300.0}, {}, "each batch waits for", "Value=60"),
        ({"delay_seconds": 9.0}, {"longest_request_seconds": 4.7}, "under twice", "Value=10"),
        ({"interval_seconds": 30.0}, {}, "waits up to 30 s", "--health-check-interval-seconds 10"),
        ({"interval_seconds": 61.0}, {}, "noticed only after 122 s", "interval-seconds 10"),
        ({"matcher": "200-399"}, {}, "200-399 counts redirects as healthy", "HttpCode=200"),
        ({"matcher": "200-499"}, {}, "200-499 counts errors as healthy", "HttpCode=200"),
        ({}, {"health": {"expect": "200,404"}}, "200,404 counts errors", "HttpCode=200"),
    ],
)
def test_what_costs_time_or_hides_a_fault_is_a_warning_with_its_remedy(
    group: dict[str, Any], app: dict[str, Any], said: str, remedy: str
) -> None:
    (found,) = (each for each in advice(app, **group) if each.level is Level.WARNING)
    assert said in found.text
    assert any(remedy in line for line in found.details)
    assert any(ARN in line for line in found.details)


def test_a_long_delay_is_no_fault_where_drains_end_early() -> None:
    findings, web = Findings(), builders.app()
    quiet = builders.environment(web, rollout={"drain": "quiet"})
    own = builders.group(delay_seconds=300.0, interval_seconds=10.0)
    group_advice.look(quiet, web, (own,), builders.survey().health, findings)
    assert [each.level for each in findings.each] == [Level.OK]


def test_checks_that_come_too_late_for_a_deploy_are_a_problem() -> None:
    found = advice({"healthy_timeout_seconds": 30.0}, interval_seconds=30.0)
    (problem,) = (each for each in found if each.level is Level.PROBLEM)
    assert "checks come every 30 s, and web waits for 30 s" in problem.text
    assert problem.details


def test_grpc_codes_are_not_read_as_those_of_http() -> None:
    found = advice(protocol_version="GRPC", matcher="0-99", health_path="/grpc")
    assert [each.level for each in found] == [Level.OK]


def test_no_healthy_target_is_named() -> None:
    findings, web = Findings(), builders.app()
    own = builders.group(**FIT)
    sick = builders.survey(health={"host-1": builders.UNHEALTHY}).health
    group_advice.look(builders.environment(web), web, (own,), sick, findings)
    assert "no target is healthy now" in findings.each[1].text
