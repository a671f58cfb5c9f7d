"""A second port makes no release unreachable: its unit is made for the new slot, or it is said."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW, OLD

from deploy.errors import BadInput
from deploy.hosts.records import Kind, Record
from deploy.plan import candidate
from deploy.plan.candidate import OpenedPackage
from deploy.recovery import rollback, stored_units
from deploy.steps.records import RecordDeployed
from deploy.steps.staging import StageUnits
from deploy.steps.unit import SwitchRelease
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import HostFacts, Survey
    from deploy.unit.rendering import RenderedUnit

ONE = builders.app("web", 5000, command="./web --port {port}")
TWO = builders.app("web", 5000, 5001, command="./web --port {port}")
SURGE: dict[str, Any] = {"rollout": {"strategy": "surge"}}


def units(
    app: App, release: str, *, command: str = "", **settings: Any
) -> tuple[RenderedUnit, ...]:
    """What a deploy of a release stores for the app's slots."""
    own = app.model_copy(update=settings)
    words = tuple((command or own.command or "").removeprefix("./").split())
    seen = builders.survey([builders.facts()], apps=[own])
    opened = OpenedPackage(own, builders.package(release=release), words)
    offer = candidate.offer(builders.environment(own), opened, seen)
    return tuple(offer.units["host-1", slot.port] for slot in own.slots)


def slot(stored: dict[str, tuple[RenderedUnit, ...]], **more: Any) -> Slot:
    """A slot on port 5000 that runs the last of these releases, all of them deployed there."""
    past = tuple(Record(release, every[0].digest) for release, every in stored.items())
    texts = {
        f"{release}.{every[0].digest}": {unit.name: unit.text for unit in every}
        for release, every in stored.items()
    }
    running = list(stored)[-1]
    given: dict[str, Any] = {
        "releases": tuple(stored),
        "history": past,
        "kept": frozenset(record.kept for record in past),
        "stored": texts,
    }
    return builders.slot(running, stored[running][0], **(given | more))


def fleet(stored: dict[str, tuple[RenderedUnit, ...]], **more: Any) -> list[HostFacts]:
    """Two hosts whose app got a second port since; nothing is stored for it."""
    own = slot(stored, **more)
    beside = Slot(releases=own.releases, history=own.history, stored=own.stored)
    return [builders.facts(n, {"web": own}, spares={"web": beside}) for n in (1, 2)]


def seen(hosts: list[HostFacts], app: App = TWO) -> Survey:
    return builders.survey(hosts, apps=[app])


def back(hosts: list[HostFacts], app: App = TWO, **environment: Any) -> Plan:
    settings: Environment = builders.environment(app, **(environment or SURGE))
    return rollback.make(settings, seen(hosts, app), OLD)


def test_a_release_of_before_the_second_port_gets_its_unit_and_goes_into_the_new_slot() -> None:
    plan = back(fleet({OLD: units(ONE, OLD), NEW: units(ONE, NEW)}))
    expected = units(TWO, OLD)
    stages = [step for step in plan.steps if isinstance(step, StageUnits)]
    assert [step.units for step in stages] == [expected, expected], "as a deploy would write them"
    assert [step.app.port for step in stages] == [5001, 5001]
    switches = [step for step in plan.steps if isinstance(step, SwitchRelease)]
    assert {(step.app.port, step.release, step.unit_digest) for step in switches} == {
        (5001, OLD, expected[0].digest)
    }
    records = [step for step in plan.steps if isinstance(step, RecordDeployed)]
    assert {(step.release, step.unit_digest) for step in records} == {(OLD, expected[0].digest)}
    assert not plan.left_out


def test_what_is_staged_is_judged_on_the_release_that_lies_there() -> None:
    plan = back(fleet({OLD: units(ONE, OLD), NEW: units(ONE, NEW)}))
    stage = next(step for step in plan.steps if isinstance(step, StageUnits))
    assert all(f"/srv/web/releases/{OLD}/web --port" in text for text in stage.checks)
    assert len(stage.trials) == 2


def test_what_needs_no_unit_is_not_staged_again() -> None:
    stored = {OLD: units(ONE, OLD), NEW: units(ONE, NEW)}
    plan = back(fleet(stored), rollout={"strategy": "rolling"})
    assert not [step for step in plan.steps if isinstance(step, StageUnits)]
    switches = [step for step in plan.steps if isinstance(step, SwitchRelease)]
    assert {(step.app.port, step.unit_digest) for step in switches} == {
        (5000, stored[OLD][0].digest)
    }


