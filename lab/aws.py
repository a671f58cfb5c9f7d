"""The AWS account that the lab pretends to have: network, instances, groups and listeners.

Made through the API as anyone would make it, so that what boto3 refuses is refused here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import zones
from lab.targets import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lab.api import Api

IMAGE = "ami-760aaa0f"  # a Linux one that moto knows; listing its 1300 takes longer than the rest
LISTENERS = {
    "web": "web-lab",
    "admin": "admin-lab",
    "internal": "internal-lab",
    "http2": "http2-lab",
    "grpc": "grpc-lab",
    "https": "https-lab",
}
PORTS = {
    "web-lab": 5000,
    "admin-lab": 5100,
    "internal-lab": 5000,
    "http2-lab": 5000,
    "grpc-lab": 5000,
    "https-lab": 5000,
    "orphan-lab": 5000,
}
VERSIONS = {"http2-lab": "HTTP2", "grpc-lab": "GRPC"}
PROTOCOLS = {"https-lab": "HTTPS"}
EMPTY_AT_FIRST = {"internal-lab", "http2-lab", "grpc-lab", "https-lab"}
"""What tests register themselves: other ways to hosts that are in another group."""
DELAY_SECONDS = 10
ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": str(DELAY_SECONDS),
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}
"""The lab's delay, and AWS's defaults that moto lacks (API reference, TargetGroupAttribute)."""
HEALTH_CHECK: dict[str, Any] = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPort": "traffic-port",
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200"},
}


GRPC_CHECK = HEALTH_CHECK | {
    "HealthCheckPath": "/AWS.ALB/healthcheck",
    "Matcher": {"GrpcCode": "12"},
}
"""Path and code are AWS's own for such groups."""


def health_check(group: str) -> dict[str, Any]:
    """A group's health check at the start."""
    check = GRPC_CHECK if VERSIONS.get(group) == "GRPC" else HEALTH_CHECK
    return check | {"HealthCheckProtocol": PROTOCOLS.get(group, "HTTP")}


def short_name(container: str) -> str:
    """`bookworm-1`, as people call the host in container `changeover-<lab id>-bookworm-1`."""
    return container.split("-", 2)[-1]


def set_up(api: Api, subnet: str, hosts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Make the network, one instance per host (`name`, `address`), groups and listeners.

    Gives instance ids by host name. Nothing is registered yet.
    """
    ec2, elb = api.client("ec2"), api.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock=subnet)["Vpc"]["VpcId"]
    subnet_ids = {
        zone: ec2.create_subnet(VpcId=vpc, CidrBlock=part, AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for zone, part in zones.subnets(subnet).items()
    }
    instances = {
        host["name"]: ec2.run_instances(
            ImageId=IMAGE,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet_ids[zones.zone_of(subnet, host["address"])],
            PrivateIpAddress=host["address"],
            TagSpecifications=[
                {
                    "ResourceType": "instance",
                    "Tags": [
                        {"Key": "Name", "Value": short_name(host["name"])},
                        {"Key": "Environment", "Value": "lab"},
                    ],
                }
            ],
        )["Instances"][0]["InstanceId"]
        for host in hosts
    }
    groups = {
        name: elb.create_target_group(
            Name=name,
            Protocol=PROTOCOLS.get(name, "HTTP"),
            ProtocolVersion=VERSIONS.get(name, "HTTP1"),
            Port=port,
            VpcId=vpc,
            TargetType="instance",
            **health_check(name),
        )["TargetGroups"][0]["TargetGroupArn"]
        for name, port in PORTS.items()
    }
    balancer = elb.create_load_balancer(
        Name="lab", Subnets=[*subnet_ids.values()], Type="application"
    )
    for number, group in enumerate(LISTENERS.values()):
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80 + number,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[group]}],
        )
    restore(api)
    return instances


def restore(api: Api) -> None:
    """Put every group's health check and attributes back to the lab's own."""
    elb = api.client("elbv2")
    for group in elb.describe_target_groups(Names=list(PORTS))["TargetGroups"]:
        arn = group["TargetGroupArn"]
        check = dict(health_check(group["TargetGroupName"]))
        if "GrpcCode" in check["Matcher"]:
            del check["Matcher"]  # moto changes none of gRPC
        elb.modify_target_group(TargetGroupArn=arn, **check)
        attributes = [{"Key": key, "Value": value} for key, value in ATTRIBUTES.items()]
        elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)


def use(api: Api, instances: Mapping[str, str], names: Collection[str]) -> None:
    """Tag the named hosts as the environment's own, the others as spare ones, each by its name."""
    ec2 = api.client("ec2")
    used = [instance for name, instance in instances.items() if name in names]
    spare = [instance for name, instance in instances.items() if name not in names]
    for value, tagged in (("lab", used), ("spare", spare)):
        if tagged:
            ec2.create_tags(Resources=tagged, Tags=[{"Key": "Environment", "Value": value}])
    for name, instance in instances.items():
        tag = {"Key": "Name", "Value": short_name(name)}
        ec2.create_tags(Resources=[instance], Tags=[tag])


def registrations(instances: Mapping[str, str]) -> list[Key]:
    """Every host in the groups that have a listener and are not empty at first."""
    return [
        Key(group, instance, PORTS[group])
        for group in LISTENERS.values()
        if group not in EMPTY_AT_FIRST
        for instance in instances.values()
    ]
