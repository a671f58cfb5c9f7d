"""Decides which hosts go first, and cuts them into batches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deploy.aws.targets import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.plan.host_plan import Goal, HostPlan
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.settings.rollout import Rollout
    from deploy.survey.facts import HostFacts, Survey

T = TypeVar("T")


def batches(rollout: Rollout, order: Sequence[T], fleet: int) -> tuple[tuple[T, ...], ...]:
    """The hosts cut into batches; percentages are of the whole fleet, at least 1 host.

    A window slides over all of them, as over one batch.
    """
    if rollout.window:
        return (tuple(order),) if order else ()
    cut: list[tuple[T, ...]] = []
    start = 0
    while start < len(order):
        size = rollout.batch.hosts(len(cut), fleet)
        cut.append(tuple(order[start : start + size]))
        start += size
    return tuple(cut)


def order(
    rollout: Rollout,
    due: Sequence[HostFacts],
    survey: Survey,
    apps: Iterable[App],
    *,
    canary: bool = True,
) -> tuple[HostFacts, ...]:
    """Hosts that do not serve first, since they cost no capacity; before them a canary, which does.

    Those of a zone that traffic is shifted away from are among them.
    Of several apps, hosts with the fewest in service come first, and of several groups those in the
    fewest. A percentage or a ramp asks for a canary: a host that shows what the release does in
    service.
    """
    served = tuple(app for app in apps if not app.is_worker)

    def serving_apps(facts: HostFacts) -> int:
        return sum(survey.on(facts.host, app).serves for app in served)

    def groups(facts: HostFacts) -> int:
        seen = (survey.on(facts.host, app).memberships for app in served)
        return sum(each.health.serves for memberships in seen for each in memberships)

    found = sorted(due, key=lambda facts: (serving_apps(facts), groups(facts), facts.host.name))
    sizes = rollout.batch.sizes
    if canary and not rollout.window and (len(sizes) > 1 or sizes[0].endswith("%")):
        first = next((facts for facts in found if serving_apps(facts) == len(served)), None)
        if first:
            found.remove(first)
            found.insert(0, first)
    return tuple(found)


def is_served(host: Host, environment: Environment, survey: Survey) -> bool:
    """Whether each app is in service on a host by the load balancer alone, in whichever slot."""
    return all(
        any(
            all(each.health.state is State.HEALTHY for each in survey.memberships(host, slot))
            for slot in app.slots
        )
        for app in environment.apps
    )


def sick_apart(
    goals: Mapping[str, tuple[Goal, ...]],
) -> tuple[dict[str, tuple[Goal, ...]], dict[str, tuple[Goal, ...]]]:
    """Goals of apps that are out on a host on which others serve, and all the rest.

    The former cost no capacity, so they go first and apart: where one app is out on one host and
    another on the next, no order of whole hosts would keep both in service.
    """
    sick: dict[str, tuple[Goal, ...]] = {}
    rest = dict(goals)
    for host, mine in goals.items():
        out = tuple(goal for goal in mine if _is_out(goal))
        if out and len(out) < len(mine):
            sick[host] = out
            rest[host] = tuple(goal for goal in mine if not _is_out(goal))
    return sick, rest


def out_apart(
    goals: Mapping[str, tuple[Goal, ...]],
) -> tuple[dict[str, tuple[Goal, ...]], dict[str, tuple[Goal, ...]]]:
    """Goals of hosts whose apps get no requests, and all the rest.

    The former take no capacity, however many go at once. An unhealthy target is not among them: a
    group without a healthy one sends to all that are registered (ALB guide, target group health).
    """
    out = {host: mine for host, mine in goals.items() if mine and all(map(_is_idle, mine))}
    return out, {host: mine for host, mine in goals.items() if host not in out}


def _is_idle(goal: Goal) -> bool:
    """Whether an app is in no group, nor in its other slot; of a worker, whether it is down."""
    on = goal.on
    if on.is_worker:
        return not on.is_up
    return not (on.may_receive or (on.spare and on.spare.may_receive))


def _is_out(goal: Goal) -> bool:
    """Whether an app is out of service now. A worker is no capacity, and goes with its batch."""
    return not goal.on.is_worker and not goal.on.is_healthy_somewhere


def windows(batch: tuple[HostPlan, ...], size: int | None) -> list[tuple[HostPlan, ...]]:
    """The hosts that may be out at once: the batch, or where a window slides over it, its steps."""
    if size is None:
        return [batch]
    return [batch[start : start + size] for start in range(max(1, len(batch) - size + 1))]
