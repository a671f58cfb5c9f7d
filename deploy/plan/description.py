"""How a plan introduces itself: what it is for, and how long its waits are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.aws.targets import TargetGroup
    from deploy.plan.host_plan import HostPlan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Phase, Step

    Groups = Mapping[str, tuple[TargetGroup, ...]]

MARGIN_SECONDS = 60.0
"""What the waits of a batch leave out: uploads, starts, and answers that are late."""


def title(verb: str, releases: Mapping[str, str], environment: Environment, hosts: int) -> str:
    """One line: the releases by app, the environment, how many hosts, and the policy."""
    rollout = environment.rollout
    listed = ", ".join(visible(f"{app} {release}") for app, release in releases.items())
    join = "on" if verb in {"Repair", "Observe"} else "to"
    count = f"{hosts} host{'s' if hosts > 1 else ''}"
    pace = f"window {rollout.window}" if rollout.window else f"batch {rollout.batch}"
    policy = f"{rollout.strategy}, {pace}, drain {rollout.drain}"
    return f"{verb} {listed} {join} {environment.name}: {count}, {policy}"


def seconds(batches: tuple[tuple[HostPlan, ...], ...], groups: Groups, window: int | None) -> float:
    """Seconds of waiting that the settings ask for; hosts of a batch or window wait together."""
    now = end = 0.0
    for batch in batches:
        turns = -(-len(batch) // window) if window and batch is batches[-1] else 1
        now += turns * max(waits(host_plan.steps, groups) for host_plan in batch)
        end = max(end, now + max(waits(host_plan.after, groups) for host_plan in batch))
    return end


def waits(steps: Iterable[Step], groups: Groups, *, longest: bool = False) -> float:
    """Seconds that one host's steps wait; longest: at most, and not where all goes well."""
    by_phase: dict[Phase, list[float]] = {}
    for step in steps:
        own = groups[step.app.name]
        wait = step.longest_seconds(own) if longest else step.estimated_seconds(own)
        by_phase.setdefault(step.phase, []).append(wait)
    return sum(sum(each) if phase.is_in_turn else max(each) for phase, each in by_phase.items())
