"""A plan as data: what will be done on which host, in which batches, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.plan.host_plan import out_at_once
from deploy.steps.answers import ProveStillPrevious
from deploy.steps.verify import ProveCurrent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.difference.change import Change
    from deploy.package.opening import Package
    from deploy.plan.capacity import InService
    from deploy.plan.host_plan import HostPlan
    from deploy.settings.app import App, AppInSlot
    from deploy.settings.environment import Environment
    from deploy.settings.rollout import Rollout
    from deploy.steps.base import Phase, Step
    from deploy.survey.app_on_host import AppOnHost

    Groups = Mapping[str, Sequence[TargetGroup]]

PROOFS = (ProveCurrent, ProveStillPrevious)
"""The steps that only look at what serves."""

MARGIN_SECONDS = 60.0
"""What the waits of a batch leave out: uploads, starts, and answers that are late."""


@dataclass(frozen=True)
class Plan:
    """What a command does: everything is staged first, then batch by batch.

    Attributes:
        environment: By name.
        verb: `Deploy`, `Roll back`, `Repair`, `Restart`, `Observe`.
        title: What for, in one line.
        releases: By app, what it is to run.
        hosts: All that the command is about.
        staging: What is done on all hosts before any batch.
        batches: In order.
        warnings: One line each.
        seconds: An estimate of the whole, from the settings' waits alone.
        minimums: For each batch, how many targets of each app's group stay in service meanwhile.
        tolerated: How many hosts may fail before the rollout stops.
        window: How many hosts of the last batch work at a time; 0 for all of it.
        mixed: Whether the fleet ran more than one release of an app when this was planned.
        leaves_mixed: Whether it still runs more than one when all of this is done.
        out: The hosts, by name, of which an app was out of service then.
        left_out: By host, why it is not touched; each counts as a failure from the start.
        foreign: Targets that are no hosts, in words.
        rollout: The policy.
        in_service: What served when this was planned, by target group.
        apps: The apps that the command is about, by name.
        slots: The slots in use, by the names of host and app.
        running: The apps as they were, by the names of host and app.
        packages: By app, what is deployed.
        changes: What changes of each app, where that was looked at.
        once: What one host does when all are staged, before the first batch: of each list of host
            plans, the first whose host is staged.
        notes: What is not done, and why, in a line each.
    """

    environment: str
    verb: str
    title: str
    releases: dict[str, str]
    hosts: tuple[Host, ...]
    staging: tuple[HostPlan, ...]
    batches: tuple[tuple[HostPlan, ...], ...]
    warnings: tuple[str, ...]
    seconds: float
    minimums: tuple[dict[str, int], ...] = ()
    tolerated: int = 0
    window: int = 0
    mixed: bool = False
    leaves_mixed: bool = False
    out: frozenset[str] = frozenset()
    left_out: Mapping[Host, str] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()
    rollout: Rollout | None = None
    in_service: Mapping[str, InService] = field(default_factory=dict, repr=False)
    apps: dict[str, App] = field(default_factory=dict, repr=False)
    slots: dict[tuple[str, str], AppInSlot] = field(default_factory=dict, repr=False)
    running: Mapping[tuple[str, str], AppOnHost] = field(default_factory=dict, repr=False)
    packages: Mapping[str, Package] = field(default_factory=dict, repr=False)
    changes: tuple[Change, ...] = field(default=(), repr=False)
    once: tuple[tuple[HostPlan, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they are printed."""
        once = (choices[0] for choices in self.once)
        batches = (host_plan for batch in self.batches for host_plan in batch)
        whole = [*self.staging, *once, *batches]
        return tuple(step for host_plan in whole for step in host_plan.all_steps)

    @property
    def changes_nothing(self) -> bool:
        """Whether every host is current: such a plan only proves."""
        return not self.batches and all(isinstance(step, PROOFS) for step in self.steps)

    @property
    def is_of_workers(self) -> bool:
        """Whether it is about workers alone."""
        return bool(self.apps) and all(app.is_worker for app in self.apps.values())

    @property
    def early(self) -> dict[str, HostPlan]:
        """The host plans by host of a first batch that may begin when its own hosts are staged."""
        if not self.batches or self.at_a_time(1) or self.once:
            return {}
        first = {host_plan.host.name: host_plan for host_plan in self.batches[0]}
        staged = {host_plan.host.name for host_plan in self.staging}
        may = first.keys() <= staged and all(host_plan.unseen for host_plan in first.values())
        return first if may else {}

    def at_a_time(self, number: int) -> int:
        """How many hosts of this batch (from 1) work at once; 0 for all of them."""
        return self.window if number == len(self.batches) else 0

    def least(self, number: int, group: str, app: App, gone: int) -> int:
        """How many targets of a group stay in service during a batch (from 1).

        gone: so many hosts ended since this was planned; shares are reckoned without them.
        """
        planned = self.minimums[number - 1][group]
        if not gone or self.rollout is None:
            return planned
        size = out_at_once(self.batches[number - 1], app, self.at_a_time(number))
        return self.in_service[group].without(gone).minimum(self.rollout, size)


def title(verb: str, releases: Mapping[str, str], environment: Environment, hosts: int) -> str:
    """One line: the releases by app, the environment, how many hosts, and the policy."""
    listed = ", ".join(visible(f"{app} {release}") for app, release in releases.items())
    join = "to" if verb == "Deploy" else "on"
    count = f"{hosts} host{'s' if hosts > 1 else ''}"
    return f"{verb} {listed} {join} {environment.name}: {count}, {policy(environment.rollout)}"


def policy(rollout: Rollout) -> str:
    """Strategy, how many hosts go at once, and how they drain: `rolling, batch 2, drain wait`."""
    pace = f"window {rollout.window}" if rollout.window else f"batch {rollout.batch}"
    return f"{rollout.strategy}, {pace}, drain {rollout.drain}"


def waiting_seconds(
    batches: tuple[tuple[HostPlan, ...], ...], groups: Groups, window: int | None
) -> float:
    """Seconds of waiting that the settings ask for; hosts of a batch or window wait together."""
    now = end = 0.0
    for batch in batches:
        now += batch_seconds(batch, groups, window if window and batch is batches[-1] else 0)
        end = max(end, now + max(waits(host_plan.after, groups) for host_plan in batch))
    return end


def batch_seconds(batch: tuple[HostPlan, ...], groups: Groups, at_a_time: int) -> float:
    """Seconds that a batch waits, as many hosts at a time as this; 0 for all of them at once."""
    turns = -(-len(batch) // at_a_time) if at_a_time else 1
    return turns * max(waits(host_plan.steps, groups) for host_plan in batch)


def waits(steps: Iterable[Step], groups: Groups, *, longest: bool = False) -> float:
    """Seconds that one host's steps wait; longest: at most, and not where all goes well."""
    by_phase: dict[Phase, list[float]] = {}
    for step in steps:
        own = groups[step.app.name]
        wait = step.longest_seconds(own) if longest else step.estimated_seconds(own)
        by_phase.setdefault(step.phase, []).append(wait)
    return sum(sum(each) if phase.is_in_turn else max(each) for phase, each in by_phase.items())
