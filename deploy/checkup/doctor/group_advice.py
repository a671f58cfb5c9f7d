"""What target groups are, and what their settings mean for a deploy. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.aws import group_settings
from deploy.aws.targets import ProtocolVersion, State
from deploy.checkup.refusals import Part
from deploy.plan import advice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.checkup.doctor.finding import Findings
    from deploy.settings.app import App
    from deploy.settings.environment import Environment

LONG_DELAYS, LEAST_LONG_SECONDS = 4, 60.0
"""From this many times the longest request on, and from this time, a delay is long."""
LONG_INTERVAL_SECONDS, SHORT_INTERVAL_SECONDS = 15.0, 10
ERROR, REDIRECT = 400, range(300, 400)


def look(
    environment: Environment,
    app: App,
    groups: Iterable[TargetGroup],
    health: Mapping[str, Mapping[Target, Health]],
    findings: Findings,
) -> None:
    """Note what an app's groups are, and what to change about them.

    health: by the group's ARN, its targets; without those that could not be read.
    """
    for group in groups:
        targets = health.get(group.arn)
        if targets is not None:
            findings.ok(Part.BALANCER, f"{group.name} of {app.name}: {_described(group, targets)}")
            if not any(each.state is State.HEALTHY for each in targets.values()):
                findings.warn(
                    Part.BALANCER,
                    advice.no_healthy(group),
                    "right before a first deploy; otherwise look at the targets' reasons in",
                    "`inv status`",
                )
        for text, remedy in _problems(app, group):
            findings.problem(Part.BALANCER, text, remedy)
        for text, commands in _warnings(environment, app, group):
            findings.warn(Part.BALANCER, text, *commands)


def _described(group: TargetGroup, targets: Mapping[Target, Health]) -> str:
    states = Counter(str(each.state) for each in targets.values())
    shown = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    check = f"{group.health_protocol} {group.health_path} gives {group.matcher}"
    return (
        f"{shown or 'no target'}; checked every {group.interval_seconds:g} s: {check}; "
        f"deregistration delay {group.delay_seconds:g} s"
    )


def _problems(app: App, group: TargetGroup) -> Iterator[tuple[str, str]]:
    if group.interval_seconds >= app.healthy_timeout_seconds:
        yield (
            f"{group.name}: checks come every {group.interval_seconds:g} s, and {app.name} waits "
            f"for {app.healthy_timeout_seconds:g} s until its targets are healthy",
            "check more often, or raise `healthy_timeout_seconds:`",
        )


def _warnings(
    environment: Environment, app: App, group: TargetGroup
) -> Iterator[tuple[str, tuple[str, ...]]]:
    least = 2 * app.longest_request_seconds
    if text := advice.short_delay(app, group):
        yield text, _delay(group, least)
    most = max(LONG_DELAYS * app.longest_request_seconds, LEAST_LONG_SECONDS)
    if environment.rollout.drain == "wait" and group.delay_seconds > most:
        yield (
            f"{group.name}: each batch waits for the deregistration delay of "
            f"{group.delay_seconds:g} s, and twice the longest request of {app.name} is "
            f"{least:g} s; shorten it, or set `drain: quiet`",
            _delay(group, least),
        )
    if text := advice.late_notice(group):
        yield text, _interval(group)
    elif group.interval_seconds > LONG_INTERVAL_SECONDS:
        yield (
            f"{group.name}: a host that comes back waits up to {group.interval_seconds:g} s for "
            "its first health check",
            _interval(group),
        )
    if group.protocol_version is not ProtocolVersion.GRPC and (wide := _wide(app, group)):
        yield (
            f"{group.name}: {wide}, so that a release that does not work can pass for healthy",
            (
                "let the check ask for a path that answers 200 alone:",
                f"aws elbv2 modify-target-group --target-group-arn {group.arn} \\",
                "  --matcher HttpCode=200",
            ),
        )


def _wide(app: App, group: TargetGroup) -> str:
    """Which codes mean healthy that are no success, in words; empty for none."""
    text = app.health.expect or group.matcher
    ranges = group_settings.codes(group.protocol_version).parse(text).ranges
    if any(high >= ERROR for _, high in ranges):
        return f"{text} counts errors as healthy"
    if any(high in REDIRECT for _, high in ranges):
        return f"{text} counts redirects as healthy"
    return ""


def _delay(group: TargetGroup, seconds: float) -> tuple[str, ...]:
    return (
        f"aws elbv2 modify-target-group-attributes --target-group-arn {group.arn} \\",
        f"  --attributes Key=deregistration_delay.timeout_seconds,Value={-(-seconds // 1):.0f}",
    )


def _interval(group: TargetGroup) -> tuple[str, ...]:
    return (
        f"aws elbv2 modify-target-group --target-group-arn {group.arn} \\",
        f"  --health-check-interval-seconds {SHORT_INTERVAL_SECONDS}",
    )
