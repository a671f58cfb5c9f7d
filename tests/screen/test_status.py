"""`inv status`: well only when every target, unit and record say so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import builders
import pytest
from builders import NEW, OLD

from deploy.aws.targets import GONE, Health, State
from deploy.hosts.lock.holder import Holder
from deploy.hosts.records import Record
from deploy.run.report import ExitCode
from deploy.screen import status
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Slot, UnitState


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
    assert (row.unit_state, row.release, row.note) == ("absent", "", "legacy.service runs")


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
