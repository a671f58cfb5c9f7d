"""The load balancer's nodes: each in its zone, with its own lag, and its own targets if so set."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from paper_account import Account, running

from lab.targets import Outcome
from lab.zones import ZONES, host_address, subnets, zone_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NETWORK = "10.88.0.0/24"
NEAR, FAR = "10.88.0.11", "10.88.0.75"


@pytest.fixture(scope="module")
def zonal() -> Iterator[Account]:
    """A host in each of the two zones that have a node."""
    hosts = [{"name": f"host-{number}", "address": each} for number, each in enumerate((NEAR, FAR))]
    with running(NETWORK, hosts) as account:
        yield account


@pytest.fixture
def account(zonal: Account) -> Account:
    """All of it in service."""
    zonal.reset()
    zonal.check(Outcome(status=200))
    return zonal


def test_hosts_take_the_zones_in_turn() -> None:
    addresses = [host_address(NETWORK, number) for number in range(1, 101)]
    assert addresses[:4] == [NEAR, FAR, "10.88.0.139", "10.88.0.12"]
    assert [zone_of(NETWORK, each) for each in addresses[:4]] == [*ZONES, ZONES[0]]
    assert len({*addresses}) == len(addresses)
    assert [*subnets(NETWORK)] == [*ZONES]
    with pytest.raises(LookupError):
        zone_of(NETWORK, "10.88.0.200")


def test_each_node_sends_to_all_zones_or_to_its_own_alone(account: Account) -> None:
    near, far = account.plane, account.far_plane
    assert near.serving("web-lab") == far.serving("web-lab") == {NEAR, FAR}
    elb = account.client("elbv2")
    arn = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"][0]["TargetGroupArn"]
    off = {"Key": "load_balancing.cross_zone.enabled", "Value": "false"}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[off])
    account.reconciler.advance(time.time())
    assert (near.serving("web-lab"), far.serving("web-lab")) == ({NEAR}, {FAR})
    assert near.serving("admin-lab") == {NEAR, FAR}, "the other group was not set"


@pytest.fixture
def by_address(account: Account) -> Iterator[str]:
    """The ARN of a group of type `ip` with a listener, in which both hosts are healthy."""
    elb = account.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (group,) = elb.create_target_group(
        Name="by-address",
        Protocol="HTTP",
        Port=5000,
        VpcId=balancer["VpcId"],
        TargetType="ip",
    )["TargetGroups"]
    arn = group["TargetGroupArn"]
    (listener,) = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=99,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )["Listeners"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": NEAR}, {"Id": FAR}])
    for _ in range(5):  # the group's healthy threshold
        account.check(Outcome(status=200))
    yield arn
    elb.delete_listener(ListenerArn=listener["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=arn)


def test_a_target_by_address_has_the_zone_of_its_machine(account: Account, by_address: str) -> None:
    near, far = account.plane, account.far_plane
    assert near.serving("by-address") == far.serving("by-address") == {NEAR, FAR}
    elb = account.client("elbv2")
    off = {"Key": "load_balancing.cross_zone.enabled", "Value": "false"}
    elb.modify_target_group_attributes(TargetGroupArn=by_address, Attributes=[off])
    account.reconciler.advance(time.time())
    assert (near.serving("by-address"), far.serving("by-address")) == ({NEAR}, {FAR})
    account.knobs.update({"shifted_zone": ZONES[1]})
    account.reconciler.advance(time.time())
    assert (near.serving("by-address"), far.serving("by-address")) == ({NEAR}, set())
    shown = {
        each["Target"]["Id"]: each["AdministrativeOverride"]["State"]
        for each in elb.describe_target_health(TargetGroupArn=by_address)[
            "TargetHealthDescriptions"
        ]
    }
    assert shown == {NEAR: "no_override", FAR: "zonal_shift_active"}


def test_each_node_hears_of_a_deregistration_at_its_own_time(account: Account) -> None:
    account.knobs.update({"propagation_lag_seconds": 1, "node_lag_seconds": {ZONES[1]: 3}})
    elb = account.client("elbv2")
    arn = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"][0]["TargetGroupArn"]
    instance = account.instances["host-0"]
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": instance}])
    seen = {}
    for seconds in (0.5, 2, 4.5):
        account.reconciler.advance(time.time() + seconds)
        nodes = (account.plane, account.far_plane)
        seen[seconds] = [NEAR in node.serving("web-lab") for node in nodes]
    assert seen == {0.5: [True, True], 2: [False, True], 4.5: [False, False]}
