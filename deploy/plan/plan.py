"""(settings, packages, survey) → plan: what will be done, as data. Decides, touches nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import foreign_text
from deploy.aws.target_groups import State
from deploy.plan import advice, capacity, host_plan
from deploy.plan.host_plan import Goal, Lane
from deploy.plan.staging import is_current, staged
from deploy.steps.idle_drain import WaitQuiet
from deploy.steps.target import Soak, WaitDrained, WaitHealthy
from deploy.steps.verify import ProveCurrent, ProveRelease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.plan.candidate import Offer
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Survey


@dataclass(frozen=True)
class Plan:
    """What a command does: everything is staged first, then batch by batch.

    verb: the operator's; title: what for, in one line; releases: what each app shall run, by
    app; floors: for each batch, how many targets of each app's group stay in service meanwhile;
    window: how many hosts of the last batch work at a time, 0 for all of it; tolerated: how many
    hosts may fail before the rollout stops; mixed: whether the fleet ran more than one
    release of an app when this was planned; out: the hosts, by name, of which an app was out of
    service then; left_out: hosts that count as failures from the start, with the reason;
    seconds: an estimate of the whole, from the settings' waits alone; ports: of the slots in use,
    by host and app.
    """

    environment: str
    verb: str
    title: str
    releases: dict[str, str]
    hosts: tuple[Host, ...]
    staging: tuple[Lane, ...]
    batches: tuple[tuple[Lane, ...], ...]
    warnings: tuple[str, ...]
    seconds: float
    floors: tuple[dict[str, int], ...] = ()
    tolerated: int = 0
    window: int = 0
    mixed: bool = False
    out: frozenset[str] = frozenset()
    left_out: Mapping[Host, str] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict, repr=False)
    ports: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they are printed."""
        whole = [*self.staging, *(lane for batch in self.batches for lane in batch)]
        return tuple(step for lane in whole for step in lane.all_steps)

    @property
    def changes_nothing(self) -> bool:
        """Whether every host is current: such a plan only proves."""
        return not self.batches and all(isinstance(step, ProveCurrent) for step in self.steps)

    def slot_of(self, host: Host, app: App) -> App:
        """The app in the slot that was in use on a host when this was planned."""
        return app.at(self.ports[host.name, app.name])

    def at_a_time(self, number: int) -> int:
        """How many hosts of this batch (from 1) work at once; 0 for all of them."""
        return self.window if number == len(self.batches) else 0

    def pace(self, number: int) -> str:
        """`, 2 at a time` for the batch that is a window."""
        return f", {self.window} at a time" if self.at_a_time(number) else ""

    def __str__(self) -> str:
        lines = [self.title]
        lines += [f"Warning: {text}" for text in self.warnings]
        if self.staging:
            lines.append("Before anything leaves the load balancer, on all hosts at once:")
            lines += [_line(step) for lane in self.staging for step in lane.steps]
        for number, batch in enumerate(self.batches, start=1):
            names = ", ".join(lane.host.name for lane in batch)
            lines.append(f"Batch {number} of {len(self.batches)}{self.pace(number)}: {names}")
            lines += [_line(step) for lane in batch for step in lane.steps]
            if any(lane.after for lane in batch):
                lines.append("  and then, while the next batch begins:")
            lines += [_line(step) for lane in batch for step in lane.after]
        if not self.steps:
            lines.append("Nothing is to be done: every host is as it was last deployed.")
        elif self.changes_nothing:
            lines.append("Every host is current: nothing is changed.")
        elif not self.batches:
            lines.append("Nothing leaves the load balancer.")
        else:
            lines.append(f"Waits from settings alone: about {self.seconds:.0f} s.")
        return "\n".join(foreign_text.line(each) for each in lines)


def _line(step: Step) -> str:
    return f"  {step.host.name}: {step}"


