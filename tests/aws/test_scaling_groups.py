"""P10: what an Auto Scaling group may do is read from AWS, and used or refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from simulated.clock import Clock

from deploy.aws import instances, scaling_groups
from deploy.errors import (
    ApiError,
    BadInput,
    CredentialsRefused,
    DeployError,
    NotAllowed,
    UnexpectedAnswer,
    Unreachable,
)
from deploy.session import scaling

if TYPE_CHECKING:
    from deploy.aws.api.account import Account

HOSTS = [replace(builders.host(n), scaling_group="fleet") for n in (1, 2, 3)]
IDS = [host.instance_id for host in HOSTS]


class PaperAccount:
    """Auto Scaling and EC2 on paper."""

    def __init__(self, denies: bool = False, **answers: Any) -> None:
        self.denies, self.answers, self.asked = denies, answers, list[dict[str, Any]]()
        self.errors: dict[str, list[DeployError]] = {}

    def items(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        assert service == "autoscaling"
        self.asked.append({"operation": operation, **arguments})
        if self.denies:
            raise NotAllowed(f"AWS (autoscaling.{operation}): not allowed")
        self._fail(operation)
        return list(self.answers.get(key, []))

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        assert service in {"autoscaling", "ec2"}
        self.asked.append({"operation": operation, **arguments})
        self._fail(operation)
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def _fail(self, operation: str) -> None:
        """Raise the next of the errors that a test has for this operation."""
        errors = self.errors.get(operation)
        if errors:
            raise errors.pop(0)

    def count(self, operation: str) -> int:
        """How often it was asked."""
        return sum(each["operation"] == operation for each in self.asked)


def account(*states: str, **group: Any) -> Account:
    listed = [
        {"InstanceId": id_, "AutoScalingGroupName": "fleet", "LifecycleState": state}
        for id_, state in zip(IDS, states, strict=False)
    ]
    suspended = [{"ProcessName": name} for name in group.pop("suspended", ())]
    refreshes = [{"Status": status} for status in group.pop("refreshes", ())]
    actions = [{"ScheduledActionName": name} for name in group.pop("actions", ())]
    found = {
        "AutoScalingGroupName": "fleet",
        "HealthCheckType": "EC2",
        "SuspendedProcesses": suspended,
        **group,
    }
    paper = PaperAccount(
        AutoScalingInstances=listed,
        AutoScalingGroups=[found],
        ScheduledUpdateGroupActions=actions,
        describe_instance_refreshes={"InstanceRefreshes": refreshes},
    )
    return cast("Account", paper)


@pytest.mark.parametrize(
    "state",
    ["Pending", "Pending:Wait", "Standby", "Warmed:Running", "Terminating:Wait", "Terminating"],
)
def test_instances_that_their_group_keeps_out_of_service_are_left_out_and_named(state: str) -> None:
    found, notes = scaling.resting(account("InService", state), HOSTS)
    assert found == {HOSTS[1]: state}
    assert notes == (f"host-2 is left out: {state} in the Auto Scaling group fleet",)


def test_hosts_of_no_group_cost_no_question() -> None:
    paper = account()
    assert scaling.resting(paper, [builders.host(1)]) == ({}, ())
    assert scaling.vetted(builders.environment(), paper, [builders.host(1)]) == ()
    assert cast("Any", paper).asked == []


def test_many_members_are_asked_for_in_parts() -> None:
    paper = account()
    scaling_groups.lifecycles(paper, [f"i-{n:017x}" for n in range(120)])
    assert [len(each["InstanceIds"]) for each in cast("Any", paper).asked] == [50, 50, 20]


ELB = "has health checks of type ELB: it may terminate a host whose release fails"
REFRESH = "is replacing its instances now (an instance refresh)"
ALL = ("ReplaceUnhealthy", "AZRebalance", "AlarmNotification", "ScheduledActions")
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "all active": ({}, "", "ReplaceUnhealthy, AZRebalance, AlarmNotification active"),
    "scheduled": ({"actions": ["night"]}, "", "AlarmNotification, ScheduledActions active"),
    "capacity rebalancing": (
        {"CapacityRebalance": True},
        "",
        "AlarmNotification, CapacityRebalance active",
    ),
    "a longest life": (
        {"MaxInstanceLifetime": 7 * 86_400},
        "",
        "AlarmNotification, MaxInstanceLifetime (7 d) active",
    ),
    "neither": (
        {"CapacityRebalance": False, "MaxInstanceLifetime": 0},
        "",
        "AZRebalance, AlarmNotification active",
    ),
    "both, and none ends": (
        {"CapacityRebalance": True, "MaxInstanceLifetime": 86_400, "suspended": ["Terminate"]},
        "",
        "",
    ),
    "suspended": ({"suspended": ALL, "actions": ["night"]}, "", ""),
    "load balancer": ({"HealthCheckType": "ELB"}, ELB, ELB),
    "several types": ({"HealthCheckType": "EC2,ELB"}, ELB, ELB),
    "load balancer, suspended": ({"HealthCheckType": "ELB", "suspended": ALL}, "", ""),
    "load balancer, none ends": ({"HealthCheckType": "ELB", "suspended": ["Terminate"]}, "", ""),
    "load balancer, no checks": (
        {"HealthCheckType": "ELB", "suspended": ["HealthCheck"]},
        "",
        "AZRebalance",
    ),
    "a refresh": ({"refreshes": ["InProgress", "Successful"]}, REFRESH, REFRESH),
    "a refresh that bakes": ({"refreshes": ["Baking"]}, REFRESH, REFRESH),
    "refreshes that are over": ({"refreshes": ["Successful", "Failed"]}, "", "active"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_group_that_may_replace_hosts_is_named_or_refused(name: str) -> None:
    group, refused, noted = CASES[name]
    ignoring = builders.environment(auto_scaling="ignore")
    accepting = builders.environment(auto_scaling="accept-replacement")
    if refused:
        with pytest.raises(BadInput) as error:
            scaling.vetted(ignoring, account(**group), HOSTS)
        assert refused in str(error.value)
        assert "accept-replacement" in str(error.value)
    else:
        assert noted in " ".join(scaling.vetted(ignoring, account(**group), HOSTS))
    notes = " ".join(scaling.vetted(accepting, account(**group), HOSTS))
    assert noted in notes
    assert bool(notes) == bool(noted)


def test_without_the_permission_it_is_said_that_nothing_was_looked_at() -> None:
    denied = cast("Account", PaperAccount(denies=True))
    found, (note,) = scaling.resting(denied, HOSTS)
    assert found == {}
    assert "was not looked at" in note
    (note,) = scaling.vetted(builders.environment(auto_scaling="ignore"), denied, HOSTS)
    assert "was not looked at" in note


LIFECYCLES, GROUPS = "describe_auto_scaling_instances", "describe_auto_scaling_groups"
ACTIONS, REFRESHES = "describe_scheduled_actions", "describe_instance_refreshes"
THROTTLED = ApiError("AWS (autoscaling.x): Throttling: Rate exceeded", "Throttling", may_pass=True)
BROKEN = ApiError("AWS (autoscaling.x): ValidationError: no", "ValidationError", may_pass=False)
ENDLESS = 100


def failing(operation: str, *errors: DeployError, **group: Any) -> Any:
    """An account whose answers to one operation are these errors first."""
    paper = cast("PaperAccount", account("InService", "Standby", **group))
    paper.errors[operation] = list(errors)
    return paper


def vetted(paper: Any) -> tuple[str, ...]:
    ignoring = builders.environment(auto_scaling="ignore")
    return scaling.vetted(ignoring, paper, HOSTS, Clock())


@pytest.mark.parametrize("operation", [GROUPS, ACTIONS, REFRESHES])
def test_what_a_busy_api_refused_is_asked_again(operation: str) -> None:
    paper = failing(operation, THROTTLED, THROTTLED, actions=["night"])
    (note,) = vetted(paper)
    assert "ScheduledActions active" in note
    assert paper.count(operation) == 3


def test_lifecycles_that_a_busy_api_refused_are_asked_for_again() -> None:
    paper = failing(LIFECYCLES, THROTTLED)
    found, _ = scaling.resting(paper, HOSTS, Clock())
    assert found == {HOSTS[1]: "Standby"}


DENIED = NotAllowed("AWS (autoscaling.x): not allowed")
UNREAD = UnexpectedAnswer("AWS (autoscaling.x): no list")


@pytest.mark.parametrize("error", [THROTTLED, BROKEN, DENIED, UNREAD, Unreachable("no answer")])
def test_scheduled_actions_that_cannot_be_read_are_a_note_and_end_no_deploy(
    error: DeployError,
) -> None:
    activity, note = vetted(failing(ACTIONS, *[error] * ENDLESS))
    assert "AlarmNotification active" in activity
    assert str(error) in note
    assert "whether scheduled actions change the Auto Scaling group fleet meanwhile was not" in note


@pytest.mark.parametrize("operation", [GROUPS, REFRESHES])
@pytest.mark.parametrize("error", [THROTTLED, BROKEN])
def test_p10_what_may_refuse_a_deploy_is_not_passed_over_where_the_api_fails(
    operation: str, error: ApiError
) -> None:
    with pytest.raises(ApiError) as raised:
        vetted(failing(operation, *[error] * ENDLESS))
    assert raised.value is error


def test_p10_a_permission_that_lacks_hides_only_its_own_answer() -> None:
    for operation in (ACTIONS, REFRESHES):
        paper = failing(operation, DENIED, HealthCheckType="ELB")
        with pytest.raises(BadInput, match="has health checks of type ELB"):
            vetted(paper)
    activity, note = vetted(failing(REFRESHES, DENIED))
    assert "active" in activity
    assert "is replacing its instances was not looked at" in note


@pytest.mark.parametrize("error", [THROTTLED, BROKEN, DENIED, UNREAD, Unreachable("no answer")])
def test_lifecycles_that_cannot_be_read_are_a_note(error: DeployError) -> None:
    found, (note,) = scaling.resting(failing(LIFECYCLES, *[error] * ENDLESS), HOSTS, Clock())
    assert found == {}
    assert note.startswith(str(error))
    assert "whether hosts are in standby, or about to end, was not looked at" in note


@pytest.mark.parametrize("error", [CredentialsRefused("renew them"), BadInput("the clock")])
def test_what_ends_every_call_is_no_note(error: DeployError) -> None:
    for operation in (ACTIONS, REFRESHES, GROUPS):
        with pytest.raises(type(error)):
            vetted(failing(operation, *[error] * ENDLESS))
    with pytest.raises(type(error)):
        scaling.resting(failing(LIFECYCLES, *[error] * ENDLESS), HOSTS, Clock())


NOT_FOUND = ApiError("no such instance", "InvalidInstanceID.NotFound", may_pass=False)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("running", ""),
        ("stopped", ""),
        ("pending", ""),
        ("shutting-down", "shutting-down"),
        ("terminated", "terminated"),
        (None, "terminated"),
        (NOT_FOUND, "terminated"),
    ],
)
def test_an_instance_that_never_comes_back_is_known_by_its_state(
    answer: str | ApiError | None, expected: str
) -> None:
    found: Any = answer
    if not isinstance(answer, ApiError):
        item = {"InstanceId": IDS[0], "State": {"Name": answer}}
        found = {"Reservations": [{"Instances": [item]}] if answer else []}
    paper = cast("Account", PaperAccount(describe_instances=found))
    assert instances.ended(paper, IDS[0]) == expected


def test_another_error_of_ec2_is_no_answer() -> None:
    error = ApiError("throttled", "RequestLimitExceeded", may_pass=True)
    with pytest.raises(ApiError):
        instances.ended(cast("Account", PaperAccount(describe_instances=error)), IDS[0])
