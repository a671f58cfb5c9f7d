"""Units that are tied to an app's are named before systemd stops them in silence."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import RUNNING
from shell import run

from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.survey.parse import parse_host
from deploy.survey.slot import Slot
from deploy.survey.units import ties

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.survey.slot import UnitState

SYSTEMCTL = """#!/bin/sh
case $1 in
  show) cat {folder}/$2 2>/dev/null ;;
  is-active) case $3 in *asleep*) exit 3 ;; esac ;;
esac
"""
SHOWN = "ActiveState=active\nWants=network-online.target{wants}\nTriggeredBy={by}\n{more}\n"


def seen(tmp_path: Path, **shown: str) -> dict[str, UnitState]:
    """The states of the slot's unit and of the previous one, of what systemd shows of each."""
    for name, text in shown.items():
        unit = "web@5000.service" if name == "own" else "legacy.service"
        (tmp_path / unit).write_text(text)
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "systemctl").chmod(0o755)
    tied = [("web.5000.show", "web@5000.service"), ("web.replaces", "legacy.service")]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = run(text_of((read.survey_ties(tied),)), environ=environ)
    app = builders.app(replaces="legacy.service")
    facts = parse_host(builders.host(), ran.facts, [app])
    assert not facts.unknown
    return {"own": facts.slots["web"].unit_state, "previous": facts.slots["web"].replaces}


@pytest.mark.parametrize("key", ["RequiredBy", "BoundBy", "ConsistsOf", "RequisiteOf"])
def test_what_systemd_stops_with_a_unit_is_read_while_it_runs(tmp_path: Path, key: str) -> None:
    others = "shipper.service asleep.service multi-user.target"
    text = SHOWN.format(wants="", by="", more=f"{key}={others}")
    assert seen(tmp_path, own=text)["own"].stopped_with == ("shipper.service",)


def test_what_a_start_brings_back_is_not_lost(tmp_path: Path) -> None:
    text = SHOWN.format(wants=" shipper.service", by="", more="ConsistsOf=shipper.service")
    assert seen(tmp_path, own=text)["own"].stopped_with == ()


def test_a_unit_that_does_not_run_reaches_nothing(tmp_path: Path) -> None:
    text = SHOWN.format(wants="", by="legacy.timer", more="ConsistsOf=shipper.service")
    assert seen(tmp_path, own=text.replace("=active", "=inactive"))["own"].stopped_with == ()


def test_what_may_start_the_previous_unit_is_read(tmp_path: Path) -> None:
    text = SHOWN.format(wants="", by="legacy.timer asleep.path", more="BoundBy=")
    assert seen(tmp_path, previous=text)["previous"].started_by == ("legacy.timer",)


def notes(slot: Slot, **settings: Any) -> tuple[str, ...]:
    """What the plan says of two hosts with this slot."""
    web = builders.app(**settings)
    hosts = [builders.facts(number, {"web": slot}) for number in (1, 2)]
    return ties.notes(builders.survey(hosts, {}, [web]), [web])


def test_hosts_with_the_same_tie_are_one_line() -> None:
    (note,) = notes(builders.slot(unit_state=replace(RUNNING, stopped_with=("shipper.service",))))
    assert note.startswith("host-1, host-2: systemd stops shipper.service when web@5000.service")


def test_an_adoption_names_what_stops_with_the_previous_unit_and_what_starts_it_again() -> None:
    tied = replace(RUNNING, stopped_with=("queue.service",), started_by=("legacy.timer",))
    stops, starts = notes(Slot(replaces=tied), replaces="legacy.service")
    assert "stops queue.service when legacy.service is stopped" in stops
    assert "legacy.timer may start legacy.service again" in starts
    assert notes(Slot(replaces=replace(tied, active="inactive")), replaces="legacy.service") == ()


@pytest.mark.parametrize(("state", "is_named"), [("static", True), ("enabled", False)])
def test_a_previous_unit_that_cannot_be_disabled_is_named(state: str, *, is_named: bool) -> None:
    """It has no [Install], and another unit wants it: at the next boot both would start."""
    said = notes(Slot(replaces=replace(RUNNING, enabled=state)), replaces="legacy.service")
    assert [
        "legacy.service has no [Install] section, so it cannot be disabled" in each for each in said
    ] == ([True] if is_named else [])


def test_control_a_unit_without_ties_is_not_named() -> None:
    assert notes(builders.slot()) == ()