def make(
    environment: Environment,
    offers: tuple[Offer, ...],
    survey: Survey,
    *,
    allow_downtime: bool = False,
) -> Plan:
    """The plan for these offers on the surveyed hosts.

    Raises BadInput for a plan that would leave less in service than the policy wants.
    """
    staging: list[Lane] = []
    goals: dict[str, tuple[Goal, ...]] = {}
    for facts in survey.hosts:
        due = tuple(o for o in offers if not is_current(o, facts, survey))
        goals[facts.host.name] = tuple(_goal(offer, facts) for offer in due)
        prepared = [step for offer in offers for step in staged(offer, facts, survey, due)]
        if prepared:
            staging.append(Lane(facts.host, tuple(prepared)))
    releases = {offer.app.name: offer.package.release.id for offer in offers}
    from_offers = tuple(text for offer in offers for text in offer.warnings)
    return assemble(
        environment,
        ("Deploy", releases),
        goals,
        tuple(staging),
        survey,
        allow_downtime=allow_downtime,
        warned=from_offers,
    )


def assemble(
    environment: Environment,
    purpose: tuple[str, dict[str, str]],
    goals: Mapping[str, tuple[Goal, ...]],
    staging: tuple[Lane, ...],
    survey: Survey,
    *,
    allow_downtime: bool = False,
    warned: tuple[str, ...] = (),
    first: tuple[Lane, ...] = (),
) -> Plan:
    """The plan that takes hosts to their goals (by host name), batch by batch.

    purpose: the verb for the title, and the release of each app; first: lanes that go before
    all others, together, since they take nothing out. Raises BadInput for a plan that would
    leave less in service than the policy wants.
    """
    rollout = environment.rollout
    apps = tuple(app for app in environment.apps if app.name in purpose[1])
    sick, goals = _sick_apart(goals, survey)
    due = [facts for facts in survey.hosts if goals.get(facts.host.name)]
    early = tuple(
        host_plan.laid(sick[facts.host.name], facts, survey, environment)
        for facts in survey.hosts
        if facts.host.name in sick
    )

    def cut(*, canary: bool) -> tuple[tuple[Lane, ...], ...]:
        order = capacity.order(rollout, due, survey, apps, canary=canary)
        return tuple(
            tuple(host_plan.laid(goals[f.host.name], f, survey, environment) for f in batch)
            for batch in capacity.batches(rollout, order, len(survey.hosts))
        )

    batches = cut(canary=not any(_is_short(app, survey) for app in apps))
    ended = tuple(lane for facts in survey.hosts if (lane := _ended(facts, environment, survey)))
    batches = tuple(batch for batch in (first, ended, early, *batches) if batch)
    together = [*batches[:-1], *_windows(batches[-1], rollout.window)] if batches else []
    switched = [
        (app, [[lane.host for lane in batch if lane.switches(app)] for batch in together])
        for app in apps
    ]
    capacity.refuse_outage(rollout, switched, survey, allow_downtime=allow_downtime)
    verb, releases = purpose
    count = f"{len(survey.hosts)} host{'s' if len(survey.hosts) > 1 else ''}"
    listed = ", ".join(
        foreign_text.visible(f"{app} {release}") for app, release in releases.items()
    )
    join = "on" if verb == "Repair" else "to"
    title = f"{verb} {listed} {join} {environment.name}: {count}, {_policy(environment)}"
    return Plan(
        environment=environment.name,
        verb=verb,
        title=title,
        releases=releases,
        hosts=tuple(facts.host for facts in survey.hosts),
        staging=staging,
        batches=batches,
        warnings=(
            *(f"{host} is left out: {reason}" for host, reason in survey.left_out.items()),
            *advice.warnings(environment, apps, survey),
            *warned,
        ),
        seconds=_estimate(batches, survey, rollout.window),
        floors=tuple(
            {} if allow_downtime else _floors(environment, batch, survey, last=batch is batches[-1])
            for batch in batches
        ),
        tolerated=rollout.max_failures.hosts(len(survey.everyone)),
        window=rollout.window or 0,
        mixed=any(_is_mixed(app, survey) for app in apps),
        out=frozenset(
            facts.host.name
            for facts in survey.hosts
            for app in environment.apps
            if survey.health_of(facts.host, app).state is not State.HEALTHY
        )
        | {host.name for host in survey.left_out if not _is_served(host, environment, survey)},
        left_out=survey.left_out,
        apps={app.name: app for app in apps},
        ports={(f.host.name, app.name): f.at(app).port for f in survey.hosts for app in apps},
    )


