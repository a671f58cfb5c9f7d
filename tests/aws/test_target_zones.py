"""The zone that a target is registered with: AWS requires it for an address of another VPC."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from documents import PaperAccount

from deploy.aws.target_groups import Balancer, parse_health
from deploy.aws.targets import Target

HEALTHY = {"TargetHealth": {"State": "healthy"}}
LISTED: list[dict[str, Any]] = [
    {"Target": {"Id": "10.1.0.1", "Port": 5000, "AvailabilityZone": "all"}} | HEALTHY,
    {"Target": {"Id": "10.1.0.2", "AvailabilityZone": "eu-west-1b"}} | HEALTHY,
    {"Target": {"Id": "10.0.0.3", "Port": 5001}} | HEALTHY,
]


class Writing(PaperAccount):
    """An account that keeps what it was asked to write."""

    def __init__(self) -> None:
        super().__init__()
        self.wrote: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.wrote.append({service: operation} | parameters)
        return {}


def test_p10_the_zone_that_aws_shows_stays_with_the_target() -> None:
    found = parse_health(LISTED, 5000)
    assert [(each.id, each.port, each.zone) for each in found] == [
        ("10.1.0.1", 5000, "all"),
        ("10.1.0.2", 5000, "eu-west-1b"),
        ("10.0.0.3", 5001, ""),
    ]
    # AWS distinguishes targets by id and port.
    assert Target("10.1.0.1", 5000) in found
    assert Target("10.1.0.1", 5000, "all") == Target("10.1.0.1", 5000, "eu-west-1a")


@pytest.mark.parametrize("operation", ["register", "deregister"])
@pytest.mark.parametrize(("kind", "is_given"), [("ip", True), ("instance", False)])
def test_p10_it_is_sent_again_where_the_groups_type_has_one(
    operation: str, kind: str, *, is_given: bool
) -> None:
    account = Writing()
    group = builders.group(target_type=kind)
    targets = [Target("10.1.0.1", 5000, "all"), Target("10.0.0.3", 5001)]
    getattr(Balancer(account), operation)(group, targets)
    ((written,),) = [[each["Targets"] for each in account.wrote]]
    zone = {"AvailabilityZone": "all"} if is_given else {}
    assert written == [
        {"Id": "10.0.0.3", "Port": 5001},
        {"Id": "10.1.0.1", "Port": 5000} | zone,
    ]
