"""The lab's targets behave as AWS says an Application Load Balancer's do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.errors import BadInput
from lab.gate import EC2, ELB, STS, Throttle
from lab.generator import Failure
from lab.knobs import Knobs
from lab.load import LoadResult, schedule
from lab.targets import (
    Checks,
    Key,
    Outcome,
    Reason,
    State,
    StillDraining,
    Target,
    checked,
    deregister,
    elapsed,
    is_check_due,
    matches,
    register,
    serving,
)

KEY = Key("web-lab", "i-1", 5000)
CHECKS = Checks(interval_seconds=5, timeout_seconds=2, healthy_threshold=3, unhealthy_threshold=2)
PASS = Outcome(status=200)
SICK = Outcome(status=503)
TIMEOUT = Outcome(reason=Reason.TIMEOUT)
REFUSED = Outcome(reason=Reason.FAILED)


def fresh(now: float = 100.0, delay: float = 0.0) -> Target:
    return register(KEY, None, now, registration=1, first_check_delay_seconds=delay)


def after(target: Target, *outcomes: Outcome) -> Target:
    for outcome in outcomes:
        target = checked(target, outcome, CHECKS)
    return target


@pytest.mark.parametrize(
    ("outcomes", "state", "reason"),
    [
        ((), State.INITIAL, Reason.REGISTERING),
        ((PASS,), State.HEALTHY, Reason.NONE),
        ((SICK,), State.INITIAL, Reason.CHECKING),
        ((SICK, PASS), State.HEALTHY, Reason.NONE),
        ((SICK, SICK), State.UNHEALTHY, Reason.MISMATCH),
        ((TIMEOUT, TIMEOUT), State.UNHEALTHY, Reason.TIMEOUT),
        ((REFUSED, REFUSED), State.UNHEALTHY, Reason.FAILED),
        ((SICK, SICK, REFUSED), State.UNHEALTHY, Reason.FAILED),
        ((PASS, SICK), State.HEALTHY, Reason.NONE),
        ((PASS, SICK, PASS, SICK), State.HEALTHY, Reason.NONE),
        ((PASS, SICK, TIMEOUT), State.UNHEALTHY, Reason.TIMEOUT),
        ((SICK, SICK, PASS, PASS), State.UNHEALTHY, Reason.MISMATCH),
        ((SICK, SICK, PASS, PASS, PASS), State.HEALTHY, Reason.NONE),
        ((SICK, SICK, PASS, PASS, SICK, PASS), State.UNHEALTHY, Reason.MISMATCH),
    ],
)
def test_one_pass_makes_a_new_target_healthy_and_thresholds_rule_the_rest(
    outcomes: tuple[Outcome, ...], state: State, reason: Reason
) -> None:
    target = after(fresh(), *outcomes)
    assert (target.state, target.reason) == (state, reason)


@pytest.mark.parametrize(
    ("matcher", "status", "fits"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200-299", 204, True),
        ("200-299", 300, False),
        ("200,302", 302, True),
        ("200,302", 201, False),
        ("200, 300-303", 303, True),
    ],
)
def test_the_matcher_is_read_as_aws_writes_it(matcher: str, status: int, fits: bool) -> None:
    assert matches(matcher, status) is fits
    state = checked(fresh(), Outcome(status=status), replace(CHECKS, matcher=matcher)).state
    assert (state is State.HEALTHY) is fits


def test_a_deregistered_target_drains_for_the_whole_delay_and_is_then_gone() -> None:
    target = deregister(after(fresh(), PASS), 200, delay_seconds=10, serving=True)
    assert target is not None
    assert (target.state, target.reason) == (State.DRAINING, Reason.DEREGISTERING)
    assert elapsed(target, 209.9, in_use=True, running=True) == target
    assert elapsed(target, 210.0, in_use=True, running=True) is None


def test_draining_again_does_not_begin_again() -> None:
    once = deregister(after(fresh(), PASS), 200, delay_seconds=10, serving=True)
    assert once is not None
    assert deregister(once, 205, delay_seconds=10, serving=True) is once


def test_without_a_delay_or_out_of_use_it_is_gone_at_once() -> None:
    healthy = after(fresh(), PASS)
    assert deregister(healthy, 200, delay_seconds=0, serving=True) is None
    unused = elapsed(healthy, 200, in_use=False, running=True)
    assert unused is not None
    assert deregister(unused, 200, delay_seconds=10, serving=False) is None


def test_new_requests_go_on_for_the_propagation_lag_but_never_past_the_delay() -> None:
    healthy = after(fresh(), PASS)
    lagging = deregister(healthy, 200, delay_seconds=10, serving=True)
    assert lagging is not None
    assert serving([lagging], 202.9, lag_seconds=3) == {KEY}
    assert serving([lagging], 203.0, lag_seconds=3) == frozenset()
    assert serving([lagging], 203.0, lag_seconds=5) == {KEY}, "another node hears of it later"
    short = deregister(healthy, 200, delay_seconds=2, serving=True)
    assert short is not None
    assert serving([short], 201.9, lag_seconds=3) == {KEY}
    assert serving([short], 202.0, lag_seconds=3) == frozenset()
    idle = deregister(fresh(), 200, delay_seconds=10, serving=False)
    assert idle is not None
    assert serving([idle], 201, lag_seconds=3) == frozenset()


def test_a_draining_instance_can_come_back_and_must_pass_again() -> None:
    draining = deregister(after(fresh(), PASS), 200, delay_seconds=10, serving=True)
    back = register(KEY, draining, 205, registration=2)
    assert (back.state, back.reason, back.registration) == (State.INITIAL, Reason.REGISTERING, 2)
    assert serving([back], 205) == frozenset()
    with pytest.raises(StillDraining):
        register(KEY, draining, 205, registration=2, target_type="ip")


def test_registering_what_is_registered_changes_nothing() -> None:
    healthy = after(fresh(), PASS)
    assert register(KEY, healthy, 300, registration=2) is healthy


@pytest.mark.parametrize(
    ("in_use", "running", "reason"),
    [(False, True, Reason.NOT_IN_USE), (True, False, Reason.INVALID_STATE)],
)
def test_a_target_that_cannot_be_reached_is_unused_and_comes_back_as_initial(
    in_use: bool, running: bool, reason: Reason
) -> None:
    unused = elapsed(after(fresh(), PASS), 200, in_use=in_use, running=running)
    assert unused is not None
    assert (unused.state, unused.reason) == (State.UNUSED, reason)
    assert not is_check_due(unused, CHECKS, 1000)
    assert checked(unused, PASS, CHECKS) == unused
    back = elapsed(unused, 300, in_use=True, running=True)
    assert back is not None
    assert back.state is State.INITIAL
    assert is_check_due(back, CHECKS, 300)


def test_the_first_check_waits_for_its_delay_and_the_next_for_the_interval() -> None:
    target = fresh(now=100, delay=2)
    assert not is_check_due(target, CHECKS, 101.9)
    assert is_check_due(target, CHECKS, 102)
    target = replace(target, checked_at=102)
    assert not is_check_due(target, CHECKS, 106.9)
    assert is_check_due(target, CHECKS, 107)
    assert is_check_due(target, replace(CHECKS, interval_seconds=1), 103)


def test_a_group_serves_its_healthy_ones_and_fails_open_when_it_has_none() -> None:
    def one(number: int, *outcomes: Outcome) -> Target:
        return replace(after(fresh(), *outcomes), key=Key("web-lab", f"i-{number}", 5000))

    healthy, sick, new = one(1, PASS), one(2, SICK, SICK), one(3)
    assert serving([healthy, sick, new], 100) == {healthy.key}
    assert serving([sick, new], 100) == {sick.key, new.key}
    assert serving([new], 100) == frozenset()
    assert serving([], 100) == frozenset()


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (after(fresh(), SICK, SICK), "Health checks failed with these codes: [503]"),
        (after(fresh(), TIMEOUT, TIMEOUT), "Request timed out"),
        (after(fresh(), REFUSED, REFUSED), "Health checks failed"),
        (fresh(), "Target registration is in progress"),
        (after(fresh(), PASS), ""),
    ],
)
def test_the_description_is_aws_s_own(target: Target, sentence: str) -> None:
    assert target.description == sentence


def test_elb_calls_are_throttled_at_aws_s_rates() -> None:
    throttle = Throttle()

    def taken(operation: str, now: float, times: int = 50) -> int:
        return sum(throttle.takes(ELB, operation, now) for _ in range(times))

    assert taken("RegisterTargets", 1.0) == 20
    assert taken("DescribeTargetHealth", 1.0) == 20, "those before count for the account"
    assert taken("DeregisterTargets", 2.0) == 4
    assert taken("DescribeTargetHealth", 2.0) == 6


@pytest.mark.parametrize(
    ("service", "operation", "at_once", "a_second"),
    [
        (EC2, "DescribeInstances", 100, 20),
        (EC2, "CreateTags", 1000, 1000),
        (STS, "GetCallerIdentity", 600, 600),
        ("autoscaling", "DescribeAutoScalingInstances", 1000, 1000),
    ],
)
def test_calls_of_other_services_have_buckets_of_their_own(
    service: str, operation: str, at_once: int, a_second: int
) -> None:
    """Auto Scaling has none, and each operation of EC2 its own."""
    throttle = Throttle()
    for other, call in ((ELB, "DescribeTargetHealth"), (EC2, "DescribeImages")):
        while throttle.takes(other, call, 1.0):
            pass
    for now, count in ((1.0, at_once), (2.0, a_second)):
        assert sum(throttle.takes(service, operation, now) for _ in range(1000)) == count


@pytest.mark.parametrize(
    "values",
    [
        {"propagation_leg_seconds": 1},
        {"propagation_lag_seconds": -1},
        {"propagation_lag_seconds": "1"},
        {"time_divisor": 0},
        {"throttle": 1},
        {"api_error": 5},
        {"denied": "RegisterTargets"},
        {"denied": [""]},
        {"api_html": "DescribeTargetHealth"},
        {"api_html": {"action": ""}},
        {"api_html": {"action": "*", "count": 0}},
        {"api_html": {"action": "*", "status": "200"}},
        {"api_html": {"actions": "*"}},
        {"shifted_zone": "eu-west-9a"},
        {"node_lag_seconds": 3},
        {"node_lag_seconds": {"eu-west-9a": 3}},
        {"node_lag_seconds": {"eu-west-1a": -1}},
        {"node_lag_seconds": {"eu-west-1a": True}},
    ],
)
def test_a_wrong_knob_is_refused_and_none_is_turned(values: dict[str, object]) -> None:
    knobs = Knobs()
    with pytest.raises(BadInput):
        knobs.update({"first_check_delay_seconds": 3, **values})
    assert knobs == Knobs()


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "http://10.0.0.1:80/", "https://127.0.0.1/", "127.0.0.1:80", ""],
)
def test_load_goes_to_loopback_addresses_only(url: str) -> None:
    with pytest.raises(BadInput, match="loopback"):
        schedule(url)
    assert schedule("http://127.0.0.1:8080/x?y=1").path == "/x?y=1"


def test_a_load_s_result_reads_as_one_line() -> None:
    result = LoadResult(3, 1, (Failure(1.0, "status 503", "/"),), {"2.0.0": 2}, 1.5, 9.0, {}, {})
    assert str(result) == "3 requests, 1 failed, p50 1.5 ms, p99 9.0 ms (2.0.0: 2)"