def _is_served(host: Host, environment: Environment, survey: Survey) -> bool:
    """Whether each app is in service on a host by the load balancer alone, in whichever slot."""
    return all(
        any(survey.health_of(host, app.at(port)).state is State.HEALTHY for port in app.ports)
        for app in environment.apps
    )


def _sick_apart(
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


def _ended(facts: HostFacts, environment: Environment, survey: Survey) -> Lane | None:
    """What ends the slots that a deploy left beside those in use on a host."""
    found = {
        app.name: host_plan.left_over(facts, app, survey, environment) for app in environment.apps
    }
    steps = tuple(step for each in found.values() for step in each)
    if not steps:
        return None
    served = host_plan.serving(environment.apps, facts, survey)
    return Lane(facts.host, steps, surged=frozenset(found), served=served)


def _windows(batch: tuple[Lane, ...], size: int | None) -> list[tuple[Lane, ...]]:
    """The hosts that may be out at once: the batch, or where a window slides over it, its steps."""
    if size is None:
        return [batch]
    return [batch[start : start + size] for start in range(max(1, len(batch) - size + 1))]


def _policy(environment: Environment) -> str:
    rollout = environment.rollout
    pace = f"window {rollout.window}" if rollout.window else f"batch {rollout.batch}"
    return f"{rollout.strategy}, {pace}, drain {rollout.drain}"


def _is_mixed(app: App, survey: Survey) -> bool:
    """Whether the app runs in more than one release, the previous unit being one."""
    slots = [facts.slots[app.name] for facts in survey.hosts]
    before = {str(app.replaces) for slot in slots if slot.replaces.is_running}
    return len({slot.running_release for slot in slots} - {""} | before) > 1


def _is_short(app: App, survey: Survey) -> bool:
    """Whether a target of the app's group is out of service already."""
    targets = {survey.target(facts.host, app) for facts in survey.hosts}
    return bool(targets - capacity.healthy(survey.health[app.name]))


def _floors(
    environment: Environment, batch: tuple[Lane, ...], survey: Survey, *, last: bool
) -> dict[str, int]:
    """What must stay in service of each app that the batch switches; a dead group has no floor.

    last: whether it is the batch that a window slides over.
    """
    found: dict[str, int] = {}
    window = environment.rollout.window
    for app in environment.apps:
        size = sum(lane.switches(app) for lane in batch)
        size = min(size, window) if window and last else size
        if size and capacity.healthy(survey.health[app.name]):
            whole = capacity.fleet_size(app, survey)
            found[app.name] = capacity.floor(environment.rollout, whole, size)
    return found


def _goal(offer: Offer, facts: HostFacts) -> Goal:
    return Goal(offer.app, offer.package.release.id, offer.unit(facts).digest)


def _estimate(batches: tuple[tuple[Lane, ...], ...], survey: Survey, window: int | None) -> float:
    """Seconds of waiting that the settings ask for; hosts of a batch or window wait together."""

    def longest(steps: tuple[Step, ...]) -> float:
        waits = [step.seconds for step in steps if isinstance(step, WaitDrained)]
        waits += [step.least_seconds for step in steps if isinstance(step, WaitQuiet)]
        soaks = [step.seconds for step in steps if isinstance(step, Soak)]
        proofs = [step.app.prove_seconds for step in steps if isinstance(step, ProveRelease)]
        checks = [
            survey.groups[step.app.name].interval_seconds
            for step in steps
            if isinstance(step, WaitHealthy)
        ]
        return sum(max(part, default=0.0) for part in (waits, [sum(proofs)], checks, soaks))

    now = end = 0.0
    for batch in batches:
        turns = -(-len(batch) // window) if window and batch is batches[-1] else 1
        now += turns * max(longest(lane.steps) for lane in batch)
        end = max(end, now + max(longest(lane.after) for lane in batch))
    return end
