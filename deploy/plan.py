"""(settings, packages, survey) → plan: what will be done, as data. Decides, touches nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import capacity, lanes
from deploy.balancer import State
from deploy.enrolment import Soak, WaitDrained, WaitHealthy
from deploy.lanes import Goal, Lane
from deploy.proof import ProveCurrent, ProveRelease
from deploy.staging import PrepareHost, StageUnit, UploadRelease

if TYPE_CHECKING:
    from deploy.inventory import Host
    from deploy.offers import Offer
    from deploy.settings import App, Environment
    from deploy.steps import Step
    from deploy.survey import HostFacts, Slot, Survey
    from deploy.units import RenderedUnit


@dataclass(frozen=True)
class Plan:
    """What a deploy does: everything is staged first, then batch by batch.

    seconds: an estimate of the whole, from the settings' waits alone.
    """

    environment: str
    releases: dict[str, str]
    policy: str
    hosts: tuple[Host, ...]
    staging: tuple[Lane, ...]
    batches: tuple[tuple[Lane, ...], ...]
    warnings: tuple[str, ...]
    seconds: float

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order in which they are printed."""
        lanes = [*self.staging, *(lane for batch in self.batches for lane in batch)]
        return tuple(step for lane in lanes for step in lane.steps)

    @property
    def changes_nothing(self) -> bool:
        """Whether every host is current: such a plan only proves."""
        return not self.batches

    def __str__(self) -> str:
        releases = ", ".join(f"{app} {release}" for app, release in self.releases.items())
        count = f"{len(self.hosts)} host{'s' if len(self.hosts) > 1 else ''}"
        lines = [f"Deploy {releases} to {self.environment}: {count}, {self.policy}"]
        lines += [f"Warning: {text}" for text in self.warnings]
        if self.staging:
            lines.append("Before anything leaves the load balancer, on all hosts at once:")
            lines += [_line(step) for lane in self.staging for step in lane.steps]
        for number, batch in enumerate(self.batches, start=1):
            names = ", ".join(lane.host.name for lane in batch)
            lines.append(f"Batch {number} of {len(self.batches)}: {names}")
            lines += [_line(step) for lane in batch for step in lane.steps]
        if self.changes_nothing:
            lines.append("Every host is current: nothing is changed.")
        else:
            lines.append(f"Waits from settings alone: about {self.seconds:.0f} s.")
        return "\n".join(lines)


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

    Raises BadInput for a plan that would leave nothing in service.
    """
    staging: list[Lane] = []
    todo: dict[str, tuple[Offer, ...]] = {}
    for facts in survey.hosts:
        due = tuple(o for o in offers if not _is_current(o, facts, survey))
        if due:
            todo[facts.host.name] = due
        prepared = [step for offer in offers for step in _staged(offer, facts, survey, due)]
        if prepared:
            staging.append(Lane(facts.host, tuple(prepared)))
    due_hosts = [facts for facts in survey.hosts if facts.host.name in todo]
    order = capacity.order(environment.rollout, due_hosts, survey, offers)
    batches = tuple(
        tuple(
            lanes.rolled((_goal(o, f) for o in todo[f.host.name]), f, survey, environment)
            for f in batch
        )
        for batch in capacity.batches(environment.rollout.batch, order, len(survey.hosts))
    )
    apps = tuple(offer.app for offer in offers)
    switched = [
        (app, [[lane.host for lane in batch if lane.switches(app)] for batch in batches])
        for app in apps
    ]
    capacity.refuse_outage(switched, survey, allow_downtime=allow_downtime)
    return Plan(
        environment=environment.name,
        releases={offer.app.name: offer.package.release.id for offer in offers},
        policy=f"rolling, batch {environment.rollout.batch}, drain {environment.rollout.drain}",
        hosts=tuple(facts.host for facts in survey.hosts),
        staging=tuple(staging),
        batches=batches,
        warnings=(
            *warnings(environment, apps, survey),
            *(text for offer in offers for text in offer.warnings),
        ),
        seconds=_estimate(batches, survey),
    )


def warnings(environment: Environment, apps: tuple[App, ...], survey: Survey) -> tuple[str, ...]:
    """What the operator should know before saying yes."""
    found: list[str] = []
    for app in apps:
        group = survey.groups[app.name]
        least = 2 * app.longest_request_seconds
        if group.delay_seconds < least:
            found.append(
                f"{group.name}: the deregistration delay of {group.delay_seconds:g} s is under "
                f"twice the longest request of {app.name} ({least:g} s); requests may be cut"
            )
        if not any(health.state is State.HEALTHY for health in survey.health[app.name].values()):
            found.append(f"{group.name}: no target is healthy now, so nothing guards capacity")
        if group.interval_seconds * group.unhealthy_threshold > 120:  # noqa: PLR2004 - minutes
            found.append(
                f"{group.name}: a sick target is noticed only after "
                f"{group.interval_seconds * group.unhealthy_threshold:g} s of failed checks"
            )
    enforcing = [f.host.name for f in survey.hosts if f.selinux.lower() == "enforcing"]
    if enforcing:
        found.append(
            f"SELinux is enforcing on {', '.join(enforcing)}: a service under /srv may be refused "
            "what its policy does not allow; watch the audit log"
        )
    if environment.auto_scaling == "ignore":
        found.append("auto_scaling: ignore: a scaling group may replace hosts meanwhile")
    return tuple(found)


def _goal(offer: Offer, facts: HostFacts) -> Goal:
    return Goal(offer.app, offer.package.release.id, offer.units[facts.host.name].digest)


def _is_current(offer: Offer, facts: HostFacts, survey: Survey) -> bool:
    """The record, the link, the unit on disk, the running process and the target all agree."""
    slot, unit = facts.slots[offer.app.name], offer.units[facts.host.name]
    health = survey.health_of(facts.host, offer.app)
    return runs(slot, offer.package.release.id, unit) and health.state is State.HEALTHY


def runs(slot: Slot, release: str, unit: RenderedUnit) -> bool:
    """Whether the slot's running process is this release under this unit, at rest and at boot."""
    return (
        slot.unit.active == "active"
        and slot.unit.enabled == "enabled"
        and slot.link == release == slot.running_release
        and slot.running_unit == unit.digest
        and slot.unit_sha256 == hashlib.sha256(unit.text.encode()).hexdigest()
    )


