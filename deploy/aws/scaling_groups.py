"""Auto Scaling groups: which of their instances are in service, and what may replace them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy import retry
from deploy.aws.api.answers import Answer
from deploy.aws.instances import chunks
from deploy.clock import CLOCK, Clock
from deploy.errors import ApiError, NotAllowed, UnexpectedAnswer, Unreachable
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.aws.api.account import Account

UNANSWERED = (ApiError, NotAllowed, UnexpectedAnswer, Unreachable)
"""What the API raises that does not answer a question; other errors end everything else too."""
ADVICE_PATIENCE_SECONDS = 15.0
"""For so long what only advises is asked for again; nothing is lost but a line of the plan."""

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
    """An Auto Scaling group, and what it may do to its instances.

    Attributes:
        name: Its name.
        ends_unhealthy: Whether it ends instances that a target group finds unhealthy.
        active: Those of REPLACING that are not suspended, SCHEDULED where actions are planned,
            REBALANCE where it is on, and LIFETIME with its days where one is set; none where
            nothing may end.
        is_refreshing: Whether it is replacing its instances one after the other now.
        notes: What could not be read of it, in words.
    """

    name: str
    ends_unhealthy: bool = False
    active: tuple[str, ...] = ()
    is_refreshing: bool = False
    notes: tuple[str, ...] = ()


def is_ending(lifecycle_state: str) -> bool:
    """Whether a group has begun to end an instance: `Terminating`, `Terminating:Wait` and so on."""
    return lifecycle_state.removeprefix("Warmed:").startswith(LEAVING)


def lifecycles(
    account: Account,
    ids: Collection[str],
    clock: Clock = CLOCK,
    patience_seconds: float = ADVICE_PATIENCE_SECONDS,
) -> dict[str, str]:
    """Return the lifecycle state of those of these instances that belong to a group, by id."""
    found: dict[str, str] = {}
    for chunk in chunks(sorted(ids), MOST_IDS):
        listed = _items(
            account,
            clock,
            patience_seconds,
            "autoscaling",
            "describe_auto_scaling_instances",
            "AutoScalingInstances",
            InstanceIds=chunk,
        )
        for each in listed:
            item = Answer("DescribeAutoScalingInstances", each)
            found[item.text("InstanceId")] = item.text("LifecycleState")
    return found


def read(
    account: Account, names: Collection[str], clock: Clock = CLOCK
) -> tuple[ScalingGroup, ...]:
    """Return these groups, by name; one that is gone meanwhile is left out.

    What is refused for decides, so an error of it is raised, once it has been asked for patiently.
    Scheduled actions only advise: their error is a note.
    """
    found: list[ScalingGroup] = []
    for chunk in chunks(sorted(names), MOST_IDS):
        listed = _items(
            account,
            clock,
            retry.PATIENCE_SECONDS,
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups",
            AutoScalingGroupNames=chunk,
        )
        found += [
            _group(account, Answer("DescribeAutoScalingGroups", each), clock) for each in listed
        ]
    return tuple(sorted(found, key=lambda group: group.name))


def _group(account: Account, item: Answer, clock: Clock) -> ScalingGroup:
    name = item.text("AutoScalingGroupName")
    notes: list[str] = []
    suspended = {
        each.text("ProcessName") for each in item.parts("SuspendedProcesses", may_be_absent=True)
    }
    active = [process for process in REPLACING if process not in suspended]
    try:
        if SCHEDULED not in suspended and _has_actions(account, name, clock):
            active.append(SCHEDULED)
    except UNANSWERED as error:
        notes.append(
            f"{error}; whether scheduled actions change the Auto Scaling group {visible(name)} "
            "meanwhile was not looked at"
        )
    active += [REBALANCE] if item.flag(REBALANCE, default=False) else []
    seconds = item.number(LIFETIME, 0)
    active += [f"{LIFETIME} ({seconds / SECONDS_OF_A_DAY:g} d)"] if seconds else []
    # One type, or several with commas between them.
    checks = {part.strip() for part in item.text("HealthCheckType", "EC2").split(",")}
    ends_unhealthy = "ELB" in checks and not suspended & ENDING
    if ENDS in suspended:
        active = []
    is_refreshing = False
    try:
        is_refreshing = _is_refreshing(account, name, clock)
    except NotAllowed as error:
        notes.append(
            f"{error}; whether the Auto Scaling group {visible(name)} is replacing its instances "
            "was not looked at"
        )
    return ScalingGroup(name, ends_unhealthy, tuple(active), is_refreshing, tuple(notes))


def _has_actions(account: Account, name: str, clock: Clock) -> bool:
    actions = _items(
        account,
        clock,
        ADVICE_PATIENCE_SECONDS,
        "autoscaling",
        "describe_scheduled_actions",
        "ScheduledUpdateGroupActions",
        AutoScalingGroupName=name,
    )
    return bool(actions)


def _is_refreshing(account: Account, name: str, clock: Clock) -> bool:
    """Of the last refreshes, newest first, one may not be over."""

    def ask() -> dict[str, Any]:
        return account.call("autoscaling", "describe_instance_refreshes", AutoScalingGroupName=name)

    answer = retry.patiently(ask, _silent, clock=clock)
    refreshes = Answer("DescribeInstanceRefreshes", answer).parts(
        "InstanceRefreshes", may_be_absent=True
    )
    return any(each.text("Status", "") in REFRESHING for each in refreshes)


def _items(
    account: Account,
    clock: Clock,
    patience_seconds: float,
    service: str,
    operation: str,
    key: str,
    **given: Any,
) -> list[object]:
    """All items of a paged call, which is made again from its start where an error may pass."""

    def ask() -> list[object]:
        return list(account.items(service, operation, key, **given))

    return retry.patiently(ask, _silent, patience_seconds, clock)


def _silent(_: str) -> None:
    """Before the first change no screen shows retries; what stays is a note or an error."""
