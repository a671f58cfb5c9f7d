"""Instances of every kind are read, or refused in words that name them."""

from __future__ import annotations

from typing import Any

import pytest
from documents import ID, INSTANCE, VPC, account, hosts, outcome, without

from deploy.aws import instances
from deploy.errors import DeployError

INSTANCES: dict[str, tuple[dict[str, Any], str]] = {
    "as EC2 gives it": (INSTANCE, ""),
    "without a Name tag": (INSTANCE | {"Tags": INSTANCE["Tags"][:1]}, ""),
    "with an empty Name tag": (
        INSTANCE | {"Tags": [INSTANCE["Tags"][0], {"Key": "Name"}]},
        "",
    ),
    "without a private address": (
        without(INSTANCE, "PrivateIpAddress", "NetworkInterfaces"),
        "web-1 (i-1234567890abcdef0) has no private address",
    ),
    "with IPv6 alone": (
        without(INSTANCE, "PrivateIpAddress")
        | {"Ipv6Address": "2001:db8::1"}
        | {"NetworkInterfaces": [{"Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}]}]},
        "web-1 (i-1234567890abcdef0) has no private address",
    ),
    "without network interfaces": (INSTANCE | {"NetworkInterfaces": []}, ""),
    "without a zone": (without(INSTANCE, "Placement"), ""),
    "without a VPC": (without(INSTANCE, "VpcId"), ""),
    "with an address that is none": (INSTANCE | {"PrivateIpAddress": "10.0.0"}, "'10.0.0'"),
    "with a secondary address that is none": (
        INSTANCE | {"NetworkInterfaces": [{"Ipv6Addresses": [{"Ipv6Address": "x"}]}]},
        "i-1234567890abcdef0: EC2 gives the address 'x'",
    ),
    "without an id": (without(INSTANCE, "InstanceId"), "InstanceId is absent"),
    "with an id that is none": (INSTANCE | {"InstanceId": "m-1"}, "the id 'm-1'"),
    "terminated": (
        {"InstanceId": "i-1234567890abcdef0", "State": {"Code": 48, "Name": "terminated"}}
        | {"Tags": INSTANCE["Tags"]},
        "has no private address",
    ),
}


@pytest.mark.parametrize("kind", INSTANCES)
def test_an_instance_is_read_or_refused_by_name(kind: str) -> None:
    item, said = INSTANCES[kind]
    paper = account(DescribeInstances=[{"Reservations": [{"Instances": [item]}]}])
    found = outcome(lambda: hosts(paper), "web-1", item.get("InstanceId", "InstanceId"))
    assert isinstance(found, DeployError if said else tuple), found
    assert said in str(found)
    for read in (
        lambda: instances.at(paper, ["10.0.0.1", "2001:db8::1", "198.51.100.1"]),
        lambda: instances.ended(paper, ID),
    ):
        outcome(read, item.get("InstanceId", "InstanceId"))


def test_a_terminated_instance_has_ended_whatever_else_it_lacks() -> None:
    paper = account(
        DescribeInstances=[{"Reservations": [{"Instances": [INSTANCES["terminated"][0]]}]}]
    )
    assert instances.ended(paper, "i-1234567890abcdef0") == "terminated"


def test_p10_a_host_is_reached_by_all_of_its_addresses() -> None:
    (host,) = hosts(account())
    assert host.target_ids == {"i-1234567890abcdef0", "10.0.0.1"}
    assert host.reached_by == host.target_ids | {"10.0.0.99", "2001:db8::1"}
    assert host.vpc == VPC
