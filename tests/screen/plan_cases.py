"""Plans of every kind, as the planners make them, for what shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
from builders import NEW, OLD, UNHEALTHY
from difference import shelf
from difference.shelf import Shelf

from deploy.aws.targets import GONE
from deploy.hosts.records import Record
from deploy.observe import rounds
from deploy.plan import assembly, exclusion
from deploy.preview import comparison
from deploy.recovery import repair, rollback
from deploy.run import as_events
from deploy.settings.scope import Scope
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from deploy.events.planned import PlanMade
    from deploy.plan.candidate import Offer
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts, Survey

WEB, API = builders.app(), builders.app("api", 5100)
TWO_SLOTS = builders.app("web", 5000, 5001)
LEGACY = builders.app(replaces="legacy.service")
JOBS = builders.worker()
QUIET: dict[str, Any] = {"delay_seconds": 60.0}
"""Groups about which there is nothing to warn."""
KEPT = {"web.dll": 4_000_000, "lib/core.dll": 9_000_000}
OLD_FILES = shelf.files(OLD, {"web": 120_000, "gone.dll": 80_000})
NEW_FILES = shelf.files(NEW, {"web": 130_000, "new.dll": 1_200_000, "lib/new.dll": 300_000})
SAME = shelf.files("both", KEPT)
SERVES = UnitState("loaded", "active", "running", "enabled")
TEXT = "[Service]\nUser=web\nMemoryMax=1G\nEnvironment=GREETING=hello\nEnvironment=TOKEN=s3cret\n"
LATER = TEXT.replace("1G", "2G").replace("s3cret", "hush")


def slot(app: App = WEB, release: str = OLD, text: str = TEXT, **more: Any) -> Slot:
    """A slot that runs a release whose manifest lies on the host."""
    unit = builders.unit(app.slots[0].unit_name, text)
    files = OLD_FILES if release == OLD else NEW_FILES
    return builders.slot(release, unit, **(shelf.stored(release, (*files, *SAME)) | more))


def fleet(count: int, **slots: Slot) -> list[HostFacts]:
    """Hosts with these slots, of `web` by default."""
    return [builders.facts(n, slots or {"web": slot()}) for n in range(1, count + 1)]


def shelves(hosts: Sequence[HostFacts]) -> dict[str, Shelf]:
    """What lies on the hosts: both releases, and the units that run."""
    both = {OLD: (*OLD_FILES, *SAME), NEW: (*NEW_FILES, *SAME)}
    files = {f"/etc/systemd/system/{app.slots[0].unit_name}": TEXT for app in (WEB, API, JOBS)}
    return {facts.host.name: Shelf(both, dict(files)) for facts in hosts}


def event(plan: Plan, seen: Survey, on_hosts: Mapping[str, Shelf] | None = None) -> PlanMade:
    """The plan's event, after a look at hosts where there are any."""
    known = comparison.compared(plan, on_hosts) if on_hosts else comparison.expected(plan)
    return as_events.plan_made(known, seen.groups)


def deployed(
    hosts: list[HostFacts],
    *apps: App,
    text: str = TEXT,
    looks: bool = True,
    health: dict[str, Any] | None = None,
    **settings: Any,
) -> PlanMade:
    """A deploy of the new release, as its event."""
    plan, seen = planned(hosts, *apps, text=text, health=health, **settings)
    return event(plan, seen, shelves(hosts) if looks else None)


