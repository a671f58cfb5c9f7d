"""(settings, packages, survey) → plan: every decision is a value that is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest
import run_entries
from builders import HEALTHY, NEW, OLD, UNHEALTHY
from hypothesis import given
from hypothesis import strategies as st

from deploy.aws.targets import GONE, Health
from deploy.errors import BadInput
from deploy.hosts.records import Record
from deploy.plan import advice, assembly
from deploy.plan import staging as stock
from deploy.recovery import failed_host
from deploy.steps.drain import WaitDrained
from deploy.steps.staging import RemoveReleases, UploadRelease
from deploy.steps.target import DeregisterTarget, Soak
from deploy.steps.verify import ProveCurrent
from deploy.survey.question import Question, Questions
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import Health
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts

WEB, ADMIN = builders.app(), builders.app("admin", 5100)
NEW_UNIT = builders.unit(text=f"[Service]\n# {NEW}\n")
ROLLED = [
    "DeregisterTarget",
    "WaitDrained",
    "StopUnit",
    "SwitchRelease",
    "StartUnit",
    "ProveRelease",
    "RegisterTarget",
    "WaitHealthy",
    "RecordDeployed",
]


def names(found: Sequence[object]) -> list[str]:
    return [type(step).__name__ for step in found]


def old(*numbers: int, app: App = WEB) -> list[HostFacts]:
    return [builders.facts(n, {app.name: builders.slot()}) for n in numbers]


def made(
    hosts: list[HostFacts],
    health: dict[str, Health] | None = None,
    apps: tuple[App, ...] = (WEB,),
    group: dict[str, Any] | None = None,
    *,
    allow_downtime: bool = False,
    **environment: Any,
) -> Plan:
    seen = builders.survey(hosts, health, apps, **(group or {}))
    offers = tuple(builders.offer(app, hosts) for app in apps)
    own = builders.environment(*apps, **environment)
    return assembly.make(own, offers, seen, allow_downtime=allow_downtime)


def lane_of(apps: tuple[App, ...] = (WEB,), **slots: Slot) -> HostPlan:
    own = {app.name: slots.get(app.name, builders.slot()) for app in apps}
    found = made([builders.facts(n, own) for n in (1, 2)], apps=apps)
    return found.batches[0][0]


def test_one_host_goes_out_is_switched_proven_and_comes_back() -> None:
    found = made(old(1, 2))
    assert [[host_plan.host.name for host_plan in batch] for batch in found.batches] == [
        ["host-1"],
        ["host-2"],
    ]
    assert names(found.batches[0][0].steps) == ROLLED


def test_everything_is_staged_on_all_hosts_before_the_first_leaves() -> None:
    found = made(old(1, 2, 3))
    assert [host_plan.host.name for host_plan in found.staging] == ["host-1", "host-2", "host-3"]
    for host_plan in found.staging:
        assert names(host_plan.steps) == ["PrepareHost", "UploadRelease", "StageUnits"]
    assert not any(isinstance(step, DeregisterTarget) for step in found.steps[:9])


def test_a_release_that_is_there_is_not_sent_again() -> None:
    hosts = [builders.facts(n, {"web": builders.slot(releases=(OLD, NEW))}) for n in (1, 2)]
    assert names(made(hosts).staging[0].steps) == ["PrepareHost", "StageUnits"]


def test_a_fresh_host_has_nothing_to_stop_and_one_that_is_out_nothing_to_drain() -> None:
    found = made([builders.facts(1), *old(2)], {"host-1": GONE})
    first = next(
        host_plan
        for batch in found.batches
        for host_plan in batch
        if host_plan.host.name == "host-1"
    )
    missing = {"DeregisterTarget", "WaitDrained", "StopUnit"}
    assert names(first.steps) == [name for name in ROLLED if name not in missing]


RUNNING = UnitState("loaded", "active", "running", "enabled")
OUT: dict[str, tuple[Slot, bool]] = {
    "a drain was cut off, and its delay is over": (builders.slot(out="{}"), True),
    "taken out by hand, and joined": (builders.slot(), True),
    "a failed first install": (Slot(unit_state=RUNNING, out="{}"), True),
    "one that is about to start again": (
        builders.slot(unit_state=UnitState("loaded", "activating", "auto-restart", "enabled")),
        True,
    ),
    "the unit that it replaces": (Slot(replaces=RUNNING), True),
    "a first install that was never proven": (Slot(unit_state=RUNNING), False),
    "deployed, and stopped": (builders.slot(unit_state=UnitState("loaded")), False),
    "nothing": (Slot(), False),
}


@pytest.mark.parametrize(("slot", "looks"), OUT.values(), ids=OUT)
def test_p1_what_runs_and_is_out_is_looked_at_before_it_is_stopped(slot: Slot, looks: bool) -> None:
    """Another way may lead to it: no group of its own sends requests, and it has no delay."""
    app = builders.app(replaces="legacy.service")
    found = made([builders.facts(1, {"web": slot}), *old(2)], {"host-1": GONE}, apps=(app,))
    steps = [step for step in found.steps if step.host.name == "host-1"]
    kinds = names(steps)
    assert ("WaitDrained" in kinds) is looks
    assert "DeregisterTarget" not in kinds
    if looks:
        at = kinds.index("WaitDrained")
        assert kinds[at + 1] in {"StopUnit", "RetireUnit"}
        assert str(steps[at]) == "see for 15 s that no requests reach web@5000.service"


def test_p1_what_still_gets_requests_though_it_is_out_is_left_running() -> None:
    found = made([builders.facts(1, {"web": builders.slot()}), *old(2)], {"host-1": GONE})
    host_plan = next(p for batch in found.batches for p in batch if p.host.name == "host-1")
    way = failed_host.recovery_of(host_plan, host_plan.steps[0])
    assert (way.steps, way.serves) == ((), False), "it runs as before, and is reported as out"


def test_a_drain_lasts_the_groups_delay_and_never_less_than_propagation_and_a_look() -> None:
    for propagation, expected in ((2.0, 10.0), (15.0, 20.0)):
        found = made(old(1, 2), propagation_seconds=propagation)
        drains = [step for step in found.steps if isinstance(step, WaitDrained)]
        assert [step.seconds for step in drains] == [expected, expected]


def test_a_soak_covers_the_groups_slow_start() -> None:
    for soak, slow_start, expected in ((3.0, 0.0, 3.0), (3.0, 30.0, 30.0), (0.0, 30.0, 30.0)):
        rollout = {"soak_seconds": soak}
        found = made(old(1, 2), group={"slow_start_seconds": slow_start}, rollout=rollout)
        soaks = [step for step in found.steps if isinstance(step, Soak)]
        assert [step.seconds for step in soaks] == [expected, expected]


def test_current_hosts_are_proven_and_left_alone() -> None:
    current = {"web": builders.slot(NEW, NEW_UNIT)}
    found = made([builders.facts(1, current), *old(2)])
    assert names(found.staging[0].steps) == ["ProveCurrent"]
    assert [[host_plan.host.name for host_plan in batch] for batch in found.batches] == [["host-2"]]
    everywhere = made([builders.facts(n, current) for n in (1, 2)])
    assert everywhere.changes_nothing
    for is_full in (False, True):
        printed = run_entries.printed(everywhere, is_full=is_full)
        assert printed.endswith("Every host is current: nothing is changed.")


DIFFERENCES: dict[str, dict[str, Any]] = {
    "another release runs": {"running_release": OLD},
    "the link points elsewhere": {"link": OLD},
    "the process was started with another unit": {"running_unit_digest": "0" * 12},
    "the unit on disk was edited": {"unit_sha256": "0" * 64},
    "the unit is not enabled": {"unit_state": UnitState("loaded", "active", "running", "disabled")},
    "the unit does not run": {"unit_state": UnitState("loaded", "failed", "failed", "enabled")},
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_a_host_counts_as_current_only_when_everything_agrees(difference: dict[str, Any]) -> None:
    differing = {"web": builders.slot(NEW, NEW_UNIT, **difference)}
    found = made([builders.facts(1, differing), *old(2)])
    assert "host-1" in {host_plan.host.name for batch in found.batches for host_plan in batch}


def test_a_current_release_that_is_sick_is_deployed_again() -> None:
    current = {"web": builders.slot(NEW, NEW_UNIT)}
    found = made([builders.facts(1, current), *old(2)], {"host-1": UNHEALTHY})
    assert found.batches[0][0].host.name == "host-1"


def test_a_changed_unit_alone_is_deployed_without_an_upload() -> None:
    slot = builders.slot(NEW, builders.unit(text="[Service]\n# another setting\n"))
    found = made([builders.facts(n, {"web": slot}) for n in (1, 2)])
    assert len(found.batches) == 2
    assert not any(isinstance(step, UploadRelease) for step in found.steps)


@pytest.mark.parametrize(
    ("replaced", "retires"),
    [
        (UnitState("loaded", "active", "running", "enabled"), True),
        (UnitState("loaded", "inactive", "dead", "enabled"), True),
        (UnitState("loaded", "active", "running", "disabled"), True),
        (UnitState("loaded", "inactive", "dead", "disabled"), False),
        (UnitState(), False),
    ],
)
def test_the_unit_of_before_is_retired_where_it_runs_or_would_at_boot(
    replaced: UnitState, retires: bool
) -> None:
    app = builders.app(replaces="legacy.service")
    hosts = [builders.facts(n, {"web": Slot(replaces=replaced)}) for n in (1, 2)]
    found = names(made(hosts, apps=(app,)).batches[0][0].steps)
    assert ("RetireUnit" in found) is retires
    if retires:
        assert found.index("WaitDrained") < found.index("RetireUnit") < found.index("StartUnit")


def test_two_apps_of_a_host_drain_together_and_are_switched_in_turn() -> None:
    found = names(lane_of((WEB, ADMIN)).steps)
    assert found[:4] == ["DeregisterTarget"] * 2 + ["WaitDrained"] * 2
    assert found[-6:] == ["RegisterTarget"] * 2 + ["WaitHealthy", "RecordDeployed"] * 2


def test_only_the_app_that_is_due_leaves_the_load_balancer() -> None:
    admin_unit = builders.unit(ADMIN.slots[0].unit_name, f"[Service]\n# {NEW}\n")
    slots = {"web": builders.slot(), "admin": builders.slot(NEW, admin_unit)}
    found = made([builders.facts(n, slots) for n in (1, 2)], apps=(WEB, ADMIN))
    assert {
        step.app.name for batch in found.batches for host_plan in batch for step in host_plan.steps
    } == {"web"}


def test_a_plan_that_leaves_nobody_is_refused_unless_accepted() -> None:
    with pytest.raises(BadInput, match="would leave no target of web-lab in service"):
        made(old(1))
    assert made(old(1), allow_downtime=True).batches
    with pytest.raises(BadInput, match="batch 1 \\(2 of 2 hosts\\)"):
        made(old(1, 2), batch="100%")


def test_the_full_plan_prints_every_step_once_with_its_host() -> None:
    found = made(old(1, 2, 3), batch=2)
    lines = run_entries.printed(found, is_full=True).splitlines()
    assert lines[0] == f"Deploy web {NEW} to lab: 3 hosts, rolling, batch 2, drain wait"
    assert [line for line in lines if line.startswith("  ")] == [
        f"  {step.host.name}: {step}" for step in found.steps
    ]
    assert "Batch 1 of 2: host-1, host-2" in lines


def test_the_estimate_is_the_waits_of_each_batch() -> None:
    found = made(old(1, 2, 3), batch=2, propagation_seconds=0.0)
    # 10 s of delay, 5 s of proof and one check every 5 s, in each of two batches
    assert found.seconds == 40
    assert run_entries.printed(found).endswith("Waits from settings alone: about 40 s.")


def warnings(group: dict[str, Any], **settings: Any) -> tuple[str, ...]:
    apps = (builders.app(**settings),)
    return advice.warnings(builders.environment(*apps), apps, builders.survey(apps=apps, **group))


def test_a_delay_under_twice_the_longest_request_is_a_warning() -> None:
    said = warnings({"delay_seconds": 59.0})
    assert said == (
        "web-lab: the deregistration delay of 59 s is under twice the longest request of web "
        "(60 s); requests may be cut",
    )
    assert warnings({"delay_seconds": 60.0}) == ()


def test_other_dangers_are_warnings_too() -> None:
    slow = warnings({"delay_seconds": 60.0, "interval_seconds": 61.0})
    assert "noticed only after 122 s" in slow[0]
    sick = builders.survey(health={"host-1": UNHEALTHY}, delay_seconds=60.0)
    assert "no target is healthy" in advice.warnings(builders.environment(), (WEB,), sick)[0]
    strict = builders.survey([builders.facts(selinux="Enforcing")], delay_seconds=60.0)
    said = advice.warnings(builders.environment(), (WEB,), strict)
    assert "SELinux is enforcing on host-1" in said[0]


def test_the_local_question_is_the_groups_unless_the_app_has_its_own() -> None:
    seen = builders.survey()
    group = Question("/health", "200", timeout_seconds=2)
    assert Questions.of(seen.on(builders.host(), WEB)).each == (group,)
    own = builders.app(health={"path": "/ready", "expect": "200-299", "timeout_seconds": 7})
    expected = Question("/ready", "200-299", timeout_seconds=7)
    assert Questions.of(seen.on(builders.host(), own)).each == (expected,)


@given(states=st.lists(st.sampled_from([HEALTHY, UNHEALTHY, GONE]), min_size=1, max_size=6))
def test_every_step_stands_in_one_lane_of_its_own_host(states: list[Health]) -> None:
    hosts = [builders.facts(n, {"web": builders.slot(out="{}")}) for n in range(1, len(states) + 1)]
    health = {f"host-{n}": state for n, state in enumerate(states, start=1)}
    found = made(hosts, health, allow_downtime=True)
    host_plans = [*found.staging, *(host_plan for batch in found.batches for host_plan in batch)]
    assert all(step.host == host_plan.host for host_plan in host_plans for step in host_plan.steps)
    assert sum(len(host_plan.steps) for host_plan in host_plans) == len(found.steps)
    assert not any(isinstance(step, ProveCurrent) for step in found.steps)


RELEASES = ("0.6.0-ffffffffffff", "0.7.0-eeeeeeeeeeee", "0.8.0-dddddddddddd", OLD)


@pytest.mark.parametrize(
    ("past", "lying", "keep", "removed"),
    [
        (RELEASES, RELEASES, 5, ()),
        (RELEASES, RELEASES, 4, ("0.6.0-ffffffffffff",)),
        (RELEASES, RELEASES, 3, ("0.7.0-eeeeeeeeeeee", "0.6.0-ffffffffffff")),
        (RELEASES, RELEASES, 2, ("0.7.0-eeeeeeeeeeee", "0.6.0-ffffffffffff")),
        (RELEASES, (*RELEASES, "0.9.0-never-deployed"), 5, ("0.9.0-never-deployed",)),
        ((), ("a-1", "b-1", "c-1"), 2, ("b-1", "c-1")),
        (RELEASES, (*RELEASES, NEW), 5, ()),
        (RELEASES, (*RELEASES, NEW), 4, ("0.6.0-ffffffffffff",)),
    ],
)
def test_old_releases_go_but_never_the_running_one_or_the_one_before(
    past: tuple[str, ...], lying: tuple[str, ...], keep: int, removed: tuple[str, ...]
) -> None:
    slot = builders.slot(OLD, releases=lying, history=tuple(Record(r, "u") for r in past))
    found = stock.superfluous(slot, NEW, keep)
    assert sorted(found) == sorted(removed)
    assert not {OLD, "0.8.0-dddddddddddd", NEW} & set(found)


@given(
    past=st.lists(st.sampled_from("abcdefgh"), max_size=12),
    lying=st.sets(st.sampled_from("abcdefgh")),
    link=st.sampled_from("abcdefgh"),
    coming=st.sampled_from("abcdefghi"),
    keep=st.integers(2, 6),
)
def test_what_a_slot_may_go_back_to_is_never_removed(
    past: list[str], lying: set[str], link: str, coming: str, keep: int
) -> None:
    history = tuple(Record(release, "u") for release in past)
    slot = builders.slot(link, releases=tuple(lying), history=history, running_release=link)
    gone = stock.superfluous(slot, coming, keep)
    used = list(dict.fromkeys(reversed(past)))
    assert not {link, coming, *used[:2]} & set(gone)
    assert set(gone) <= lying
    left = (lying - set(gone)) | {coming}
    assert len(left) <= max(keep, len({link, coming, *used[:2]}))


def test_old_releases_and_torn_uploads_are_removed_before_the_upload() -> None:
    apps = (builders.app(keep_releases=2),)
    crowded = builders.slot(OLD, releases=("0.8.0-dddddddddddd", "0.7.0-eeeeeeeeeeee", OLD))
    partial = builders.slot(partial={"3.0.0-cccccccccccc": 100, NEW: 100})
    for slot, expected in ((crowded, ("0.7.0-eeeeeeeeeeee", "0.8.0-dddddddddddd")), (partial, ())):
        hosts = [builders.facts(n, {"web": slot}) for n in (1, 2)]
        staging = made(hosts, apps=apps).staging[0].steps
        assert names(staging)[:3] == ["PrepareHost", "RemoveReleases", "UploadRelease"]
        removal = staging[1]
        assert isinstance(removal, RemoveReleases)
        assert sorted(removal.releases) == sorted(expected)
        assert removal.coming == NEW


def test_a_torn_upload_of_the_coming_release_is_gone_on_with() -> None:
    hosts = [builders.facts(n, {"web": builders.slot(partial={NEW: 100})}) for n in (1, 2)]
    assert names(made(hosts).staging[0].steps)[:2] == ["PrepareHost", "UploadRelease"]
    there = builders.slot(partial={NEW: 100}, releases=(OLD, NEW))
    hosts = [builders.facts(n, {"web": there}) for n in (1, 2)]
    removal = made(hosts).staging[0].steps[1]
    assert isinstance(removal, RemoveReleases)
    assert removal.coming == ""


def test_a_plan_tells_what_must_stay_in_service_and_how_many_may_fail() -> None:
    found = made(old(1, 2, 3, 4), batch=[1, 2])
    assert found.minimums == ({"web-lab": 3}, {"web-lab": 2}, {"web-lab": 3})
    assert found.tolerated == 0
    policy = {"min_in_service": "50%", "max_failures": "50%"}
    found = made(old(1, 2, 3, 4), batch=2, rollout=policy)
    assert found.minimums == ({"web-lab": 2}, {"web-lab": 2})
    assert found.tolerated == 2
    assert made(old(1, 2), batch=2, allow_downtime=True).minimums == ({},)


def test_a_window_is_told_and_held_to_the_same_policy() -> None:
    found = made(old(1, 2, 3, 4), batch=None, rollout={"window": 2})
    assert [len(batch) for batch in found.batches] == [4]
    assert "rolling, window 2, drain wait" in found.title
    listed = run_entries.printed(found, is_full=True)
    assert "Batch 1 of 1, 2 at a time: host-1, host-2, host-3, host-4" in listed
    assert found.minimums == ({"web-lab": 2},)
    one = made(old(1, 2, 3, 4))
    assert found.seconds == one.seconds / 2
    for rollout in ({"window": 4}, {"window": 2, "min_in_service": 3}):
        with pytest.raises(BadInput, match="in service"):
            made(old(1, 2, 3, 4), batch=None, rollout=rollout)


def test_an_app_that_is_out_goes_before_one_that_serves_on_the_same_host() -> None:
    """Web is out on one host and admin on the other: no order of whole hosts would do."""
    admin = builders.app("admin", 5100)
    slots = {"web": builders.slot(), "admin": builders.slot()}
    hosts = [builders.facts(n, slots) for n in (1, 2)]
    seen = builders.survey(hosts, apps=(WEB, admin))
    for number, app in ((1, WEB), (2, admin)):
        builders.see(seen, app.slots[0], number, UNHEALTHY)
    offers = tuple(builders.offer(app, hosts) for app in (WEB, admin))
    found = assembly.make(builders.environment(WEB, admin), offers, seen)
    told = [
        [
            (host_plan.host.name, sorted({step.app.name for step in host_plan.steps}))
            for host_plan in batch
        ]
        for batch in found.batches
    ]
    assert told == [
        [("host-1", ["web"]), ("host-2", ["admin"])],
        [("host-1", ["admin"])],
        [("host-2", ["web"])],
    ]


def test_the_plan_shows_which_directives_the_sandbox_goes_without() -> None:
    app = builders.app(sandbox={"PrivateUsers": False, "LimitCORE": True, "ProtectProc": False})
    said = advice.warnings(builders.environment(app), (app,), builders.survey(apps=(app,)))
    assert any("web: its sandbox goes without PrivateUsers, ProtectProc" in line for line in said)
    assert "sandbox" not in " ".join(
        advice.warnings(builders.environment(), (WEB,), builders.survey())
    )


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("${DB_URL}", "${…}"),
        ("postgres://${DB_USER}:${DB_PASS:-x}@db/", "${…}"),
        ("$HOME", "$…"),
        ("$(Build.BuildNumber)", "$(…)"),
        ("%TEMP%", "%…%"),
        ("#{Database}", "#{…}"),
        ("https://{{ host }}/", "{{…}}"),
        ("__TOKEN__", "__…__"),
        ("${{ secrets.KEY }}", "${{…}}"),
        ("pa$$w0rd$x{y}", ""),
        ("%(asctime)s %d{HH:mm} {port} ${sys:x}", ""),
        ("#1 {} $5 a__b__c", ""),
    ],
)
def test_a_variable_that_nothing_replaces_is_named_in_the_plan(value: str, named: str) -> None:
    """As Compose would replace it. The notation alone is shown: a value may be a secret."""
    app = builders.app(environment={"A": value})
    said = advice.warnings(builders.environment(app), (app,), builders.survey(apps=(app,)))
    found = [text for text in said if "environment.A" in text]
    right = f"web: environment.A holds {named}, which nothing here replaces: the service is "
    assert [text.startswith(right) for text in found] == [True] * bool(named)
