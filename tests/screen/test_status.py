"""`inv status`: well only when every target, unit and record say so."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW, OLD
from rich.console import Console

from deploy.aws.targets import GONE, Health, State, Target
from deploy.hosts.lock.holder import Holder
from deploy.hosts.records import Record
from deploy.run.report import ExitCode
from deploy.screen import status, status_table
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Listener, Slot, UnitState

if TYPE_CHECKING:
    from deploy.settings.app import App


def told(hosts: list[HostFacts], health: dict[str, Health] | None = None) -> status.Overview:
    return status.overview(builders.environment(), builders.survey(hosts, health))


def running(number: int, release: str = OLD, **slot: Any) -> HostFacts:
    return builders.facts(number, {"web": builders.slot(release, **slot)})


def test_all_is_well() -> None:
    found = told([running(2), running(1)])
    assert found.exit_code is ExitCode.DONE
    assert [row.host for row in found.rows] == ["host-1", "host-2"]
    assert all(row.is_well and row.release == OLD for row in found.rows)


@pytest.mark.parametrize(
    "health",
    [GONE, builders.UNHEALTHY, Health(State.INITIAL), Health(State.DRAINING), Health(State.UNUSED)],
    ids=str,
)
def test_a_target_that_does_not_serve_is_out_of_service(health: Health) -> None:
    found = told([running(1), running(2)], {"host-2": health})
    assert found.exit_code is ExitCode.OUT_OF_SERVICE
    assert (found.rows[1].state, found.rows[1].reason) == (health.state, health.reason)


def test_two_releases_are_mixed_and_that_is_less_bad_than_out() -> None:
    assert told([running(1), running(2, NEW)]).exit_code is ExitCode.MIXED
    sick = {"host-1": builders.UNHEALTHY}
    assert told([running(1), running(2, NEW)], sick).exit_code is ExitCode.OUT_OF_SERVICE


def test_a_unit_of_before_beside_a_release_elsewhere_is_mixed_and_alone_is_not() -> None:
    app = builders.app(replaces="old.service")
    environment = builders.environment(app)
    before = [
        builders.facts(number, {"web": Slot(replaces=UnitState("loaded", "active", "running"))})
        for number in (1, 2)
    ]

    def is_mixed(hosts: list[HostFacts]) -> bool:
        return status.overview(environment, builders.survey(hosts, apps=[app])).is_mixed

    assert not is_mixed(before)
    assert is_mixed([*before, running(3)])


DIFFERENCES: dict[str, dict[str, Any]] = {
    "no record": {"history": ()},
    "a record of another release": {"history": (Record(NEW, "0" * 12),)},
    "a record of other settings": {"history": (Record(OLD, "0" * 12),)},
    "a link to another release": {"link": NEW},
    "a unit that was edited since": {"unit_digest": "0" * 12},
    "a process without a unit of ours": {"running_unit_digest": "", "unit_digest": ""},
    "a unit that is not enabled": {
        "unit_state": UnitState("loaded", "active", "running", "disabled")
    },
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_does_not_agree_is_not_current(difference: dict[str, Any]) -> None:
    found = told([running(1, **difference)])
    assert not found.rows[0].current
    assert found.exit_code is ExitCode.FAILED


def test_a_bare_host_and_a_unit_of_before_are_told_as_they_are() -> None:
    app = builders.app(replaces="legacy.service")
    legacy = UnitState("loaded", "active", "running", "enabled")
    hosts = [builders.facts(1, {"web": Slot(replaces=legacy)})]
    row = status.overview(builders.environment(app), builders.survey(hosts)).rows[0]
    assert (row.unit_state, row.release) == ("absent", "")
    assert row.note == "legacy.service serves; nothing was deployed yet"


def shown(found: status.Overview) -> str:
    """What people see of a status, in a wide terminal."""
    console = Console(width=240, file=io.StringIO())
    console.print(status_table.render_overview(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_before_an_adoption_the_unit_that_serves_is_named() -> None:
    app = builders.app(replaces="web.service")
    legacy = UnitState("loaded", "active", "running", "enabled")
    hosts = [builders.facts(n, {"web": Slot(replaces=legacy)}) for n in (1, 2)]

    def found(health: dict[str, Health]) -> status.Overview:
        return status.overview(builders.environment(app), builders.survey(hosts, health))

    all_serve = found({})
    text = shown(all_serve)
    assert re.search(r"host-1 +web:5000 +1a +healthy +web.service +not deployed yet", text)
    assert "lab: web.service serves, and nothing was deployed in its place yet" in text
    assert all_serve.exit_code is ExitCode.FAILED
    assert json.loads(all_serve.as_json())["hosts"][0]["beside"] == "web.service"
    sick = found({"host-2": builders.UNHEALTHY})
    assert sick.rows[1].note == "web.service runs"
    assert "lab: hosts are out of service" in shown(sick)


def test_a_process_that_is_not_ours_and_listens_on_the_port_is_named() -> None:
    listener = Listener(812, "nginx.service", "nginx")
    row = told([builders.facts(1, {"web": Slot(listeners=(listener,))})]).rows[0]
    assert row.note == "nginx.service (pid 812, nginx) listens on port 5000"


def seen_in_aws(states: dict[int, Health], *apps: App) -> Survey:
    """A survey of host-1, which cannot be read; its targets, by port, are in these states."""
    seen = builders.survey([running(1)], apps=apps)
    host = seen.hosts[0].host
    (arn,) = {group.arn for each in seen.groups.values() for group in each}
    health = {arn: {Target(host.instance_id, port): each for port, each in states.items()}}
    why = {"host-1": "host-1 (10.0.0.1): refuses user 'deploy'\n  check `ssh: user:`"}
    return replace(seen, hosts=(), health=health, unreachable=why, asked=(host,))


def test_the_target_comes_from_aws_where_the_host_cannot_be_read() -> None:
    seen = seen_in_aws({5000: Health(State.HEALTHY)})
    found = status.overview(builders.environment(), seen)
    (row,) = found.rows
    assert (row.target, row.state) == ("i-00000000000000001:5000", "healthy")
    assert (row.unit_state, row.is_readable, row.release) == ("unknown", False, "")
    assert found.exit_code is ExitCode.OUT_OF_SERVICE, "what runs there is not known"
    assert not found.is_whole_look
    text = shown(found)
    assert re.search(r"host-1 +web:5000 +1a +healthy +- +not readable", text)
    assert "lab: all targets are in service, and 1 host cannot be read" in text
    assert text.count("refuses user 'deploy'") == 1
    body = json.loads(found.as_json())["hosts"][0]
    assert (body["state"], body["readable"]) == ("healthy", False)
    assert body["note"] == "host-1 (10.0.0.1): refuses user 'deploy'; check `ssh: user:`"


def test_of_two_slots_on_a_host_that_cannot_be_read_the_one_that_serves_is_shown() -> None:
    app = builders.app("web", 5000, 5001)

    def port(states: dict[int, Health]) -> tuple[int, str]:
        found = status.overview(builders.environment(app), seen_in_aws(states, app))
        return found.rows[0].port, found.rows[0].state

    healthy, sick = Health(State.HEALTHY), builders.UNHEALTHY
    assert port({5000: healthy}) == (5000, "healthy")
    assert port({5001: healthy, 5000: Health(State.DRAINING)}) == (5001, "healthy")
    assert port({5001: sick}) == (5001, "unhealthy")
    assert port({}) == (5000, "unused")


def test_the_same_problem_of_many_hosts_is_one_line_of_the_status() -> None:
    names = [f"host-{number}" for number in range(1, 6)]
    seen = builders.survey([running(9)])
    seen = replace(seen, unreachable={name: f"{name} (10.0.0.1): gone" for name in names})
    text = shown(status.overview(builders.environment(), seen))
    assert "5 hosts (host-1, host-2, host-3 and 2 more): gone" in text
    assert text.count("gone") == 1


@pytest.mark.parametrize("is_read", [True, False])
def test_a_port_that_serves_and_is_no_longer_listed_is_named(*, is_read: bool) -> None:
    app = builders.app("web", 5001)
    seen = seen_in_aws({5000: Health(State.HEALTHY)}, app)
    if is_read:
        seen = replace(seen, hosts=(builders.facts(1, {"web": Slot()}),), unreachable={})
    (row,) = status.overview(builders.environment(app), seen).rows
    said = "i-00000000000000001:5000 is healthy in web-lab, and `ports:` does not list that port"
    assert said in row.note


def test_a_unit_that_runs_under_a_port_that_is_no_longer_listed_is_named() -> None:
    seen = builders.survey([running(1)])
    facts = seen.hosts[0]
    slot = replace(facts.slots["web"], unlisted=("web@5009.service",))
    seen = replace(seen, hosts=(replace(facts, slots={"web": slot}),))
    (row,) = status.overview(builders.environment(), seen).rows
    assert "web@5009.service runs, and `ports:` does not list its port" in row.note


def test_a_host_in_another_vpc_than_its_target_group_is_told_where_it_is() -> None:
    seen = builders.survey([running(1)], vpc="vpc-a")
    facts = seen.hosts[0]
    moved = replace(facts, host=replace(facts.host, vpc="vpc-b"))
    (row,) = status.overview(builders.environment(), replace(seen, hosts=(moved,))).rows
    assert row.note.startswith("i-00000000000000001 is in vpc-b, and target group web-lab in vpc-a")


def test_a_host_that_cannot_be_read_is_a_row_too() -> None:
    seen = builders.survey([running(1)])
    partly = Survey(seen.hosts, seen.groups, seen.health, {"host-2": "host-2: no SSH connection"})
    found = status.overview(builders.environment(), partly)
    assert (found.rows[1].host, found.rows[1].state) == ("host-2", "unknown")
    assert found.rows[1].note == "host-2: no SSH connection"
    assert found.exit_code is ExitCode.OUT_OF_SERVICE


def test_machines_get_the_same_as_people() -> None:
    body = json.loads(told([running(1), running(2, NEW)]).as_json())
    assert (body["environment"], body["well"], body["mixed"], body["exit_code"]) == (
        "lab",
        False,
        True,
        4,
    )
    assert body["hosts"][0] == {
        "host": "host-1",
        "app": "web",
        "target": "i-00000000000000001:5000",
        "state": "healthy",
        "reason": "",
        "unit": "active",
        "release": OLD,
        "since": "",
        "restarts": 0,
        "current": True,
        "note": "",
        "port": 5000,
        "beside": "",
        "readable": True,
        "recorded": OLD,
        "expected": "",
        "zone": "eu-west-1a",
        "drift": [],
        "taken_out": "",
        "age_seconds": None,
    }


def test_a_holder_that_one_host_alone_shows_is_named_with_its_host() -> None:
    real = Holder.of_this_process("ana@one", "deploy", 30).as_line()
    forged = Holder.of_this_process("eve@host", "deploy", 30).as_line()
    hosts = [replace(running(number), lock=real) for number in (1, 2)]
    found = told([*hosts, replace(running(3), lock=forged)])
    locked, _, lone = found.lock.partition("; ")
    assert locked.startswith("deploy by ana@one since ")
    assert lone.startswith("only on host-3: deploy by eve@host since ")
    assert told([running(1), replace(running(2), lock="who knows")]).lock == ""