def planned(
    hosts: list[HostFacts],
    *apps: App,
    text: str = TEXT,
    health: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[Plan, Survey]:
    """A deploy of the new release."""
    served = apps or (WEB,)
    seen = builders.survey(hosts, health, served, **QUIET)
    offers: list[Offer] = []
    for app in served:
        offer = builders.offer(app, hosts, text=text)
        package = replace(
            offer.package,
            manifest=(*NEW_FILES, *SAME),
            archive_bytes=6_000_000,
            spans={
                "web": (0, 60_000),
                "new.dll": (60_000, 700_000),
                "lib/new.dll": (700_000, 800_000),
                "web.dll": (800_000, 2_800_000),
                "lib/core.dll": (2_800_000, 6_000_000),
            },
        )
        offers.append(replace(offer, package=package))
    own = builders.environment(*served, **settings)
    return assembly.make(own, tuple(offers), seen), seen


def surge() -> PlanMade:
    hosts = [
        builders.facts(n, {"web": slot()}, spares={"web": Slot(unit_state=UnitState())})
        for n in range(1, 13)
    ]
    rollout = {"strategy": "surge", "batch": [1, "100%"]}
    return deployed(hosts, TWO_SLOTS, batch=None, rollout=rollout)


def adoption() -> PlanMade:
    untouched = Slot(replaces=SERVES, previous_name="legacy.service")
    return deployed(fleet(4, web=untouched), LEGACY)


def back() -> PlanMade:
    """A rollback to the release before: its unit lies on the hosts, of another digest."""
    return event(*rolled_back(4))


def rolled_back(count: int, **settings: Any) -> tuple[Plan, Survey, dict[str, Shelf]]:
    """The same with what lies on the hosts."""
    before, now_unit = builders.unit(text=TEXT), builders.unit(text=LATER)
    past = (Record(OLD, before.digest), Record(NEW, now_unit.digest))
    both = shelf.stored(OLD, (*OLD_FILES, *SAME))["manifests"]
    both |= shelf.stored(NEW, (*NEW_FILES, *SAME))["manifests"]
    now = slot(
        release=NEW,
        text=LATER,
        releases=(OLD, NEW),
        manifests=both,
        history=past,
        kept=frozenset(record.kept for record in past),
    )
    hosts = fleet(count, web=now)
    seen = builders.survey(hosts, **QUIET)
    own = builders.environment(WEB, **settings)
    plan = rollback.make(own, seen, OLD, scope=Scope("lab", "rollback"))
    on_hosts = shelves(hosts)
    for each in on_hosts.values():
        each.units["/etc/systemd/system/web@5000.service"] = LATER
        name = f"{OLD}.{past[0].unit_digest}.web@5000.service"
        each.units[f"/srv/web/records/units/{name}"] = TEXT
    return plan, seen, on_hosts


def repaired() -> PlanMade:
    """Two hosts were left out of service by a deploy that was killed."""
    hosts = [builders.facts(n, {"web": slot(out="{}") if n < 3 else slot()}) for n in range(1, 5)]
    seen = builders.survey(hosts, {"host-1": GONE, "host-2": GONE}, **QUIET)
    return event(repair.make(builders.environment(WEB), seen), seen)


def observed() -> PlanMade:
    seen = builders.survey(fleet(1), **QUIET)
    return event(rounds.make(builders.environment(WEB), seen, allow_downtime=True), seen)


def left_out() -> PlanMade:
    """Of 12 hosts, two are current, one cannot be read, and one is sick."""
    current = slot(release=NEW, text=TEXT)
    hosts = [builders.facts(n, {"web": current if n in {5, 6} else slot()}) for n in range(1, 13)]
    own = builders.environment(WEB, batch=2, rollout={"max_failures": 1})
    seen = builders.survey(hosts, {"host-9": UNHEALTHY})
    lost = hosts[2].host
    rest = tuple(facts for facts in seen.hosts if facts.host != lost)
    seen = replace(seen, hosts=rest, unreachable={lost.name: f"{lost.name}: no answer"})
    fit = exclusion.leave_out(own, seen, {}, Scope("lab"))
    offer = builders.offer(WEB, rest, text=TEXT)
    return event(assembly.make(own, (offer,), fit), fit)


CASES: dict[str, Callable[[], PlanMade]] = {
    "rolling on 4 hosts": lambda: deployed(fleet(4), text=LATER),
    "rolling on 12 hosts, two apps": lambda: deployed(
        fleet(12, web=slot(), api=slot(API)), WEB, API, text=LATER, batch=2
    ),
    "a ramp on 40 hosts": lambda: deployed(
        fleet(40), batch=[1, "25%", "50%"], rollout={"min_in_service": "50%"}
    ),
    "a window on 12 hosts": lambda: deployed(fleet(12), batch=None, rollout={"window": 3}),
    "surge on 12 hosts": surge,
    "an adoption": adoption,
    "a first install": lambda: deployed(fleet(4, web=Slot())),
    "another unit alone": lambda: deployed(
        fleet(4, web=slot(release=NEW)), text=TEXT.replace("1G", "3G")
    ),
    "a worker": lambda: deployed(fleet(4, jobs=slot(JOBS)), JOBS, rollout={"soak_seconds": 3}),
    "nothing to do": lambda: deployed(fleet(4, web=slot(release=NEW))),
    "hosts that are current, sick or left out": left_out,
    "a look that was not taken": lambda: deployed(fleet(4), looks=False),
    "a rollback": back,
    "a repair": repaired,
    "an observation": observed,
}
