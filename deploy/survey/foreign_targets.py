"""Targets of an app's groups that are no hosts of the environment. Pure.

They would go on with the release that they have, under the same name and the same load balancer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey


class ForeignTarget(NamedTuple):
    """A target that gets requests, now or soon, and is no host of the environment."""

    group: TargetGroup
    target: Target
    health: Health

    def __str__(self) -> str:
        return f"{self.group.name}: {self.target} is no host of this environment"


def find(survey: Survey, apps: Iterable[App]) -> tuple[ForeignTarget, ...]:
    """Those in the groups of these apps; hosts that the command is not about are none."""
    known = {id_ for host in (*survey.everyone, *survey.other_hosts) for id_ in host.target_ids}
    groups = {group.arn: group for app in apps for group in survey.groups[app.name]}
    return tuple(
        ForeignTarget(group, target, health)
        for group in groups.values()
        for target, health in sorted(survey.health[group.arn].items(), key=lambda each: each[0])
        if target.id not in known and health.may_receive
    )


def refuse(environment: Environment, survey: Survey) -> None:
    """Raise BadInput where there are any, unless the settings accept them."""
    found = find(survey, environment.apps)
    if found and environment.foreign_targets == "refuse":
        raise BadInput(
            *(
                f"{each}, and {each.health}: it would go on with the release that it has; add it "
                "to `hosts:`, or take it out: aws elbv2 deregister-targets --target-group-arn "
                f"{each.group.arn} --targets Id={each.target.id},Port={each.target.port}"
                for each in found
            ),
            "`foreign_targets: warn` accepts such targets, and names them.",
        )
