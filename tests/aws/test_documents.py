"""botocore's own examples are read, every page, and what is refused is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import builders
import pytest
from documents import (
    GROUP,
    ID,
    INSTANCE,
    NAME,
    SERVICES,
    PaperAccount,
    account,
    examples,
    hosts,
    others,
    outcome,
)
from simulated.clock import Clock

from deploy.aws import scaling_groups
from deploy.aws.target_groups import Balancer
from deploy.aws.targets import Target
from deploy.checkup.doctor import listeners
from deploy.checkup.doctor.finding import Findings
from deploy.errors import BadInput, UnexpectedAnswer
from deploy.starter import host_keys

READERS: dict[str, Callable[[PaperAccount], object]] = {
    "GetCallerIdentity": lambda paper: paper.verify(),
    "DescribeTargetGroups": others,
    "DescribeTargetGroupAttributes": lambda paper: Balancer(paper).group(NAME),
    "DescribeTargetHealth": lambda paper: Balancer(paper).health(builders.group()),
    "DescribeAccountLimits": lambda paper: Balancer(paper).most_targets(),
    "RegisterTargets": lambda paper: Balancer(paper).register(builders.group(), [Target(ID, 80)]),
    "DeregisterTargets": lambda paper: Balancer(paper).deregister(builders.group(), []),
    "DescribeInstances": hosts,
    "DescribeAutoScalingInstances": lambda paper: scaling_groups.lifecycles(paper, [ID], Clock()),
    "DescribeAutoScalingGroups": lambda paper: scaling_groups.read(paper, ["web"], Clock()),
    "DescribeScheduledActions": lambda paper: scaling_groups.read(paper, ["web"], Clock()),
    "DescribeInstanceRefreshes": lambda paper: scaling_groups.read(paper, ["web"], Clock()),
    "DescribeListeners": lambda paper: listeners.look(paper, (builders.group(),), Findings()),
    "GetConsoleOutput": lambda paper: host_keys.console(paper, builders.host()),
}


@pytest.mark.parametrize("operation", sorted(SERVICES))
def test_botocores_own_examples_are_read(operation: str) -> None:
    for example in examples(operation) or [{}]:
        paper = account(**{operation: [example]})
        outcome(partial(READERS[operation], paper), "i-0f76fade:80")
        assert operation in paper.asked


def test_every_page_of_an_answer_is_read() -> None:
    second = INSTANCE | {"InstanceId": "i-1234567890abcdef1", "PrivateIpAddress": "10.0.0.2"}
    quota = {"Name": "targets-per-application-load-balancer", "Max": "3000"}
    paper = account(
        DescribeInstances=[
            {"Reservations": [{"Instances": [INSTANCE]}], "NextToken": "more"},
            {"Reservations": [{"Instances": [second]}]},
        ],
        DescribeTargetGroups=[
            {"TargetGroups": [GROUP], "NextMarker": "more"},
            {"TargetGroups": [GROUP | {"TargetGroupName": "second", "TargetGroupArn": "arn:2"}]},
        ],
        DescribeAccountLimits=[
            {"Limits": [{"Name": "target-groups", "Max": "3"}], "NextMarker": "more"},
            {"Limits": [quota]},
        ],
    )
    assert len(hosts(paper)) == 2
    assert [each.name for each in others(paper)] == [NAME, "second"]
    assert Balancer(paper).most_targets() == 3000


def test_a_page_without_its_list_names_it() -> None:
    paper = account(DescribeInstances=[{"NextToken": "more"}, {"Reservations": []}])
    found = outcome(lambda: hosts(paper))
    assert isinstance(found, UnexpectedAnswer)


def test_control_an_error_of_python_or_without_a_name_is_found() -> None:
    def lacks() -> None:
        raise KeyError("Port")

    def says_nothing() -> None:
        raise BadInput("AWS answered in an unexpected form")

    with pytest.raises(KeyError):
        outcome(lacks, NAME)
    with pytest.raises(AssertionError):
        outcome(says_nothing, NAME)


def test_control_a_document_that_the_model_does_not_allow_is_found() -> None:
    with pytest.raises(AssertionError, match="Colour"):
        account(DescribeTargetGroups=[{"TargetGroups": [GROUP | {"Colour": "red"}]}])
