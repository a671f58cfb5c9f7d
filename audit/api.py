"""Answers of the AWS API that are none: pages, halves, and true ones with something changed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse

from audit.wall import Attempt
from deploy.aws import inventory
from deploy.aws.api.account import Account
from deploy.aws.target_groups import Balancer
from deploy.aws.targets import ProtocolVersion, TargetGroup
from deploy.errors import DeployError
from deploy.settings.app import App
from deploy.settings.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable

ELB = 'xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"'
GROUP = TargetGroup(
    name="web",
    arn="arn:web",
    port=5000,
    target_type="instance",
    protocol_version=ProtocolVersion.HTTP1,
    load_balancers=("arn:alb",),
    health_path="/",
    health_port="traffic-port",
    matcher="200",
    interval_seconds=5,
    timeout_seconds=2,
    unhealthy_threshold=2,
    delay_seconds=10,
    slow_start_seconds=0,
    zonal=False,
)
TRUE = {
    "DescribeTargetHealth": f"<DescribeTargetHealthResponse {ELB}><DescribeTargetHealthResult>"
    "<TargetHealthDescriptions><member><HealthCheckPort>5000</HealthCheckPort><TargetHealth>"
    "<State>unhealthy</State><Reason>Target.Timeout</Reason><Description>slow</Description>"
    "</TargetHealth><Target><Port>5000</Port><Id>i-0123456789abcdef0</Id></Target></member>"
    "</TargetHealthDescriptions></DescribeTargetHealthResult><ResponseMetadata><RequestId>x"
    "</RequestId></ResponseMetadata></DescribeTargetHealthResponse>",
    "DescribeTargetGroups": f"<DescribeTargetGroupsResponse {ELB}><DescribeTargetGroupsResult>"
    "<TargetGroups><member><TargetGroupArn>arn:web</TargetGroupArn><TargetGroupName>web"
    "</TargetGroupName><Port>5000</Port><Protocol>HTTP</Protocol><LoadBalancerArns><member>arn:alb"
    "</member></LoadBalancerArns><HealthCheckIntervalSeconds>5</HealthCheckIntervalSeconds>"
    "<HealthCheckTimeoutSeconds>2</HealthCheckTimeoutSeconds><UnhealthyThresholdCount>2"
    "</UnhealthyThresholdCount><Matcher><HttpCode>200</HttpCode></Matcher></member></TargetGroups>"
    "</DescribeTargetGroupsResult></DescribeTargetGroupsResponse>",
    "DescribeTargetGroupAttributes": f"<DescribeTargetGroupAttributesResponse {ELB}>"
    "<DescribeTargetGroupAttributesResult><Attributes><member><Value>10</Value><Key>"
    "deregistration_delay.timeout_seconds</Key></member></Attributes>"
    "</DescribeTargetGroupAttributesResult></DescribeTargetGroupAttributesResponse>",
    "DescribeInstances": '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/'
    '2016-11-15/"><requestId>x</requestId><reservationSet><item><instancesSet><item><instanceId>'
    "i-0123456789abcdef0</instanceId><privateIpAddress>10.0.0.1</privateIpAddress><placement>"
    "<availabilityZone>eu-west-1a</availabilityZone></placement><launchTime>"
    "2026-01-01T00:00:00.000Z</launchTime><tagSet><item><key>Name</key><value>one</value></item>"
    "<item><key>a</key><value>b</value></item></tagSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>",
    "GetCallerIdentity": '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/'
    '2011-06-15/"><GetCallerIdentityResult><Arn>arn:me</Arn><UserId>A</UserId><Account>1</Account>'
    "</GetCallerIdentityResult></GetCallerIdentityResponse>",
}
PAGES = (
    b"",
    b"\0" * 100,
    b"null",
    b"[]",
    b"<a/>",
    b"<!DOCTYPE html><html><body><p>Sign in<br></body></html>",
    b"<html><body>Sign in</body></html>",
    b'<!DOCTYPE a [<!ENTITY b "cccccccccc"><!ENTITY d "&b;&b;&b;&b;&b;&b;">]><a>&d;&d;&d;</a>',
    b"<a>" * 5000 + b"</a>" * 5000,
    b"\xff\xfe<\0a\0/\0>\0",
    b"<?xml version='1.0' encoding='latin-9000'?><a/>",
)
WORDS = (
    b"",
    b"-1",
    b"\xc2\xb2",
    b"1e9",
    b"99999999999999999999",
    b"NaN",
    b"<x/>",
    b"&#0;",
    b"x" * 9000,
)
CODES = (200, 200, 200, 200, 204, 302, 400, 404, 407, 413, 500, 503)


class _Body:
    """What AWSResponse reads a body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        """The body in one piece."""
        return [self._body]


