"""(settings, survey) → the plan that takes a fleet back to a release that was good. Pure."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING

from deploy import lanes, plan
from deploy.balancer import State
from deploy.errors import BadInput
from deploy.lanes import Goal, Lane
from deploy.proof import ProveCurrent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.facts import Slot, Survey
    from deploy.plan import Plan
    from deploy.records import Record
    from deploy.settings import App, Environment


def make(
    environment: Environment,
    survey: Survey,
    to: str | None = None,
    *,
    allow_downtime: bool = False,
) -> Plan:
    """Back to the last good release by the records, or to the one that `to` names.

    to: a release's id or version. What is left is marked bad. Raises BadInput where there is
    no such release, or where a host does not have it any more.
    """
    wanted: dict[str, dict[str, Record]] = {}
    for app in environment.apps:
        slots = {f.host.name: lanes.landing(f, app, environment) for f in survey.hosts}
        release = _named(app, slots, to) if to else _last_good(app, slots)
        wanted[app.name] = _everywhere(app, slots, release)
    return back(environment, survey, wanted, allow_downtime=allow_downtime)


def back(
    environment: Environment,
    survey: Survey,
    wanted: Mapping[str, Mapping[str, Record]],
    *,
    allow_downtime: bool = False,
) -> Plan:
    """The plan that takes hosts back to these records, given by app name and host name.

    Hosts without one are left alone; one that runs its record already proves it.
    """
    goals: dict[str, tuple[Goal, ...]] = {}
    staging: list[Lane] = []
    for facts in survey.hosts:
        due: list[Goal] = []
        proofs: list[ProveCurrent] = []
        for app in (facts.at(each) for each in environment.apps):
            record, slot = wanted[app.name].get(facts.host.name), facts.slots[app.name]
            if record is None:
                continue
            health = survey.health_of(facts.host, app)
            if runs(slot, record) and health.state is State.HEALTHY and not slot.out:
                question = lanes.question(app, survey.groups[app.name])
                proofs.append(ProveCurrent(facts.host, app, record.release, *question))
                continue
            left = slot.running_release or slot.link
            disgraced = left if left != record.release else ""
            due.append(Goal(app, record.release, record.unit, disgraced))
        goals[facts.host.name] = tuple(due)
        if proofs:
            staging.append(Lane(facts.host, tuple(proofs)))
    releases = {
        app: ", ".join(sorted({record.release for record in records.values()}))
        for app, records in wanted.items()
        if records
    }
    purpose = ("Roll back", releases)
    return plan.assemble(
        environment, purpose, goals, tuple(staging), survey, allow_downtime=allow_downtime
    )


def runs(slot: Slot, record: Record) -> bool:
    """Whether the slot runs what the record tells, at rest and at boot."""
    return (
        slot.unit.active == "active"
        and slot.unit.enabled == "enabled"
        and slot.link == record.release == slot.running_release
        and slot.running_unit == record.unit == slot.unit_digest
    )


def _by_age(slots: Mapping[str, Slot]) -> list[str]:
    """Every release that the records know, the one deployed last first.

    By the order on the hosts, since workstations' clocks differ; their times decide only
    between two that no host had both.
    """
    places: list[dict[str, int]] = []
    times: dict[str, str] = {}
    for slot in slots.values():
        places.append({record.release: place for place, record in enumerate(slot.history)})
        for record in slot.history:
            times[record.release] = max(times.get(record.release, ""), record.at)

    def age(one: str, other: str) -> int:
        for place in places:
            if one in place and other in place:
                return place[other] - place[one]
        return -1 if times[one] > times[other] else 1

    return sorted(times, key=cmp_to_key(age))


def _last_good(app: App, slots: Mapping[str, Slot]) -> str:
    known = _by_age(slots)
    bad = frozenset[str]().union(*(slot.bad for slot in slots.values()))
    for release in known[1:]:
        if release not in bad:
            return release
    told = f"{known[0]} is all that was deployed" if known else "nothing was deployed"
    marked = f"; bad: {', '.join(sorted(bad))}" if bad else ""
    raise BadInput(
        f"{app.name}: there is no good release to go back to: {told}{marked}; name one with --to, "
        "or deploy a package"
    )


def _named(app: App, slots: Mapping[str, Slot], to: str) -> str:
    known = _by_age(slots)
    found = [release for release in known if to in {release, release.rpartition("-")[0]}]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found or known) or "nothing was deployed"
    problem = "is more than one release" if found else "was not deployed here"
    raise BadInput(f"--to {to}: {problem} of {app.name}; known: {listed}")


def _everywhere(app: App, slots: Mapping[str, Slot], release: str) -> dict[str, Record]:
    """Each host's own record of the release; BadInput names the hosts that cannot run it."""
    found: dict[str, Record] = {}
    missing: list[str] = []
    for host, slot in slots.items():
        mine = [record for record in slot.history if record.release == release]
        if mine and slot.can_run(mine[-1]):
            found[host] = mine[-1]
        else:
            missing.append(host)
    if missing:
        version = release.rpartition("-")[0]
        raise BadInput(
            f"{app.name}: {release} is not on {', '.join(missing)} any more, or never was; deploy "
            f"its package instead (--package {version}), or leave these hosts out (--skip-host)"
        )
    return found
