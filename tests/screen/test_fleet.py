"""`inv status`: what is expected, how many of how many serve, drift, the lock, what to type."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW, OLD, UNHEALTHY
from rich.console import Console

from deploy.aws.targets import GONE, Health, Override, State
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.watch import Life
from deploy.hosts.notes import Note
from deploy.hosts.records import Record
from deploy.natural_order import natural
from deploy.run.report import ExitCode
from deploy.screen import status, status_table
from deploy.screen.fleet import in_service, lock_seen
from deploy.screen.fleet.in_service import Share
from deploy.screen.fleet.lock_seen import Heartbeats
from deploy.settings.scope import Scope
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from deploy.survey.facts import HostFacts, Survey

SCOPE = Scope("lab", "status")
ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")


def running(number: int, release: str = OLD, zone: str = "", **slot: Any) -> HostFacts:
    where = zone or ZONES[number % 3]
    return builders.facts(number, {"web": builders.slot(release, **slot)}, where)


def fleet(count: int, *more: HostFacts) -> list[HostFacts]:
    return [*(running(number) for number in range(1, count + 1)), *more]


def seen(
    hosts: list[HostFacts], health: dict[str, Health] | None = None, **more: Any
) -> status.Overview:
    environment = builders.environment()
    return status.overview(environment, builders.survey(hosts, health), SCOPE, **more)


def shown(found: status.Overview, width: int = 80, most: int | None = None) -> list[str]:
    file = io.StringIO()
    Console(width=width, file=file).print(status_table.render_overview(found, most))
    return [line.rstrip() for line in file.getvalue().splitlines()]


# --- how many of how many


def test_each_group_says_n_of_m_and_each_zone_does() -> None:
    found = seen(fleet(12), {"host-4": UNHEALTHY, "host-5": GONE})
    assert [str(each) for each in found.services] == [
        "web-lab: 10 of 12 healthy (1a 4 of 4, 1b 3 of 4, 1c 3 of 4)"
    ]
    assert "  web-lab: 10 of 12 healthy (1a 4 of 4, 1b 3 of 4, 1c 3 of 4)" in shown(found)


def test_an_app_in_two_groups_is_counted_in_each() -> None:
    app = builders.app(target_groups=("one", "two"))
    survey = builders.survey([running(1), running(2)], apps=[app])
    second = survey.groups["web"][1]
    target = next(iter(survey.health[second.arn]))
    survey.health[second.arn][target] = UNHEALTHY
    found = in_service.of([app], survey)
    assert [(each.group, str(each.all)) for each in found] == [("one", "2 of 2"), ("two", "1 of 2")]


def test_p2_a_target_in_a_shifted_zone_is_not_counted_as_serving() -> None:
    shifted = Health(State.HEALTHY, override=Override.SHIFTED)
    (service,) = seen(fleet(3), {"host-1": shifted}).services
    assert service.all == Share(2, 3)


def test_a_worker_says_how_many_run() -> None:
    jobs = builders.worker()
    hosts = [
        builders.facts(1, {"jobs": builders.slot()}),
        builders.facts(2, {"jobs": Slot(unit_state=UnitState("loaded", "failed"))}),
    ]
    found = status.overview(builders.environment(jobs), builders.survey(hosts, apps=[jobs]), SCOPE)
    assert [str(each) for each in found.services] == ["jobs: 1 of 2 running"]
    assert "jobs " in shown(found)[1]
    assert "jobs:" not in shown(found)[1], "it has no port"


def test_a_host_that_cannot_be_read_counts_by_what_aws_says_of_it() -> None:
    survey = builders.survey(fleet(2))
    gone = survey.hosts[1].host
    survey = replace(survey, hosts=survey.hosts[:1], unreachable={"host-2": "host-2: gone"})
    (service,) = in_service.of([builders.app()], survey)
    assert service.all == Share(2, 2)
    assert gone.zone in service.zones
    dark = replace(survey, asked=survey.asked[:1])
    (service,) = in_service.of([builders.app()], dark)
    assert service.all == Share(1, 2), "no instance is known of it"


@pytest.mark.parametrize(
    ("zones", "short"),
    [
        (ZONES, ["1a", "1b", "1c"]),
        (("eu-west-1a",), ["1a"]),
        (("eu-west-1a", "eu-west-1-bos-1a"), ["eu-west-1a", "eu-west-1-bos-1a"]),
        (("eu-west-1a", "us-east-1b"), ["eu-west-1a", "us-east-1b"]),
        (("", "eu-west-1a"), ["", "1a"]),
        (("all", "eu-west-1a"), ["all", "eu-west-1a"]),
    ],
)
def test_zones_of_one_region_are_short_and_stay_distinct(
    zones: tuple[str, ...], short: list[str]
) -> None:
    assert list(in_service.short_zones(zones).values()) == short


# --- expected, and what differs


def at(release: str, time: str, digest: str = "") -> Record:
    return Record(release, digest or builders.unit().digest, at=time)


HISTORY = (at(OLD, "2026-11-01T00:00:00+00:00"), at(NEW, "2026-11-02T00:00:00+00:00"))


def test_the_expected_release_is_the_newest_by_the_records_and_old_ones_are_named() -> None:
    found = seen([running(1, NEW, history=HISTORY), running(2), running(3)])
    assert found.expected() == {"web": NEW}
    assert [row.is_behind for row in found.rows] == [False, True, True]
    lines = shown(found)
    assert f"web: {NEW} expected, on 1 of 3; {OLD} on 2" in lines
    assert [line.split("  ")[-1].split(" ")[-2:] for line in lines[2:4]] == [["old", "release"]] * 2
    body = json.loads(found.as_json())
    assert body["running"] == {"web": {OLD: 2, NEW: 1}}
    assert [(row["expected"], row["recorded"]) for row in body["hosts"]] == [
        (NEW, NEW),
        (NEW, OLD),
        (NEW, OLD),
    ]


DRIFT: dict[str, tuple[dict[str, Any], str]] = {
    "another release": ({"running_release": NEW, "link": NEW}, f"{NEW} runs, and {OLD} was"),
    "nothing runs": ({"running_release": ""}, f"nothing runs, and {OLD} was deployed"),
    "another link": ({"link": NEW}, f"a restart would start {NEW}"),
    "another unit": ({"unit_digest": "0" * 12}, "on disk is not the unit that was deployed"),
    "an older unit": (
        {"running_unit_digest": "0" * 12},
        "was started from another unit than was deployed",
    ),
    "not at boot": (
        {"unit_state": UnitState("loaded", "active", "running", "disabled")},
        "is not enabled: it does not start at boot",
    ),
    "not reloaded": (
        {"unit_state": replace(builders.RUNNING, needs_reload=True)},
        "was changed since systemd read it",
    ),
    "drop-ins": (
        {"unit_state": replace(builders.RUNNING, has_drop_ins=True)},
        "drop-ins change its unit",
    ),
    "restart pending": ({"running_unit_digest": ""}, "its unit was changed, restart pending"),
}


@pytest.mark.parametrize("name", DRIFT)
def test_what_was_changed_by_hand_is_named_once(name: str) -> None:
    changed, expected = DRIFT[name]
    found = seen([running(1, **changed), running(2)])
    drift = found.rows[0].drift
    assert any(expected in each for each in drift), drift
    assert found.rows[1].drift == ()
    assert " ".join(shown(found, 300)).count(expected) == 1
    assert json.loads(found.as_json())["hosts"][0]["drift"] == list(drift)


def test_what_was_never_deployed_did_not_drift() -> None:
    assert seen([builders.facts(1)]).rows[0].drift == ()


# --- age


def test_the_age_is_since_the_unit_became_active() -> None:
    since = replace(builders.RUNNING, since="Sun 2026-11-22 21:20:01 UTC")
    started = 1_795_382_401
    found = seen([running(1, unit_state=since)], at=started + 7260)
    assert found.rows[0].started == started
    assert "2h01m" in shown(found)[1]
    assert json.loads(found.as_json())["hosts"][0]["age_seconds"] == 7260
    early = replace(found, at=started - 5)
    assert early.age_seconds(early.rows[0]) == 0, "the host's clock is ahead"


# --- the lock


def held(beat: int = 0, ttl: float = 30, by: str = "ana (GitHub Actions)") -> Holder:
    return replace(Holder.of_this_process(by, "deploy", ttl), token="a" * 32, beat=beat)


def locked(holder: Holder, count: int = 3) -> Survey:
    hosts = [replace(each, lock=holder.as_line()) for each in fleet(count)]
    return builders.survey(hosts)


@pytest.mark.parametrize(
    ("life", "said", "then"),
    [
        (Life.ALIVE, ", alive", "next: follow that deploy until it ends: inv watch --env lab"),
        (Life.DEAD, ", dead", "next: recover what the dead deploy left: inv repair --env lab"),
        (None, "", "next: see whether that deploy lives: inv lock.status --env lab"),
    ],
)
def test_the_holder_is_alive_or_dead_and_what_to_type_follows(
    life: Life | None, said: str, then: str
) -> None:
    survey = locked(held())
    holders = lock_seen.of(survey, lambda _: life)
    found = status.overview(builders.environment(), survey, SCOPE, holders=holders)
    lines = shown(found, 200)
    since = held().since[:10]
    assert any(
        line.startswith(f"locked: deploy by ana (GitHub Actions) since {since}")
        and line.endswith(said)
        for line in lines
    ), lines
    assert lines[-1].startswith(then)
    (body,) = json.loads(found.as_json())["holders"]
    assert body["life"] == (life.value if life else None)
    assert body["majority"]
    assert "token" not in body


def test_progress_of_a_deploy_is_what_runs_and_who_is_out_for_it() -> None:
    out = Note("web-lab", "i-1:5000", "2026-11-29T15:00:00+00:00", "ana", "0" * 32).as_line()
    hosts = [running(1, NEW, history=HISTORY), running(2, out=out), running(3)]
    lines = shown(seen(hosts, {"host-2": GONE}), 200)
    assert f"web: {NEW} expected, on 1 of 3; {OLD} on 2" in lines
    assert (
        "host-2 web: Target.NotRegistered; taken out by ana at 2026-11-29T15:00:00+00:00" in lines
    )


def test_looks_one_after_the_other_see_a_heartbeat_and_its_end() -> None:
    beats = Heartbeats()

    def life(beat: int, now: float) -> Life | None:
        (holder,) = beats.see(locked(held(beat)), now)
        return holder.life

    assert life(7, 0) is None
    assert life(7, 5) is None, "it may beat later"
    assert life(8, 10) is Life.ALIVE
    assert life(8, 15) is Life.ALIVE
    assert life(8, 41) is Life.DEAD
    assert life(9, 46) is Life.ALIVE, "it was only slow"


def test_a_heartbeat_that_one_host_alone_shows_proves_nothing() -> None:
    beats = Heartbeats()
    for now, beat in ((0, 7), (5, 8)):
        survey = locked(held(7))
        liar = replace(survey.hosts[0], lock=held(beat).as_line())
        (holder,) = beats.see(replace(survey, hosts=(liar, *survey.hosts[1:])), now)
    assert holder.life is None


# --- what to type next


def out(number: int) -> HostFacts:
    note = Note("web-lab", "i-1:5000", "2026-11-29T15:00:00+00:00", "ana", "0" * 32)
    return running(number, out=note.as_line())


def never_served(number: int, **more: Any) -> HostFacts:
    """A first release runs, and its deploy was killed before it was recorded."""
    return running(number, **({"history": (), "out": out(1).slots["web"].out} | more))


AT_REST = UnitState("loaded", "failed", "failed", "disabled")
NEXT: dict[str, tuple[list[HostFacts], dict[str, Health], str]] = {
    "all is well": (fleet(3), {}, ""),
    "unhealthy": (fleet(3), {"host-1": UNHEALTHY}, "return them to service: inv repair --env lab"),
    "out by a deploy": (
        [out(1), *fleet(3)[1:]],
        {"host-1": GONE},
        "return them to service: inv repair --env lab",
    ),
    "out by hand": (
        fleet(3),
        {"host-1": GONE},
        "they were taken out by hand; put them back: inv deploy --env lab --join",
    ),
    "nothing deployed": (
        [builders.facts(1), builders.facts(2)],
        {"host-1": GONE, "host-2": GONE},
        "the first deploy: inv deploy --env lab --dry-run",
    ),
    "a first deploy that failed": (
        [never_served(n, unit_state=AT_REST) for n in (1, 2)],
        {"host-1": GONE, "host-2": GONE},
        "the first deploy: inv deploy --env lab --dry-run",
    ),
    "registered before its first deploy": (
        [builders.facts(1), builders.facts(2)],
        {"host-1": UNHEALTHY, "host-2": UNHEALTHY},
        "the first deploy: inv deploy --env lab --dry-run",
    ),
    "a first deploy that was killed": (
        [never_served(1), builders.facts(2)],
        {"host-1": GONE, "host-2": GONE},
        "the first deploy: inv deploy --env lab --dry-run; or only stop what was left: "
        "inv repair --env lab",
    ),
    "two releases": (
        [running(1, NEW, history=HISTORY), running(2)],
        {},
        "take all hosts forward: inv deploy --env lab --package 2.0.0; or all of them back: "
        "inv rollback --env lab",
    ),
    "a unit changed by hand": (
        [running(1, unit_digest="0" * 12), running(2)],
        {},
        "deploy again what was deployed: inv deploy --env lab --package 1.0.0",
    ),
}


@pytest.mark.parametrize("name", NEXT)
def test_the_last_line_is_what_to_type(name: str) -> None:
    hosts, health, expected = NEXT[name]
    found = seen(hosts, health)
    assert found.next == expected
    assert (found.exit_code is ExitCode.DONE) is (not expected)
    assert (shown(found, 200)[-1] == f"next: {expected}") is bool(expected)
    assert json.loads(found.as_json())["next"] == expected


def test_a_unit_that_was_never_in_service_is_noted() -> None:
    lines = shown(seen([never_served(1), running(2)], {"host-1": GONE}), 200)
    assert any("host-1 web" in line and "was never in service" in line for line in lines), lines
    lines = shown(seen([running(1), running(2)]), 200)
    assert not any("never in service" in line for line in lines)


def test_hosts_that_cannot_be_read_come_first() -> None:
    survey = builders.survey(fleet(2), {"host-1": UNHEALTHY})
    dark = replace(survey, hosts=survey.hosts[:1], unreachable={"host-2": "host-2: gone"})
    found = status.overview(builders.environment(), dark, SCOPE)
    assert found.next == ("repair what keeps host-2 from being read, then: inv status --env lab")


# --- the screen


LONG = "ip-10-0-12-{}.eu-west-1.compute.internal"


@pytest.mark.parametrize("count", [4, 12, 40])
def test_80_columns_hold_the_status_and_long_names_stay_distinct(count: int) -> None:
    found = seen(fleet(count), {"host-2": UNHEALTHY}, at=1.0)
    rows = tuple(
        replace(row, host=LONG.format(number), release="2.0.0-rc.1+build.4711-aaaaaaaaaaaa")
        for number, row in enumerate(found.rows)
    )
    lines = shown(replace(found, rows=rows))
    assert max(map(len, lines)) <= 80
    text = "".join(line[2:].split(" ")[0] for line in lines)
    for number in range(count):
        assert LONG.format(number) in text
    assert "…" not in "\n".join(lines)


def test_few_lines_show_the_rows_that_are_not_well_and_count_the_rest() -> None:
    found = seen(fleet(40), {"host-39": UNHEALTHY})
    lines = shown(found, most=3)
    assert any(line.startswith("! host-39 ") for line in lines)
    assert "… and 37 more rows, 37 of them well" in lines
    assert lines[-2] == "lab: hosts are out of service"


@pytest.mark.parametrize("height", [24, 40])
@pytest.mark.parametrize("count", [4, 12, 40, 300])
def test_what_is_watched_fits_the_terminal_and_keeps_its_last_lines(
    count: int, height: int
) -> None:
    found = seen(fleet(count), {"host-3": UNHEALTHY})
    file = io.StringIO()
    console = Console(width=80, height=height, file=file)
    console.print(status_table.Drawn((found,), (), "again every 5 s; Ctrl-C ends it"))
    lines = file.getvalue().splitlines()
    assert len(lines) <= height
    assert lines[-1].startswith("again every 5 s")
    assert any(line.startswith("! host-3 ") for line in lines)
    assert any(line.startswith("next: ") for line in lines)


def test_the_worst_of_several_environments_counts() -> None:
    codes = list(status.SEVERITY)
    assert status.worst(codes) is ExitCode.OUT_OF_SERVICE
    assert status.worst([ExitCode.DONE, ExitCode.BAD_INPUT, ExitCode.MIXED]) is ExitCode.BAD_INPUT
    assert status.worst([]) is ExitCode.DONE


def test_names_are_in_the_order_in_which_people_count() -> None:
    hosts = [running(number) for number in (10, 9, 2, 1, 11)]
    names = [row.host for row in seen(hosts).rows]
    assert names == ["host-1", "host-2", "host-9", "host-10", "host-11"]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "b1", "b02", "b2a", "b10"],
        ["", "1", "02", "10", "a"],
        ["9" * 5000, "10" * 5000, "\u00b2", "\u0662"],
    ],
)
def test_any_names_have_an_order(names: list[str]) -> None:
    shuffled = names[::-1]
    assert sorted(shuffled, key=natural) == names


def sample() -> status.Overview:
    """The fleet that docs/commands.md and README.md show."""
    up = replace(builders.RUNNING, since="Sun 2026-11-29 12:40:00 UTC")
    release = "2.0.0-1fec266199bb"
    history = (HISTORY[0], replace(HISTORY[1], release=release))
    pending = {"running_unit_digest": ""}
    hosts = [
        running(number, release, history=history, unit_state=up, **(pending if number == 5 else {}))
        for number in range(1, 7)
    ]
    survey = builders.survey(hosts, {"host-6": UNHEALTHY})
    found = status.overview(
        builders.environment(), survey, Scope("prod", "status"), at=1_795_964_460.0
    )
    rows = tuple(replace(row, host=row.host.replace("host", "web")) for row in found.rows)
    services = tuple(replace(each, group="web-prod") for each in found.services)
    return replace(found, environment="prod", rows=rows, services=services)


@pytest.mark.parametrize("name", ["docs/commands.md", "README.md"])
def test_the_status_in_the_docs_is_as_it_is_printed(name: str) -> None:
    page = (Path(__file__).parents[2] / name).read_text()
    assert "\n".join(["$ inv status --env prod", *shown(sample())]) in page


def test_p7_no_name_can_look_like_a_row() -> None:
    """What is left of a long name stands in a line that begins with a blank."""
    found = seen(fleet(2), at=1.0)
    rows = tuple(replace(row, host="x" * 60 + "host-9 web healthy" * 9) for row in found.rows)
    table = shown(replace(found, rows=rows))
    assert len(table) > 20
    assert not any(line.startswith(("host-", "x", "web-", "h")) for line in table[:20]), table
