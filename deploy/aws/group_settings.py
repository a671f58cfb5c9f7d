"""A target group's settings, read from AWS; groups that cannot be deployed to are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import HIGHEST_PORT, ProtocolVersion, TargetGroup
from deploy.errors import BadInput
from deploy.settings import success_codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.api.answers import Answer
    from deploy.settings.app import App
    from deploy.settings.success_codes import Codes

OUR_TYPES, OUR_PROTOCOLS = ("instance", "ip"), ("HTTP", "HTTPS")
OTHER_BALANCERS = ("loadbalancer/net/", "loadbalancer/gwy/")
TRAFFIC_PORT = "traffic-port"
"""AWS's word for the port of each target (API reference, TargetGroup)."""
VERSIONS = frozenset(version.value for version in ProtocolVersion)
GRPC_PATH, GRPC_CODE = "/AWS.ALB/healthcheck", "12"
"""What a group of version GRPC asks, and takes, by default (ALB guide, health checks)."""


def refuse_unfit(name: str, group: Answer) -> None:
    """Raise BadInput for a group whose targets we cannot take out, or whose check we cannot ask.

    The kind of a load balancer is in its ARN: `loadbalancer/app/`, `/net/` or `/gwy/`. A group of
    type lambda has no protocol and no port.
    """
    kind = group.text("TargetType", "instance")
    if kind not in OUR_TYPES:
        raise BadInput(
            f"target group {name!r} is of type {kind}; its targets are no hosts, and Changeover "
            "deploys to groups of type instance or ip"
        )
    if group.text("IpAddressType", "ipv4") != "ipv4":
        why = (
            "registers hosts by their IPv4 address: a host that serves there would seem to be out "
            "of service"
            if kind == "ip"
            else "proves a release at the host's IPv4 address: it could pass where the load "
            "balancer's own check does not"
        )
        raise BadInput(
            f"target group {name!r} sends to IPv6 addresses, and Changeover {why}; use a group of "
            "the address type ipv4"
        )
    balancers = group.texts("LoadBalancerArns")
    if not balancers:
        raise BadInput(
            f"target group {name!r} belongs to no load balancer, so its targets can never be "
            "healthy; add it to a listener's rule first"
        )
    protocol = group.text("Protocol", "HTTP")
    other = next((arn for arn in balancers if any(each in arn for each in OTHER_BALANCERS)), "")
    if protocol not in OUR_PROTOCOLS or other:
        at = f" at {other.partition('loadbalancer/')[2]}" if other else ""
        raise BadInput(
            f"target group {name!r} has the protocol {protocol}{at}: Changeover deploys behind "
            "Application Load Balancers, which keep to requests; with others a connection may "
            "outlive its target's time"
        )
    check, version = group.text("HealthCheckProtocol", protocol), _version(group)
    if check not in OUR_PROTOCOLS or version not in VERSIONS:
        asked = check if version in VERSIONS else f"{check} of version {version}"
        raise BadInput(
            f"target group {name!r} checks its targets over {asked}, which Changeover cannot ask: "
            "a release would not be proven by the load balancer's own question; let the group "
            "check over HTTP or HTTPS (HealthCheckProtocol)"
        )


def codes(version: ProtocolVersion) -> Codes:
    """The codes that the health check of a group of a version knows."""
    return success_codes.GRPC if version is ProtocolVersion.GRPC else success_codes.HTTP


def refuse_expect(apps: Sequence[App], groups: Mapping[str, Sequence[TargetGroup]]) -> None:
    """Raise BadInput for an app whose `health: expect:` has codes that its group cannot have."""
    for app in (each for each in apps if each.health.expect):
        for group in groups[app.name]:
            try:
                codes(group.protocol_version).parse(str(app.health.expect))
            except BadInput as error:
                raise BadInput(
                    f"app {app.name}: `health: expect:` does not fit target group {group.name} of "
                    f"version {group.protocol_version}: {error}"
                ) from error


def refuse_agent(apps: Sequence[App], groups: Mapping[str, Sequence[TargetGroup]]) -> None:
    """Raise BadInput for an app that is to have the port of the agent of target optimizer.

    With a target control port, an agent on each target takes the requests and passes them on (ALB
    guide, target optimizer): it is a proxy, and stays when the app is stopped.
    """
    for app in (each for each in apps if each.target_port is None):
        for group in (each for each in groups[app.name] if each.control_port):
            raise BadInput(
                f"app {app.name}: target group {group.name} has the target control port "
                f"{group.control_port}: an agent on each host takes the requests and passes them "
                f"on. Name the agent's port, such as {group.port}, as `target_port:`, and that "
                "which the app listens on under `ports:`"
            )