class Api:
    """An account whose requests are answered here, at botocore's own seam (`before-send`)."""

    def __init__(self) -> None:
        aws = {"region": "eu-west-1", "endpoint_url": "http://127.0.0.1:9"}
        self.environment = Environment.model_validate(
            {
                "name": "audit",
                "apps": [App(name="web", ports=(5000,), package="web.*", target_group="web")],
                "root": Path("/nowhere"),
                "hosts": {"tags": {"a": "b"}},
                "aws": aws,
            }
        )
        self.account = Account(self.environment)
        self.answers: dict[str, tuple[int, bytes]] = {}
        for service in ("elbv2", "ec2", "sts"):
            events = self.account._client(service).meta.events  # noqa: SLF001 - botocore's seam
            events.register_first("before-send", self._answer)
            events.register_first("needs-retry", lambda **_: False)

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        code, body = self.answers.get(operation, (200, TRUE[operation].encode()))
        headers: dict[str, str] = {}
        return AWSResponse(request.url, code, headers, _Body(body))


def product(api: Api) -> dict[str, Callable[[], object]]:
    """What Changeover asks, by the operation whose answer is replaced."""
    balancer = Balancer(api.account)
    return {
        "DescribeTargetHealth": lambda: balancer.health(GROUP),
        "DescribeTargetGroups": lambda: balancer.group("web"),
        "DescribeTargetGroupAttributes": lambda: balancer.group("web"),
        "DescribeInstances": lambda: inventory.find(api.environment, api.account, str),
        "GetCallerIdentity": api.account.verify,
    }


def naive(api: Api) -> dict[str, Callable[[], object]]:
    """The same with boto3 alone, and the answers' fields taken for granted."""
    client = api.account._client  # noqa: SLF001 - the clients themselves are what is compared
    elb, ec2, sts = client("elbv2"), client("ec2"), client("sts")
    return {
        "DescribeTargetHealth": lambda: [
            (d["Target"]["Id"], d["TargetHealth"]["State"])
            for d in elb.describe_target_health(TargetGroupArn="x")["TargetHealthDescriptions"]
        ],
        "DescribeTargetGroups": lambda: elb.describe_target_groups()["TargetGroups"][0]["Port"],
        "DescribeTargetGroupAttributes": lambda: [
            int(a["Value"])
            for a in elb.describe_target_group_attributes(TargetGroupArn="x")["Attributes"]
        ],
        "DescribeInstances": lambda: ec2.describe_instances()["Reservations"][0]["Instances"],
        "GetCallerIdentity": lambda: sts.get_caller_identity()["Arn"],
    }


def mutated(true: bytes, chance: random.Random) -> bytes:
    """A page, or the true answer with one to three changes."""
    if chance.random() < 0.1:
        return chance.choice(PAGES)
    body = bytearray(true)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(body) or 1)
        kind = chance.randrange(5)
        if kind == 0:
            body[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del body[at:]
        elif kind == 2:
            start = body.find(b">", at) + 1
            body[start : body.find(b"<", start)] = chance.choice(WORDS)
        elif kind == 3:
            start, end = body.find(b"<", at), body.find(b">", at)
            del body[start : end + 1]
        else:
            body[at:at] = body[at : at + chance.randrange(200)]
    return bytes(body)


def attempt(
    asks: Callable[[Api], dict[str, Callable[[], object]]],
    tries: int,
    seed: int = 13,
    api: Api | None = None,
) -> Attempt:
    """Ask so often; a finding for whatever is raised and is no error of ours."""
    chance, findings = random.Random(seed), list[str]()  # noqa: S311 - a fuzzer
    api = api or Api()
    questions = asks(api)
    for number in range(tries):
        operation = list(questions)[number % len(questions)]
        body = mutated(TRUE[operation].encode(), chance)
        api.answers = {operation: (chance.choice(CODES), body)}
        try:
            questions[operation]()
        except DeployError:
            continue
        except Exception as error:  # noqa: BLE001 - that is the finding
            findings.append(
                f"{operation}: {type(error).__name__}: {str(error)[:100]}: {body[:200]!r}"
            )
    api.answers = {}
    return Attempt(tries, tuple(findings))
