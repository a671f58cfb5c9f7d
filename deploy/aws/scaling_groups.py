"""Auto Scaling groups: which of their instances are in service, and what may replace them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.aws.api.answers import Answer
from deploy.aws.instances import chunks

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.aws.api.account import Account

IN_SERVICE = "InService"
MOST_IDS = 50
"""In one call of DescribeAutoScalingInstances (API reference)."""
LEAVING = ("Terminating", "Terminated")
"""How the states begin from which an instance never comes back (user guide, "Lifecycle")."""
REPLACING = ("ReplaceUnhealthy", "AZRebalance", "AlarmNotification")
"""The processes that may end an instance that works (user guide, "Suspend-resume processes")."""
SCHEDULED = "ScheduledActions"
REBALANCE, LIFETIME = "CapacityRebalance", "MaxInstanceLifetime"
"""Settings of a group by which it replaces instances that work: Spot instances at risk, and those
of an age (API reference, AutoScalingGroup).
"""
SECONDS_OF_A_DAY = 86_400
ENDS = "Terminate"
ENDING = frozenset({"HealthCheck", "ReplaceUnhealthy", ENDS})
"""All of these must run for an unhealthy instance to end."""
REFRESHING = frozenset(
    {"Pending", "InProgress", "Baking", "RollbackInProgress", "Cancelling"},
)
"""The states of an instance refresh that is not over (API reference, InstanceRefresh)."""


@dataclass(frozen=True)
class ScalingGroup:
    """What a group may do to its instances.

    Attributes:
        name: Its name.
        ends_unhealthy: Whether it ends instances that a target group finds unhealthy.
        active: Those of REPLACING that are not suspended, SCHEDULED where actions are planned,
            REBALANCE where it is on, and LIFETIME with its days where one is set; none where
            nothing may end.
        is_refreshing: Whether it is replacing its instances one after the other now.
    """

    name: str
    ends_unhealthy: bool = False
    active: tuple[str, ...] = ()
    is_refreshing: bool = False


def is_ending(lifecycle_state: str) -> bool:
    """Whether a group has begun to end an instance: `Terminating`, `Terminating:Wait` and so on."""
    return lifecycle_state.removeprefix("Warmed:").startswith(LEAVING)


def lifecycles(account: Account, ids: Collection[str]) -> dict[str, str]:
    """Return the lifecycle state of those of these instances that belong to a group, by id."""
    found: dict[str, str] = {}
    for chunk in chunks(sorted(ids), MOST_IDS):
        listed = account.items(
            "autoscaling",
            "describe_auto_scaling_instances",
            "AutoScalingInstances",
            InstanceIds=chunk,
        )
        for each in listed:
            item = Answer("DescribeAutoScalingInstances", each)
            found[item.text("InstanceId")] = item.text("LifecycleState")
    return found


def read(account: Account, names: Collection[str]) -> tuple[ScalingGroup, ...]:
    """Return these groups, by name; one that is gone meanwhile is left out."""
    found: list[ScalingGroup] = []
    for chunk in chunks(sorted(names), MOST_IDS):
        listed = account.items(
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups",
            AutoScalingGroupNames=chunk,
        )
        found += [_group(account, Answer("DescribeAutoScalingGroups", each)) for each in listed]
    return tuple(sorted(found, key=lambda group: group.name))


def _group(account: Account, item: Answer) -> ScalingGroup:
    name = item.text("AutoScalingGroupName")
    suspended = {
        each.text("ProcessName") for each in item.parts("SuspendedProcesses", may_be_absent=True)
    }
    active = [process for process in REPLACING if process not in suspended]
    if SCHEDULED not in suspended and _has_actions(account, name):
        active.append(SCHEDULED)
    active += [REBALANCE] if item.flag(REBALANCE, default=False) else []
    seconds = item.number(LIFETIME, 0)
    active += [f"{LIFETIME} ({seconds / SECONDS_OF_A_DAY:g} d)"] if seconds else []
    # One type, or several with commas between them.
    checks = {part.strip() for part in item.text("HealthCheckType", "EC2").split(",")}
    ends_unhealthy = "ELB" in checks and not suspended & ENDING
    if ENDS in suspended:
        active = []
    return ScalingGroup(name, ends_unhealthy, tuple(active), _is_refreshing(account, name))


def _has_actions(account: Account, name: str) -> bool:
    actions = account.items(
        "autoscaling",
        "describe_scheduled_actions",
        "ScheduledUpdateGroupActions",
        AutoScalingGroupName=name,
    )
    return any(True for _ in actions)


def _is_refreshing(account: Account, name: str) -> bool:
    """Of the last refreshes, newest first, one may not be over."""
    answer = account.call("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name)
    refreshes = Answer("DescribeInstanceRefreshes", answer).parts(
        "InstanceRefreshes", may_be_absent=True
    )
    return any(each.text("Status", "") in REFRESHING for each in refreshes)
