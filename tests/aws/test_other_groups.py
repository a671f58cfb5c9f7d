"""P10: target groups that no setting names are looked at, or it is said that they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.aws import other_groups
from deploy.aws.targets import Target
from deploy.clock import Clock
from deploy.errors import BadInput, NotAllowed

if TYPE_CHECKING:
    from deploy.aws.api.account import Account

ALB = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/edge/1"
OTHER = {
    "TargetGroupName": "internal",
    "TargetGroupArn": "arn:internal",
    "TargetType": "instance",
    "Port": 80,
    "VpcId": "vpc-1",
    "LoadBalancerArns": [ALB],
}


class PaperAccount:
    """Target groups on paper, each with one target in each of these states."""

    def __init__(self, *groups: dict[str, Any], denies: str = "") -> None:
        self.groups, self.denies, self.asked = groups, denies, list[str]()

    def items(self, service: str, operation: str, key: str) -> list[object]:
        assert (service, key) == ("elbv2", "TargetGroups")
        self._refuse(operation)
        return list(self.groups)

    def call(self, service: str, operation: str, **arguments: str) -> dict[str, Any]:
        assert service == "elbv2"
        self._refuse(operation)
        self.asked.append(arguments["TargetGroupArn"])
        states = ("healthy", "initial", "unhealthy", "draining", "unused")
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": f"i-{n}", "Port": 5000}, "TargetHealth": {"State": state}}
                for n, state in enumerate(states)
            ]
        }

    def _refuse(self, operation: str) -> None:
        if operation == self.denies:
            raise NotAllowed(f"AWS (elbv2.{operation}): not allowed")


class Counting(Clock):
    """No time passes; what is waited for is added up."""

    waited = 0.0

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


def found(account: PaperAccount, clock: Clock | None = None) -> list[str]:
    """The names of the groups that are found besides `web`."""
    groups = other_groups.find(
        cast("Account", account), {"vpc-1"}, {"web", "arn:named"}, clock or Counting()
    )
    return [group.name for group in groups]


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"TargetType": "ip"}, True),
        ({"LoadBalancerArns": [ALB.replace("/app/", "/net/")]}, True),
        ({"TargetType": "lambda"}, False),
        ({"TargetType": "alb"}, False),
        ({"LoadBalancerArns": []}, False),
        ({"VpcId": "vpc-2"}, False),
        ({"TargetGroupName": "web"}, False),
        ({"TargetGroupArn": "arn:named"}, False),
    ],
)
def test_p10_groups_that_can_reach_the_hosts_are_looked_at(
    change: dict[str, Any], *, counts: bool
) -> None:
    account = PaperAccount(OTHER | change)
    assert bool(found(account)) is counts
    assert bool(account.asked) is counts, "a group that does not count costs no call"


def test_p10_what_may_receive_now_or_soon_counts() -> None:
    (group,) = other_groups.find(cast("Account", PaperAccount(OTHER)), {"vpc-1"}, set(), Counting())
    assert group.targets == {Target(f"i-{n}", 5000) for n in (0, 1, 2)}


def test_at_most_five_calls_are_made_in_a_second() -> None:
    clock = Counting()
    groups = [OTHER | {"TargetGroupName": f"other-{n}"} for n in range(23)]
    assert len(found(PaperAccount(*groups), clock)) == len(groups)
    assert clock.waited == pytest.approx(4.0)


def test_p10_more_groups_than_are_looked_at_must_be_left_to_the_operator() -> None:
    most = [OTHER | {"TargetGroupName": f"other-{n}"} for n in range(other_groups.MOST_GROUPS + 1)]
    account = PaperAccount(*most)
    with pytest.raises(BadInput, match=r"^201 other target groups .*`other_groups: ignore`$"):
        found(account)
    assert account.asked == []
    assert len(found(PaperAccount(*most[1:]))) == other_groups.MOST_GROUPS


@pytest.mark.parametrize("operation", ["describe_target_groups", "describe_target_health"])
def test_p10_without_the_permission_the_operator_says_so(operation: str) -> None:
    with pytest.raises(BadInput, match=r"not allowed.* set `other_groups: ignore`$"):
        found(PaperAccount(OTHER, denies=operation))
