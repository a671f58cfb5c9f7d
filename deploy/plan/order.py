"""Which hosts go first, and how they are cut into batches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.plan.host_plan import Goal, HostPlan
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey


def is_served(host: Host, environment: Environment, survey: Survey) -> bool:
    """Whether each app is in service on a host by the load balancer alone, in whichever slot."""
    return all(
        any(survey.health_of(host, app.at(port)).state is State.HEALTHY for port in app.ports)
        for app in environment.apps
    )


def sick_apart(
    goals: Mapping[str, tuple[Goal, ...]], survey: Survey
) -> tuple[dict[str, tuple[Goal, ...]], dict[str, tuple[Goal, ...]]]:
    """Goals of apps that are out on a host on which others serve, and all the rest.

    The former cost no capacity, so they go first and apart: where one app is out on one host and
    another on the next, no order of whole hosts would keep both in service.
    """
    sick: dict[str, tuple[Goal, ...]] = {}
    rest = dict(goals)
    for facts in survey.hosts:
        mine = goals.get(facts.host.name, ())
        out = tuple(
            goal
            for goal in mine
            if survey.health_of(facts.host, goal.app).state is not State.HEALTHY
        )
        if out and len(out) < len(mine):
            sick[facts.host.name] = out
            rest[facts.host.name] = tuple(goal for goal in mine if goal not in out)
    return sick, rest


def windows(batch: tuple[HostPlan, ...], size: int | None) -> list[tuple[HostPlan, ...]]:
    """The hosts that may be out at once: the batch, or where a window slides over it, its steps."""
    if size is None:
        return [batch]
    return [batch[start : start + size] for start in range(max(1, len(batch) - size + 1))]
