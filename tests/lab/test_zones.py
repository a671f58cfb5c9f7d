"""Hosts in three zones, a node of the load balancer in each: own lags, own targets, a shift."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from lab.load import Load
from lab.project import called, group_arn, set_delay, until
from lab.zones import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.fleet import Lab
    from lab.project import Project

FIRST, SECOND, THIRD = ZONES
RATE = 40
DELAY_SECONDS = 8
"""Longer than the slowest node sends new requests (4 s), and those take (2 s): the rest is cut."""
CROSS_ZONE = "load_balancing.cross_zone.enabled"


def set_cross_zone(lab: Lab, value: str) -> None:
    attribute = {"Key": CROSS_ZONE, "Value": value}
    lab.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=group_arn(lab, "web-lab"), Attributes=[attribute]
    )


@contextmanager
def load_on(lab: Lab, zones: Sequence[str] = ZONES, rate: float = RATE) -> Iterator[list[Load]]:
    """Load on the nodes of these zones while the block runs."""
    with ExitStack() as loads:
        yield [loads.enter_context(Load(lab.url("web", zone), rate=rate)) for zone in zones]


def failed(loads: Sequence[Load]) -> int:
    return sum(load.result.failed for load in loads)


def versions(loads: Sequence[Load]) -> set[str]:
    """What each of them got; all the same, or the set has another member."""
    return {" ".join(sorted(load.result.by_version)) for load in loads}


def hosts_in(lab: Lab, zone: str) -> list[str]:
    found = [called(host) for host in lab.hosts if host.zone == zone]
    assert found, f"the lab has no host in {zone}"
    return found


def test_p1_nodes_that_hear_of_a_deregistration_at_different_times_lose_nothing(
    project: Project, lab: Lab
) -> None:
    """A quiet drain, whose floor is the propagation time of the slowest node."""
    project.environment["rollout"] = {"drain": "quiet"}
    project.environment.update({"propagation_seconds": 4.5, "quiet_seconds": 0.5})
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", DELAY_SECONDS)
    lab.knobs(propagation_lag_seconds=0.5, node_lag_seconds={SECOND: 1, THIRD: 3})
    with load_on(lab) as loads:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert failed(loads) == 0, [load.result.failures for load in loads]
    assert versions(loads) == {"1.0.0 2.0.0"}


def test_control_the_slowest_node_loses_requests_where_the_floor_is_the_fastest_ones(
    project: Project, lab: Lab
) -> None:
    """As the control of a lag without a floor, and the other nodes have none."""
    project.environment["rollout"] = {"drain": "quiet"}
    project.environment.update({"propagation_seconds": 0, "quiet_seconds": 0})
    project.web["start_timeout_seconds"] = 20
    project.environment["ignore_peers"] = ["10.0.0.0/8"]  # what is seen to send stops no drain
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0", start_seconds=8)
    set_delay(lab, "web-lab", DELAY_SECONDS)
    lab.knobs(propagation_lag_seconds=0, node_lag_seconds={THIRD: DELAY_SECONDS})
    with load_on(lab, [THIRD], rate=2) as slowest:
        ran = project.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
    assert ran.code == 0, ran.output
    assert failed(slowest) > 0


@pytest.fixture
def apart(lab: Lab) -> Iterator[Lab]:
    """Each node sends to the hosts of its own zone alone."""
    set_cross_zone(lab, "false")
    yield lab
    set_cross_zone(lab, "use_load_balancer_configuration")


def test_p2_without_cross_zone_balancing_a_zones_only_host_is_not_taken_out(
    project: Project, apart: Lab
) -> None:
    """Refused; the control, which accepts the outage, loses requests in that zone alone."""
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(apart, "web-lab", 2)
    (only,) = hosts_in(apart, THIRD)
    before = len(apart.events())
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert f"would leave zone {THIRD} of web-lab without a target" in ran.output
    assert "cross-zone balancing is off" in ran.output
    assert len(apart.events()) == before
    with load_on(apart) as loads:
        ran = project.deploy("2.0.0", "--allow-downtime", "--hosts", only)
    assert ran.code == 0, ran.output
    assert [load.result.failed > 0 for load in loads] == [zone == THIRD for zone in ZONES]


def test_p1_a_surge_takes_no_zone_out_without_cross_zone_balancing(
    project: Project, apart: Lab
) -> None:
    project.web["ports"] = [5000, 5001]
    project.environment["rollout"] = {"strategy": "surge"}
    project.environment["propagation_seconds"] = 4
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(apart, "web-lab", DELAY_SECONDS)
    apart.knobs(node_lag_seconds={SECOND: 2})
    with load_on(apart) as loads:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert failed(loads) == 0, [load.result.failures for load in loads]
    assert versions(loads) == {"1.0.0 2.0.0"}


def test_a_zone_that_traffic_is_shifted_away_from_goes_first_and_is_no_capacity(
    project: Project, lab: Lab
) -> None:
    """Two of four hosts are in it: the others are no batch, and its own are."""
    away = hosts_in(lab, FIRST)
    project.install("1.0.0")
    project.build("2.0.0")
    lab.knobs(shifted_zone=FIRST)
    shifted = [host.instance_id for host in lab.hosts if host.zone == FIRST]
    arn = group_arn(lab, "web-lab")

    def overridden() -> list[str]:
        found = lab.client("elbv2").describe_target_health(TargetGroupArn=arn)
        return [
            each["Target"]["Id"]
            for each in found["TargetHealthDescriptions"]
            if each["AdministrativeOverride"]["State"] == "zonal_shift_active"
        ]

    until("the API shows the shift", lambda: sorted(overridden()) == sorted(shifted))
    planned = project.deploy("2.0.0", "--dry-run", "--batch", "2")
    assert planned.code == 2, planned.output
    assert "would leave no target of web-lab in service (2 healthy now)" in planned.output
    with load_on(lab, [SECOND, THIRD]) as loads:
        ran = project.deploy("2.0.0", "--batch", "1")
    assert ran.code == 0, ran.output
    assert f"traffic is shifted away from zone {FIRST}" in ran.output
    assert failed(loads) == 0, [load.result.failures for load in loads]
    for number, host in enumerate(sorted(away), 1):
        assert f"batch {number} of {len(lab.hosts)}: {host}; " in ran.output