def distinct(
    apps: Sequence[App], found: Mapping[str, Mapping[str, TargetGroup]]
) -> dict[str, tuple[TargetGroup, ...]]:
    """Each app's target groups, of those found by app and by the name that the settings have.

    Raises:
        BadInput: Two names mean one group, as a name and its ARN do; or apps behind one proxy have
            not the same groups.
    """
    taken: dict[str, tuple[App, str]] = {}
    own = {app.name: {group.arn: group for group in found[app.name].values()} for app in apps}
    for app in apps:
        for name, group in found[app.name].items():
            called = f"{name!r} of app {app.name}"
            other, before = taken.setdefault(group.arn, (app, called))
            if before != called and not (other is not app and other.shares_target_with(app)):
                raise BadInput(
                    f"target group {group.name} stands there twice: as {before} and as "
                    f"{called}; name each target group once"
                )
        for other in apps:
            if app.shares_target_with(other) and own[app.name].keys() != own[other.name].keys():
                raise BadInput(
                    f"apps {app.name} and {other.name} have one target_port, {app.target_port}, "
                    "and not the same target groups; name all groups of that port under "
                    "`target_groups:` of both"
                )
    return {app: tuple(groups.values()) for app, groups in found.items()}


MINIMUMS = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets",
    "target_group_health.dns_failover.minimum_healthy_targets",
)
"""Below the first, requests go to all registered targets, unhealthy ones included; below the second
a zone leaves DNS (ALB guide, target group health). A share is `off` by default.
"""


def parse(group: Answer, attributes: Answer) -> TargetGroup:
    """Return the settings; raises UnexpectedAnswer for what is missing or of another form."""
    version, matcher = ProtocolVersion(_version(group)), group.part("Matcher")
    path, code = "/", matcher.text("HttpCode", "") or "200"
    if version is ProtocolVersion.GRPC:
        path, code = GRPC_PATH, matcher.text("GrpcCode", "") or GRPC_CODE
    return TargetGroup(
        name=group.text("TargetGroupName"),
        arn=group.text("TargetGroupArn"),
        port=group.number("Port", most=HIGHEST_PORT),
        target_type=group.text("TargetType", "instance"),
        protocol_version=version,
        load_balancers=group.texts("LoadBalancerArns"),
        health_path=group.text("HealthCheckPath", path),
        health_port=_health_port(group),
        matcher=_readable(group, version, code),
        interval_seconds=float(group.number("HealthCheckIntervalSeconds")),
        timeout_seconds=float(group.number("HealthCheckTimeoutSeconds")),
        unhealthy_threshold=group.number("UnhealthyThresholdCount"),
        delay_seconds=float(attributes.number("deregistration_delay.timeout_seconds", 300)),
        slow_start_seconds=float(attributes.number("slow_start.duration_seconds", 0)),
        zonal=attributes.text("load_balancing.cross_zone.enabled", "") == "false",
        vpc=group.text("VpcId", ""),
        control_port=group.number("TargetControlPort", 0, most=HIGHEST_PORT),
        health_protocol=group.text("HealthCheckProtocol", group.text("Protocol", "HTTP")),
        least_healthy=max(_number(attributes, f"{each}.count", 1) for each in MINIMUMS),
        least_healthy_percent=max(
            _number(attributes, f"{each}.percentage", 0) for each in MINIMUMS
        ),
    )


def _version(group: Answer) -> str:
    return group.text("ProtocolVersion", "") or ProtocolVersion.HTTP1


def _health_port(group: Answer) -> str:
    """`traffic-port`, or a port in digits."""
    text = group.text("HealthCheckPort", TRAFFIC_PORT)
    is_number = text not in {TRAFFIC_PORT, ""}
    return str(group.number("HealthCheckPort", most=HIGHEST_PORT)) if is_number else TRAFFIC_PORT


def _readable(group: Answer, version: ProtocolVersion, code: str) -> str:
    """The success codes; refused here, since a host that is out is too late to find them wrong."""
    try:
        codes(version).parse(code)
    except BadInput as error:
        raise BadInput(f"target group {group.text('TargetGroupName')!r}: {error}") from error
    return code


def _number(attributes: Answer, key: str, default: int) -> int:
    """A number that may be switched off."""
    return default if attributes.text(key, "off") == "off" else attributes.number(key)
