"""Target groups besides the environment's own: other ways by which requests may reach its hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.aws.api.answers import Answer
from deploy.aws.group_settings import OUR_TYPES
from deploy.aws.target_groups import LISTED, parse_health
from deploy.aws.targets import HIGHEST_PORT, Target
from deploy.clock import CLOCK, Clock
from deploy.errors import ApiError, BadInput, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.aws.api.account import Account

MOST_GROUPS = 200
AT_ONCE, PAUSE_SECONDS = 5, 1.0
"""So many calls, then a pause: the Describe calls of all tools of an account share one allowance
(ELB API throttling guide).
"""


@dataclass(frozen=True)
class OtherGroup:
    """A target group that the settings do not name.

    Attributes:
        name: Its name.
        targets: The targets that it may send requests to, now or soon.
    """

    name: str
    targets: frozenset[Target]


def find(
    account: Account, vpcs: Collection[str], known: Collection[str], clock: Clock = CLOCK
) -> tuple[OtherGroup, ...]:
    """The groups of these VPCs, of type instance or ip, that belong to a load balancer.

    Args:
        account: Whose groups.
        vpcs: The ids of the VPCs that the environment's groups and hosts are in; empty for one
            that is not known.
        known: Names and ARNs of the groups that the environment has, which are left out.
        clock: By which calls are spread.

    Raises:
        BadInput: They cannot be looked at: there are too many, or AWS does not allow it.
    """
    try:
        listed = list(account.items("elbv2", "describe_target_groups", "TargetGroups"))
        candidates = [group for group in map(_answer, listed) if _is_other(group, vpcs, known)]
        if len(candidates) > MOST_GROUPS:
            raise BadInput(
                f"{len(candidates)} other target groups of the VPC may send requests to the hosts, "
                f"and at most {MOST_GROUPS} are looked at; see to it yourself that none does, and "
                "set `other_groups: ignore`"
            )
        found: list[OtherGroup] = []
        for number, group in enumerate(candidates):
            if number and number % AT_ONCE == 0:
                clock.sleep(PAUSE_SECONDS)
            try:
                found.append(_read(account, group))
            except ApiError as error:
                if error.code != "TargetGroupNotFound":  # it was deleted meanwhile
                    raise
    except NotAllowed as error:
        raise BadInput(
            f"{error}. Without these calls it cannot be seen whether other target groups send "
            "requests to the hosts; see to it yourself that none does, and set "
            "`other_groups: ignore`"
        ) from error
    return tuple(found)


def _answer(item: object) -> Answer:
    name = Answer("DescribeTargetGroups", item).text("TargetGroupName")
    return Answer(f"DescribeTargetGroups ({name})", item)


def _is_other(group: Answer, vpcs: Collection[str], known: Collection[str]) -> bool:
    if group.text("TargetType", "instance") not in OUR_TYPES:
        return False
    is_known = group.text("TargetGroupName") in known or group.text("TargetGroupArn") in known
    # What AWS does not name may be the same VPC.
    vpc = group.text("VpcId", "")
    is_near = vpc in vpcs or not vpc or "" in vpcs
    return not is_known and is_near and bool(group.texts("LoadBalancerArns"))


def _read(account: Account, group: Answer) -> OtherGroup:
    arn = group.text("TargetGroupArn")
    answer = account.call("elbv2", "describe_target_health", TargetGroupArn=arn)
    health = parse_health(answer.get(LISTED), group.number("Port", most=HIGHEST_PORT))
    receiving = (target for target, its in health.items() if its.may_receive)
    return OtherGroup(group.text("TargetGroupName"), frozenset(receiving))
