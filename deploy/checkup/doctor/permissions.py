"""What the credentials may do: reads are made, writes are tried with an id that cannot exist.

AWS answers AccessDenied before it looks at the targets of a call. Behind that, RegisterTargets
refuses an instance that does not exist (InvalidTarget) and an id of another kind (ValidationError),
and DeregisterTargets answers success for what is not registered (ELB API reference).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deploy.aws.target_groups import NO_INSTANCE, impossible, is_taken
from deploy.checkup.refusals import Part
from deploy.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from deploy.aws.api.account import Account
    from deploy.aws.target_groups import Balancer
    from deploy.aws.targets import TargetGroup
    from deploy.checkup.doctor.finding import Findings

    Calls = dict[str, Callable[[], object]]

ASKED_BY = (
    f"asked with the target {NO_INSTANCE}, which cannot exist;",
    "this was tried with the lab's API and was not tried on AWS",
)


def look(
    account: Account,
    groups: Iterable[TargetGroup],
    findings: Findings,
    *,
    surges: bool,
    scaling_groups: Collection[str],
) -> bool:
    """Make each call that only reads; whether all that a look needs are allowed.

    surges: whether the strategy is surge; scaling_groups: the Auto Scaling groups of the hosts, by
    name.
    """
    needed = _reads(account, {group.arn: group for group in groups}, surges=surges)
    others: Calls = {}
    for name in list(scaling_groups)[:1]:
        others = _scaling_reads(account, name)
    calls = needed | others
    allowed = [action for action, call in calls.items() if _is_allowed(call, findings)]
    if allowed:
        findings.ok(Part.AWS, f"allowed to read: {', '.join(allowed)}")
    return needed.keys() <= set(allowed)


def writes(balancer: Balancer, groups: Iterable[TargetGroup], findings: Findings) -> None:
    """Ask whether targets of these groups may be registered and deregistered; none is."""
    for group in {group.arn: group for group in groups}.values():
        calls: Calls = {
            "RegisterTargets": partial(_register, balancer, group, findings),
            "DeregisterTargets": partial(is_taken, balancer.deregister, group),
        }
        place = f" on {group.name}"
        allowed = [action for action, call in calls.items() if _is_allowed(call, findings, place)]
        if allowed:
            findings.ok(Part.AWS, f"allowed{place}: {', '.join(allowed)}", *ASKED_BY)


def _is_allowed(call: Callable[[], object], findings: Findings, place: str = "") -> bool:
    """Make a call; whether it was allowed. Another error is a problem of its own."""
    with findings.noted(Part.AWS):
        try:
            call()
        except NotAllowed as error:
            findings.denied(error, place)
        else:
            return True
    return False


def _register(balancer: Balancer, group: TargetGroup, findings: Findings) -> None:
    """Register a target that cannot exist, which is refused; where it is not, deregister it."""
    if not is_taken(balancer.register, group):
        return
    balancer.deregister(group, impossible(group))
    findings.warn(
        Part.AWS,
        f"{group.name}: the API registered the target {NO_INSTANCE}, which cannot exist, and it "
        "was deregistered at once",
        "see that it is gone: aws elbv2 describe-target-health \\",
        f"  --target-group-arn {group.arn}",
    )


def _reads(account: Account, groups: Mapping[str, TargetGroup], *, surges: bool) -> Calls:
    call = account.call
    found: Calls = {
        "GetCallerIdentity": partial(call, "sts", "get_caller_identity"),
        "DescribeInstances": partial(call, "ec2", "describe_instances", MaxResults=5),
        "DescribeTargetGroups": partial(call, "elbv2", "describe_target_groups", PageSize=1),
    }
    for arn in list(groups)[:1]:
        attributes = partial(call, "elbv2", "describe_target_group_attributes", TargetGroupArn=arn)
        health = partial(call, "elbv2", "describe_target_health", TargetGroupArn=arn)
        found |= {"DescribeTargetGroupAttributes": attributes, "DescribeTargetHealth": health}
    if surges:
        found["DescribeAccountLimits"] = partial(call, "elbv2", "describe_account_limits")
    return found


def _scaling_reads(account: Account, group: str) -> Calls:
    call, most, named = account.call, {"MaxRecords": 1}, {"AutoScalingGroupName": group}
    instances = partial(call, "autoscaling", "describe_auto_scaling_instances", **most)
    groups = partial(call, "autoscaling", "describe_auto_scaling_groups", **most)
    actions = partial(call, "autoscaling", "describe_scheduled_actions", **named)
    refreshes = partial(call, "autoscaling", "describe_instance_refreshes", **named)
    return {
        "DescribeAutoScalingInstances": instances,
        "DescribeAutoScalingGroups": groups,
        "DescribeScheduledActions": actions,
        "DescribeInstanceRefreshes": refreshes,
    }