def test_settings_of_then_stay_as_they_were_where_the_port_is_not_in_their_lines() -> None:
    then = units(ONE, OLD, stop_timeout_seconds=77, environment={"COLOUR": "red"})
    plan = back(fleet({OLD: then, NEW: units(ONE, NEW)}))
    stage = next(step for step in plan.steps if isinstance(step, StageUnits))
    second = stage.units[1].text
    assert "TimeoutStopSec=77" in second
    assert "COLOUR=red" in second
    assert "5000" not in second
    assert stage.units[0].text.replace(stage.units[0].digest, then[0].digest) == then[0].text


def test_a_port_that_another_replaced_gets_its_unit_too() -> None:
    moved = builders.app("web", 6000, command="./web --port {port}")
    own = slot({OLD: units(ONE, OLD), NEW: units(moved, NEW)})
    own = replace(own, kept=frozenset({f"{NEW}.{units(moved, NEW)[0].digest}"}))
    hosts = [builders.facts(n, {"web": own}) for n in (1, 2)]
    plan = back(hosts, moved, rollout={"strategy": "rolling"})
    (expected,) = units(moved, OLD)
    stages = [step for step in plan.steps if isinstance(step, StageUnits)]
    assert [step.units for step in stages] == [(expected,), (expected,)]


@pytest.mark.parametrize(
    "then",
    [
        {"command": "web --listen 0.0.0.0:{port}"},
        {"environment": {"URL": "http://127.0.0.1:{port}/x"}},
        {"environment": {"METRICS": "{port}9"}},
    ],
    ids=["the command", "a variable", "a part of another number"],
)
def test_where_the_port_was_named_otherwise_nothing_is_guessed(then: dict[str, Any]) -> None:
    hosts = fleet({OLD: units(ONE, OLD, **then), NEW: units(ONE, NEW)})
    with pytest.raises(BadInput) as refused:
        back(hosts)
    assert f"web: {OLD} was deployed for other `ports:`, and its unit cannot be made" in str(
        refused.value
    )
    assert "--package 1.0.0" in str(refused.value)


def test_p7_a_stored_unit_that_was_changed_is_not_used() -> None:
    """Its digest would not fit, which the host refuses when it switches."""
    (unit,) = units(ONE, OLD)
    forged = replace(unit, text=unit.text.replace("NoNewPrivileges=yes", "NoNewPrivileges=no"))
    with pytest.raises(BadInput, match="cannot be made for these"):
        back(fleet({OLD: (forged,), NEW: units(ONE, NEW)}))


def test_a_number_that_only_looks_like_the_port_stays() -> None:
    command = "./web --port {port} --most 15000 --least 5000"
    one, two = (app.model_copy(update={"command": command}) for app in (ONE, TWO))
    plan = back(fleet({OLD: units(one, OLD), NEW: units(one, NEW)}), two)
    stage = next(step for step in plan.steps if isinstance(step, StageUnits))
    assert "--port 5001 --most 15000 --least 5000" in stage.units[1].text
    assert stage.units == units(two, OLD)


def test_a_slot_below_1024_has_other_lines_and_is_not_guessed() -> None:
    low = builders.app("web", 5000, 443, command="./web --port {port}")
    with pytest.raises(BadInput, match="cannot be made"):
        back(fleet({OLD: units(ONE, OLD), NEW: units(ONE, NEW)}), low)


def test_a_command_that_follows_from_the_package_has_no_port_and_is_kept() -> None:
    one, two = (builders.app("web", *ports) for ports in ((5000,), (5000, 5001)))
    stored = {each: units(one, each, command="web") for each in (OLD, NEW)}
    plan = back(fleet(stored), two)
    stage = next(step for step in plan.steps if isinstance(step, StageUnits))
    assert stage.units == units(two, OLD, command="web")


def test_after_it_the_next_rollback_goes_on_from_there() -> None:
    """The record has the new digest, and still is of the release that lies below."""
    stored = {OLD: units(ONE, OLD), NEW: units(ONE, NEW)}
    made = units(TWO, OLD)
    record = Record(OLD, made[0].digest, kind=Kind.ROLLBACK)
    hosts = fleet(stored)
    landed = slot({OLD: made}, history=(*hosts[0].slots["web"].history, record))
    assert landed.runs_deployed
    assert hashlib.sha256(made[0].text.encode()).hexdigest() == landed.unit_sha256


def test_where_nothing_is_stored_nothing_is_made() -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    survey = seen(hosts, ONE)
    assert stored_units.rendered(builders.environment(ONE), survey) == survey


def test_a_rollback_of_a_failed_deploy_makes_the_unit_too() -> None:
    hosts = fleet({OLD: units(ONE, OLD), NEW: units(ONE, NEW)})
    wanted = {"web": {f.host.name: f.slots["web"].history[0] for f in hosts}}
    plan = rollback.take_back(builders.environment(TWO, **SURGE), seen(hosts), wanted)
    assert len([step for step in plan.steps if isinstance(step, StageUnits)]) == 2
    assert not plan.left_out
