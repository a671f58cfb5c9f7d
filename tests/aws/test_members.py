"""P6, P10: an instance that its Auto Scaling group has begun to end is known before EC2 says so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.aws import members, scaling_groups
from deploy.aws.members import Members
from deploy.errors import ApiError, DeployError, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.api.account import Account

HOSTS = [replace(builders.host(n), scaling_group="fleet") for n in (1, 2)]
ALONE = builders.host(3)
THROTTLED = ApiError("throttled", "Throttling", may_pass=True)
DENIED = NotAllowed("AWS (autoscaling.describe_auto_scaling_instances): not allowed")


class PaperAccount:
    """Auto Scaling with these lifecycle states, or an error; EC2 with one state for all."""

    def __init__(
        self, states: Mapping[int, str] | DeployError, ec2: str | DeployError = "running"
    ) -> None:
        self.states, self.ec2 = states, ec2
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def items(self, _service: str, operation: str, _key: str, **given: Any) -> list[Any]:
        with self._lock:
            self.asked.append(operation)
        if isinstance(self.states, DeployError):
            raise self.states
        assert given["InstanceIds"] == sorted(host.instance_id for host in HOSTS)
        return [
            {"InstanceId": builders.host(number).instance_id, "LifecycleState": state}
            for number, state in self.states.items()
        ]

    def call(self, _service: str, operation: str, **given: Any) -> dict[str, Any]:
        with self._lock:
            self.asked.append(operation)
        if isinstance(self.ec2, DeployError):
            raise self.ec2
        (id_,) = given["InstanceIds"]
        item = {"InstanceId": id_, "State": {"Name": self.ec2}}
        return {"Reservations": [{"Instances": [item]}]}


def of(paper: PaperAccount) -> Members:
    return Members(cast("Account", paper), [*HOSTS, ALONE])


def test_the_lifecycle_states_that_never_come_back_are_known() -> None:
    ending = ["Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated"]
    others = ["InService", "Standby", "Pending:Wait", "Detaching", "Warmed:Running", ""]
    assert [scaling_groups.is_ending(state) for state in (*ending, *others)] == [
        *(True for _ in ending),
        *(False for _ in others),
    ]


def test_one_that_its_group_ends_has_ended_while_ec2_says_that_it_runs() -> None:
    paper = PaperAccount({1: "InService", 2: "Terminating:Wait"})
    found = of(paper)
    assert found.ended(HOSTS[0]) == ""
    assert found.ended(HOSTS[1]) == "Terminating:Wait in the Auto Scaling group fleet"
    assert paper.asked.count("describe_instances") == 1, "the second is known without EC2"


@pytest.mark.parametrize("states", [{1: "InService"}, {}, THROTTLED, DENIED])
def test_control_otherwise_ec2_says_whether_it_has_ended(states: Any) -> None:
    assert of(PaperAccount(states, "terminated")).ended(HOSTS[0]) == "terminated"
    assert of(PaperAccount(states)).ended(HOSTS[0]) == ""
    with pytest.raises(ApiError):
        of(PaperAccount(states, THROTTLED)).ended(HOSTS[0])


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("InService", ""),
        ("Standby", "Standby in the Auto Scaling group fleet"),
        ("EnteringStandby", "EnteringStandby in the Auto Scaling group fleet"),
        ("Terminating", "Terminating in the Auto Scaling group fleet"),
    ],
)
def test_who_is_in_service_of_its_group_alone_is_registered(state: str, shown: str) -> None:
    found = of(PaperAccount({1: state}))
    assert found.withheld(HOSTS[0]) == shown
    assert found.withheld(HOSTS[1]) == "", "it was detached: no group keeps it out"


def test_hosts_of_no_group_cost_no_question() -> None:
    paper = PaperAccount({})
    assert of(paper).withheld(ALONE) == ""
    assert of(paper).ended(ALONE) == ""
    assert paper.asked == ["describe_instances"]


def test_a_call_that_is_not_allowed_is_not_made_again_and_keeps_nobody_out() -> None:
    paper = PaperAccount(DENIED)
    found = of(paper)
    assert [found.withheld(host) for host in (*HOSTS, *HOSTS)] == [""] * 4
    assert len(paper.asked) == 1


def test_another_error_is_reported_to_all_and_asked_again_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paper = PaperAccount(THROTTLED)
    found = of(paper)
    for host in HOSTS:
        with pytest.raises(ApiError):
            found.withheld(host)
    assert len(paper.asked) == 1, "each try costs its retries, while hosts wait"
    paper.states = {1: "Terminating"}
    monkeypatch.setattr(members, "SILENT_SECONDS", 0.0)
    assert found.withheld(HOSTS[0]).startswith("Terminating")


def test_hosts_of_a_batch_share_a_call() -> None:
    paper = PaperAccount({1: "InService", 2: "InService"})
    found = of(paper)
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(found.withheld, HOSTS * 10)) == {""}
    assert len(paper.asked) == 1


def test_a_failure_is_judged_by_a_reading_made_for_it() -> None:
    paper = PaperAccount({1: "InService"})
    found = of(paper)
    assert found.withheld(HOSTS[0]) == ""
    paper.states = {1: "Terminating"}
    assert found.ended(HOSTS[0]).startswith("Terminating")
