"""Target groups and targets of every kind are read, or refused in words that name them."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from documents import GROUP, NAME, VPC, account, others, outcome, without

from deploy.aws.target_groups import Balancer
from deploy.aws.targets import Override, ProtocolVersion, State, TargetGroup
from deploy.errors import BadInput, DeployError
from deploy.hosts.probe.request import Reply, Request
from deploy.survey.question import Question

NLB, GWY = ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/" + kind
            for kind in ("net/edge/1", "gwy/edge/1"))  # fmt: skip


def group(changes: dict[str, Any], attributes: dict[str, str] | None = None) -> Any:
    """What a group is read as whose description has these changes; None takes a key away."""
    changed = {key: value for key, value in (GROUP | changes).items() if value is not None}
    listed = [{"Key": key, "Value": value} for key, value in (attributes or {}).items()]
    paper = account(
        DescribeTargetGroups=[{"TargetGroups": [changed]}],
        DescribeTargetGroupAttributes=[{"Attributes": listed}],
    )
    return outcome(lambda: Balancer(paper).group(NAME), NAME)


GROUPS: dict[str, tuple[dict[str, Any], str]] = {
    "as AWS explains it": ({}, ""),
    "of type lambda": (
        {"TargetType": "lambda"}
        | dict.fromkeys(("Port", "Protocol", "VpcId", "HealthCheckPort", "HealthCheckProtocol")),
        "is of type lambda",
    ),
    "of type alb": ({"TargetType": "alb", "Protocol": "TCP"}, "is of type alb"),
    **{
        f"{protocol} at a Network Load Balancer": (
            {"Protocol": protocol, "LoadBalancerArns": [NLB], "Matcher": None},
            f"protocol {protocol} at net/edge/1",
        )
        for protocol in ("TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC")
    },
    "checked by HTTP at a Network Load Balancer": (
        {"Protocol": "TCP", "HealthCheckProtocol": "HTTP", "LoadBalancerArns": [NLB]}
        | {"Matcher": {"HttpCode": "200-399"}},
        "protocol TCP at net/edge/1",
    ),
    "of a Gateway Load Balancer": (
        {"Protocol": "GENEVE", "Port": 6081, "LoadBalancerArns": [GWY], "IpAddressType": None},
        "protocol GENEVE at gwy/edge/1",
    ),
    "of addresses": ({"TargetType": "ip"}, ""),
    "of IPv6 addresses": (
        {"TargetType": "ip", "IpAddressType": "ipv6"},
        "sends to IPv6 addresses, and Changeover registers hosts by their IPv4 address",
    ),
    "of instances by IPv6": (
        {"IpAddressType": "ipv6"},
        "sends to IPv6 addresses, and Changeover proves a release at the host's IPv4 address",
    ),
    "of instances by IPv4": ({"IpAddressType": "ipv4"}, ""),
    "in another VPC": ({"VpcId": "vpc-2"}, ""),
    "without a VPC": ({"VpcId": None}, ""),
    "without a matcher": ({"Matcher": None}, ""),
    "with an empty matcher": ({"Matcher": {}}, ""),
    "with a range beyond an ALB's": ({"Matcher": {"HttpCode": "200-599"}}, f"group '{NAME}': matc"),
    "with a matcher of words": ({"Matcher": {"HttpCode": "ok"}}, f"group '{NAME}': matcher 'ok'"),
    "without a check's port": ({"HealthCheckPort": None}, ""),
    "with a check's port": ({"HealthCheckPort": "8081"}, ""),
    "with a check's port in other digits": ({"HealthCheckPort": "²"}, "HealthCheckPort is no numb"),
    "with a check's port beyond all": ({"HealthCheckPort": "99999"}, "no number up to 65,535"),
    "with an agent on each target": ({"TargetControlPort": 3000}, ""),
    "with an agent's port beyond all": ({"TargetControlPort": 99999}, "no number up to 65,535"),
    "without a check's path": ({"HealthCheckPath": None}, ""),
    "without a check's protocol": ({"HealthCheckProtocol": None}, ""),
    "checked by HTTPS": ({"HealthCheckProtocol": "HTTPS"}, ""),
    "checked by TCP": ({"HealthCheckProtocol": "TCP"}, "over TCP"),
    "without times": ({"HealthCheckIntervalSeconds": None}, "HealthCheckIntervalSeconds is absent"),
    "without a port": ({"Port": None}, "Port is absent"),
    "of no load balancer": ({"LoadBalancerArns": []}, "belongs to no load balancer"),
    "of an unknown load balancer": ({"LoadBalancerArns": None}, "LoadBalancerArns is absent"),
    "of an unknown type": ({"TargetType": "container"}, "is of type container"),
    "of an unknown protocol": ({"Protocol": "HTTP4"}, "has the protocol HTTP4"),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_a_group_is_read_or_refused_by_name(kind: str) -> None:
    changes, said = GROUPS[kind]
    found = group(changes)
    assert isinstance(found, DeployError if said else TargetGroup), found
    assert said in str(found)


def test_p10_the_port_of_the_agent_is_read() -> None:
    assert group({"TargetControlPort": 3000}).control_port == 3000
    assert group({}).control_port == 0


def test_a_grpc_group_is_read_or_refused_by_name() -> None:
    """Whether it can be deployed to is no matter of this test."""
    changes = {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "12"}}
    assert isinstance(group(changes), BadInput | TargetGroup)


@pytest.mark.parametrize("kind", [kind for kind, (_, said) in GROUPS.items() if not said])
def test_the_check_of_a_group_that_is_read_can_be_asked(kind: str) -> None:
    """Before a host is taken out: an answer that cannot be compared afterwards is too late."""
    found = group(GROUPS[kind][0])
    at = builders.survey([builders.facts(1)]).everywhere(builders.app())[0]
    (member,) = at.memberships
    question = Question.of(at, member._replace(group=found))

    class PaperHost:
        def probe(self, request: Request, seconds: float) -> Reply:
            assert seconds > 0
            is_grpc = request.version is ProtocolVersion.GRPC
            return Reply(12 if is_grpc else 200, request.version)

        def forwards(self, place: tuple[str, int], seconds: float) -> bool:
            return bool(place) and seconds > 0

    assert question.ask(PaperHost(), 5000).is_expected
    assert 0 <= (question.port or 0) <= 65535


ATTRIBUTES: dict[str, tuple[dict[str, str], str]] = {
    "none": ({}, ""),
    "off": (
        {
            "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "off",
            "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
            "target_group_health.dns_failover.minimum_healthy_targets.count": "off",
            "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
            "load_balancing.algorithm.anomaly_mitigation": "off",
        },
        "",
    ),
    "of another service": ({"lambda.multi_value_headers.enabled": "false"}, ""),
    "an empty delay": (
        {"deregistration_delay.timeout_seconds": ""},
        "deregistration_delay.timeout_seconds is no number",
    ),
    "a delay that is off": (
        {"deregistration_delay.timeout_seconds": "off"},
        "deregistration_delay.timeout_seconds is no number",
    ),
}


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_attributes_are_read_or_refused_by_name(kind: str) -> None:
    given, said = ATTRIBUTES[kind]
    found = group({}, given)
    assert isinstance(found, DeployError if said else TargetGroup), found
    assert said in str(found)


HEALTHY = {"Target": {"Id": "i-1", "Port": 80}, "TargetHealth": {"State": "healthy"}}
HEALTHS: dict[str, tuple[dict[str, Any], str]] = {
    "as AWS explains it": (HEALTHY, ""),
    "of a function": (
        {"Target": {"Id": "arn:aws:lambda:eu-west-1:1:function:web", "AvailabilityZone": "all"}}
        | {"TargetHealth": {"State": "unavailable", "Reason": "Target.HealthCheckDisabled"}},
        "",
    ),
    "of another VPC": (
        HEALTHY | {"Target": {"Id": "10.1.0.1", "Port": 80, "AvailabilityZone": "all"}},
        "",
    ),
    "of an IPv6 address": (HEALTHY | {"Target": {"Id": "2001:db8::1", "Port": 80}}, ""),
    "without a port": (HEALTHY | {"Target": {"Id": "i-1"}}, ""),
    "without a reason": (HEALTHY | {"TargetHealth": {"State": "unhealthy"}}, ""),
    "of a state that we do not know": (HEALTHY | {"TargetHealth": {"State": "resting"}}, ""),
    "without a state": (HEALTHY | {"TargetHealth": {}}, "State is absent"),
    "without health": (without(HEALTHY, "TargetHealth"), "State is absent"),
    "without a target": (without(HEALTHY, "Target"), "Id is absent"),
    **{
        f"with the override {state}": (HEALTHY | {"AdministrativeOverride": {"State": state}}, "")
        for state in (*Override, "of another year")
    },
    "with an override without a state": (HEALTHY | {"AdministrativeOverride": {}}, ""),
    **{
        f"{result} by anomaly detection": (HEALTHY | {"AnomalyDetection": {"Result": result}}, "")
        for result in ("normal", "anomalous", "of another year")
    },
    "with anomaly detection without a result": (
        HEALTHY | {"AnomalyDetection": {"MitigationInEffect": "no"}},
        "",
    ),
}


@pytest.mark.parametrize("kind", HEALTHS)
def test_health_is_read_or_refused_by_name(kind: str) -> None:
    description, said = HEALTHS[kind]
    paper = account(DescribeTargetHealth=[{"TargetHealthDescriptions": [description]}])
    for read in (lambda: Balancer(paper).health(builders.group()), lambda: others(paper)):
        found = outcome(read)
        assert isinstance(found, DeployError) == bool(said), found
        assert said in str(found)
        if not said and isinstance(found, dict):
            (health,) = found.values()
            assert health.state in State
            assert str(health)


@pytest.mark.parametrize(
    ("changes", "vpcs", "counts"),
    [
        ({"VpcId": None}, (VPC,), True),
        ({"VpcId": "vpc-2"}, ("",), True),
        ({"VpcId": "vpc-2"}, (VPC,), False),
        ({"VpcId": "vpc-2"}, (VPC, "vpc-2"), True),
    ],
)
def test_p10_a_group_whose_vpc_is_not_known_is_looked_at(
    changes: dict[str, Any], vpcs: tuple[str, ...], *, counts: bool
) -> None:
    changed = {key: value for key, value in (GROUP | changes).items() if value is not None}
    paper = account(DescribeTargetGroups=[{"TargetGroups": [changed]}])
    assert bool(others(paper, *vpcs)) is counts


def test_another_group_that_cannot_be_read_is_named() -> None:
    listed = [GROUP, without(GROUP, "LoadBalancerArns") | {"TargetGroupName": "odd"}]
    paper = account(DescribeTargetGroups=[{"TargetGroups": listed}])
    found = outcome(lambda: others(paper))
    assert "DescribeTargetGroups (odd).LoadBalancerArns is absent" in str(found)
