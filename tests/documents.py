"""AWS answers on paper: documents that botocore's model allows, read by the product's own calls."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import boto3
import builders
from botocore.awsrequest import AWSResponse
from botocore.loaders import Loader
from botocore.validate import ParamValidator
from policy import statements

from deploy.aws import inventory, other_groups
from deploy.aws.api.account import Account
from deploy.clock import Clock
from deploy.errors import BadInput, BalancerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.aws.inventory import Host

_OF_IAM = {"elasticloadbalancing": "elbv2"}
SERVICES = {
    operation: _OF_IAM.get(service, service)
    for actions in statements().values()
    for service, operation in (action.split(":") for action in actions)
}
"""boto3's name of the service, by each operation that the product calls."""
_KEY = re.compile(r": \w+(\.\w+|\[\d+\]| \([^)]+\))+ is (absent|no |longer )")


@functools.cache
def examples(operation: str) -> list[dict[str, Any]]:
    """The documents with which botocore explains an operation's answer."""
    listed = Loader().load_service_model(SERVICES[operation], "examples-1")["examples"]
    return [each.get("output") or {} for each in listed.get(operation, ())]


@functools.cache
def _client(service: str) -> Any:
    """A client that all accounts share, since making one takes a third of a second."""
    return boto3.client(
        service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


class PaperAccount(Account):
    """An account whose calls get these documents, by operation; pages come in their order.

    The real clients and paginators are used, so that documents take the way of AWS's answers.
    """

    def __init__(self, **pages: list[dict[str, Any]]) -> None:
        super().__init__(builders.environment(aws={"region": "eu-west-1"}))
        self.asked: set[str] = set()
        self._pages = {operation: list(listed) for operation, listed in pages.items()}
        for operation, listed in pages.items():
            model = _client(SERVICES[operation]).meta.service_model.operation_model(operation)
            for document in listed:
                report = ParamValidator().validate(document, model.output_shape)
                assert not report.has_errors(), report.generate_report()

    def _client(self, service: str) -> Any:
        client = _client(service)
        client.meta.events.unregister("before-call", unique_id=__name__)
        client.meta.events.register_first("before-call", self._answer, unique_id=__name__)
        return client

    def _answer(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """The next page of the operation; the last one again where all were read."""
        self.asked.add(model.name)
        pages = self._pages[model.name]
        return AWSResponse("", 200, {}, None), pages.pop(0) if len(pages) > 1 else pages[0]


GROUP = examples("DescribeTargetGroups")[0]["TargetGroups"][0] | {"TargetType": "instance"}
NAME, VPC = GROUP["TargetGroupName"], GROUP["VpcId"]
INSTANCE = {
    "InstanceId": "i-1234567890abcdef0",
    "State": {"Code": 16, "Name": "running"},
    "Placement": {"AvailabilityZone": "eu-west-1a"},
    "VpcId": VPC,
    "PrivateIpAddress": "10.0.0.1",
    "Tags": [{"Key": "Environment", "Value": "lab"}, {"Key": "Name", "Value": "web-1"}],
    "NetworkInterfaces": [
        {
            "PrivateIpAddress": "10.0.0.1",
            "PrivateIpAddresses": [
                {"Primary": True, "PrivateIpAddress": "10.0.0.1"},
                {"Primary": False, "PrivateIpAddress": "10.0.0.99"},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}],
        }
    ],
}
ID = INSTANCE["InstanceId"]


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The document without these keys."""
    return {key: value for key, value in document.items() if key not in keys}


def account(**pages: list[dict[str, Any]]) -> PaperAccount:
    """An account that answers with these documents, and with botocore's examples elsewhere."""
    listed = {name: examples(name)[:1] or [{}] for name in SERVICES}
    listed["DescribeTargetGroups"] = [{"TargetGroups": [GROUP]}]
    listed["DescribeTargetHealth"] = examples("DescribeTargetHealth")[1:]
    listed["DescribeInstances"] = [{"Reservations": [{"Instances": [INSTANCE]}]}]
    return PaperAccount(**(listed | pages))


class AtOnce(Clock):
    """No time passes."""

    def sleep(self, seconds: float) -> None:
        del seconds


def others(paper: PaperAccount, *vpcs: str) -> Any:
    """The groups that the product finds in these VPCs."""
    return other_groups.find(paper, vpcs or (VPC,), (), AtOnce())


def hosts(paper: PaperAccount) -> tuple[Host, ...]:
    """The hosts that the product finds by INSTANCE's tag."""
    own = builders.environment(hosts={"tags": {"Environment": "lab"}}, auto_scaling="ignore")
    return inventory.find(own, paper, lambda name: name)


def outcome(read: Callable[[], Any], *names: str) -> Any:
    """What a parser makes of documents: its value, or a refusal that says what it is about.

    That is one of these names, or the key that is absent or of another form. Any other error is
    raised.
    """
    try:
        return read()
    except (BadInput, BalancerError) as error:
        text = str(error)
        assert any(name in text for name in names) or _KEY.search(text), text
        return error
