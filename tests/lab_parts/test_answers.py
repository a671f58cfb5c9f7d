"""What the product reads from the lab's AWS API has the form that botocore's model of AWS has.

The lab is made to give each answer in all the states that it knows; the XML is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import wire_form
from botocore.parsers import create_parser
from documents import SERVICES, examples
from paper_account import running
from recorder import Recorder, record

from lab.api import OVERRIDES
from lab.targets import Reason, State

OPERATIONS = sorted(SERVICES)
"""All calls of the product: tests/test_docs.py compares the policy with the code."""
LACKS = {
    "AutoScalingGroups.TrafficSources": "moto does not know them, and the product does not",
    "AutoScalingGroups.VPCZoneIdentifier": "the group of this test is made by zone",
    "InstanceRefreshes.": "the lab has no instance refresh",
    "ScheduledUpdateGroupActions.ScheduledActionARN": "moto does not give it",
    "ScheduledUpdateGroupActions.Time": "moto does not give this older name of StartTime",
}
"""Members of AWS's examples that the lab's answers do not have, with the reason."""


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with running() as account:
        account.reset()
        yield record(account)


def test_every_call_of_the_product_was_answered(recorder: Recorder) -> None:
    assert set(OPERATIONS) <= set(recorder.bodies)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_answer_has_the_form_of_the_model(name: str, recorder: Recorder) -> None:
    operation = recorder.operations[name]
    for body in recorder.bodies[name]:
        assert wire_form.problems(operation, body) == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_answer_has_the_members_of_awss_examples(name: str, recorder: Recorder) -> None:
    """ELB's model marks no member as required; its examples show what AWS always gives."""
    parser = create_parser(recorder.operations[name].service_model.protocol)
    shape = recorder.operations[name].output_shape
    given = {
        path
        for body in recorder.bodies[name]
        for path in paths(parser.parse({"body": body, "headers": {}, "status_code": 200}, shape))
    }
    shown = {path for example in examples(name) for path in paths(example)}
    assert [path for path in shown - given if not path.startswith(tuple(LACKS))] == []


def paths(document: object, above: str = "") -> Iterator[str]:
    """The keys of a document, each with those above it: `TargetGroups.Matcher.HttpCode`."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield f"{above}{key}"
            yield from paths(value, f"{above}{key}.")
    elif isinstance(document, list):
        for value in document:
            yield from paths(value, above)


def test_every_state_and_reason_of_the_lab_was_among_the_answers(recorder: Recorder) -> None:
    text = b"".join(recorder.bodies["DescribeTargetHealth"]).decode()
    assert set(re.findall("<State>([a-z]+)</State>", text)) == set(State)
    assert set(re.findall("<State>([a-z_]+_[a-z_]+)</State>", text)) == {
        state for state, _ in OVERRIDES.values()
    }
    assert set(re.findall("<Reason>((?:Elb|Target).+?)</Reason>", text)) == set(Reason) - {""}


def test_an_error_has_a_code_of_the_model(recorder: Recorder) -> None:
    """EC2's model lists no errors at all."""
    of_elb = {name: found for name, found in recorder.errors.items() if name != "DescribeInstances"}
    assert of_elb
    for name, found in of_elb.items():
        assert found <= {each.error_code for each in recorder.operations[name].error_shapes}


def changed(recorder: Recorder, name: str, pattern: str, by: str) -> list[str]:
    """The problems of the last answer in which the pattern occurs, with that text changed."""
    bodies = [each.decode() for each in recorder.bodies[name] if re.search(pattern, each.decode())]
    return wire_form.problems(recorder.operations[name], re.sub(pattern, by, bodies[-1]).encode())


@pytest.mark.parametrize(
    ("name", "pattern", "by", "problem"),
    [
        ("DescribeTargetHealth", ">healthy<", ">well<", "'well' is none of TargetHealthStateEnum"),
        ("DescribeTargetGroups", ">instance<", ">host<", "'host' is none of TargetTypeEnum"),
        ("DescribeTargetGroups", "<VpcId>", "<Colour>red</Colour><VpcId>", "Colour: the model has"),
        ("DescribeTargetGroups", "<Port>5000", "<Port>many", "'many' is no integer"),
        ("DescribeTargetGroups", ">5000<", "><Value>1</Value><", "has no members, such as Value"),
        ("DescribeTargetGroups", "(<Port>.+?</Port>)", r"\1\1", "Port: comes 2 times"),
        ("DescribeTargetGroups", "<Matcher>", "<Matcher>200", "'200' is no structure"),
        ("DescribeTargetGroups", "(</?)member>", r"\1item>", "is called member, not item"),
        ("DescribeTargetGroups", "TargetGroupsResult", "Groups", "not DescribeTargetGroupsResult"),
        ("DescribeTargetGroups", "<ResponseMetadata>.*</ResponseMetadata>", "", "absent"),
        ("DescribeAccountLimits", "AccountLimitsResponse", "Limits", "the document is not called"),
        ("DescribeInstances", "<privateIpAddress>", "<colour/><privateIpAddress>", "colour: the"),
        ("DescribeInstances", "(</?)privateIpAddress>", r"\1PrivateIpAddress>", "no such member"),
        ("DescribeInstances", "(<launchTime>)[^<]*", r"\1today", "'today' is no timestamp"),
        (
            "DescribeAutoScalingInstances",
            "<LifecycleState>.*?</LifecycleState>",
            "",
            "LifecycleState: is required, and absent",
        ),
    ],
)
def test_control_what_the_model_does_not_have_is_found(
    name: str, pattern: str, by: str, problem: str, recorder: Recorder
) -> None:
    assert problem in "\n".join(changed(recorder, name, pattern, by))
