"""Targets of an app's groups that are no hosts here, and hosts that can be none. Pure.

They would go on with the release that they have, under the same name and the same load balancer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.aws.targets import State
from deploy.errors import BadInput
from deploy.foreign_text import visible, word
from deploy.survey.app_on_host import is_outside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey


class ForeignTarget(NamedTuple):
    """A target that is no host that a command could deploy to.

    Attributes:
        group: The group that it is registered in.
        target: The target.
        health: Its health there; it gets requests, now or soon, or is `unused`.
        resting: The host that it is and its lifecycle state, where its Auto Scaling group keeps
            that host out of service; empty for all others.
    """

    group: TargetGroup
    target: Target
    health: Health
    resting: str = ""

    @property
    def is_idle(self) -> bool:
        """Whether it gets no requests now: its instance does not run, for instance."""
        return not self.health.may_receive

    @property
    def is_unknown(self) -> bool:
        """Whether it gets requests, and nothing says what it is."""
        return not (self.is_idle or self.resting)

    def __str__(self) -> str:
        what = self.resting or "no host of this environment"
        text = f"{self.group.name}: {self.target} is {what}"
        if self.is_idle:
            return f"{text}, and {self.health}: it gets no requests now, and keeps its release"
        return f"{text}, and {self.health}: it keeps its release" if self.resting else text


def find(survey: Survey, apps: Iterable[App]) -> tuple[ForeignTarget, ...]:
    """Those in the groups of these apps; hosts that the command is not about are none.

    One that drains leaves, and is none either. Nor is a host by another of its addresses, as of a
    second network interface: `other_targets` has it, and knows whether it serves alone.
    """
    known = {id_ for host in (*survey.everyone, *survey.other_hosts) for id_ in host.reached_by}
    resting = {
        id_: f"{host}, {visible(state)} in the Auto Scaling group {visible(host.scaling_group)}"
        for host, state in survey.resting.items()
        for id_ in host.target_ids
    }
    groups = {group.arn: group for app in apps for group in survey.groups[app.name]}
    return tuple(
        ForeignTarget(group, target, health, resting.get(target.id, ""))
        for group in groups.values()
        for target, health in sorted(survey.health[group.arn].items(), key=lambda each: each[0])
        if target.id not in known and (health.may_receive or _waits(health))
    )


def _waits(health: Health) -> bool:
    """Whether it is registered and unused: it may get requests again without a registration."""
    return health.state is State.UNUSED and health.is_registered


def refuse(environment: Environment, survey: Survey) -> None:
    """Raise BadInput where some get requests and are unknown, unless the settings accept them."""
    found = [each for each in find(survey, environment.apps) if each.is_unknown]
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


def refuse_other_vpcs(survey: Survey) -> None:
    """Raise BadInput for hosts that a group of instances cannot take: those of another VPC.

    RegisterTargets would refuse them as invalid (API reference, InvalidTarget), after their
    release was proven. Groups by address take hosts of other VPCs.
    """
    groups = {group.arn: group for each in survey.groups.values() for group in each}
    problems = [
        f"{host} ({host.instance_id}) is in {host.vpc}, and target group {group.name} takes "
        f"instances of {group.vpc} alone; check `hosts:`, or leave it out with "
        f"--skip-host {word(host.typed)}"
        for host in survey.everyone
        for group in groups.values()
        if group.target_type == "instance" and is_outside(group, host)
    ]
    if problems:
        raise BadInput(*problems)