def _staged(offer: Offer, facts: HostFacts, survey: Survey, due: tuple[Offer, ...]) -> list[Step]:
    app, host, release = offer.app, facts.host, offer.package.release.id
    unit = offer.units[host.name]
    if offer not in due:
        return [ProveCurrent(host, app, release, *lanes.question(app, survey.groups[app.name]))]
    found: list[Step] = [PrepareHost(host, app)]
    if release not in facts.slots[app.name].releases:
        found.append(UploadRelease(host, app, offer.package))
    found.append(StageUnit(host, app, release, unit, offer.checks[host.name]))
    return found


def _estimate(batches: tuple[tuple[Lane, ...], ...], survey: Survey) -> float:
    """Seconds of waiting that the settings ask for; hosts of a batch wait together."""
    total = 0.0
    for batch in batches:
        longest = 0.0
        for lane in batch:
            waits = [step.seconds for step in lane.steps if isinstance(step, WaitDrained)]
            soaks = [step.seconds for step in lane.steps if isinstance(step, Soak)]
            proofs = [s.app.prove_seconds for s in lane.steps if isinstance(s, ProveRelease)]
            checks = [
                survey.groups[s.app.name].interval_seconds
                for s in lane.steps
                if isinstance(s, WaitHealthy)
            ]
            parts = (waits, [sum(proofs)], checks, soaks)
            longest = max(longest, sum(max(part, default=0.0) for part in parts))
        total += longest
    return total
