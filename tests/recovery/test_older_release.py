"""A sick release that is deployed again, and fails, gives way to an older one (P3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import stage
from simulated.builds import OFFERED, OLD, OLDER, Build, Kind
from simulated.clock import CLOCK
from simulated.ending import end
from simulated.faults import Command, Fault, Strike
from simulated.performance import perform
from simulated.world import Fleets, World

from deploy.recovery.answers.choices import Answer
from deploy.run.report import ExitCode, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.run.report import Report

NEW, UNDER_ANOTHER_UNIT = OFFERED[0], OFFERED[1]
PACE = (("batch", 1), ("min_in_service", 0))
LATER = 500.0


@pytest.fixture(autouse=True)
def on_stage() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stage.take_the_stage(patch)
        yield


def world(hosts: int = 1) -> World:
    """Hosts that keep two releases each."""
    return World(Fleets(hosts=hosts, rollout=PACE, keep_releases=2))


def deploy(
    at: World, build: Build = NEW, *strikes: Strike, answers: tuple[Answer, ...] = ()
) -> Report:
    ended = perform(at, Command("deploy", build, strikes, after=LATER, answers=answers))
    assert ended.report
    return ended.report


def falls_sick(at: World, build: Build = NEW) -> None:
    at.kinds[build] = Kind.SILENT
    CLOCK.now += LATER


def served(at: World) -> set[str]:
    """What serves, by the digests' releases; nothing where a target is out of service."""
    assert all(at.is_served(home) for home in at.homes.values())
    return {
        place.process.build.release
        for place in at.places.values()
        if place.process and place.process.build
    }


def test_its_host_went_back_and_is_no_deploy() -> None:
    """It counted as deployed, and the deploy as one that left two releases."""
    at = world(hosts=2)
    deploy(at, NEW, Strike(Fault.COMMAND, "DeregisterTarget", host=2))
    falls_sick(at)
    report = deploy(at)
    assert served(at) == {OLD.release}
    assert (report.exit_code, report.outcomes["host-1"]) == (ExitCode.FAILED, Outcome.BACK)
    assert not report.deployed
    (remark,) = report.remarks
    assert f"it runs {OLD.release} now, which is older than what it ran before" in remark


def test_a_deploy_keeps_what_it_would_go_back_to() -> None:
    """Staging removed it: of two releases that are kept, one had been rolled back."""
    at = world()
    deploy(at)
    perform(at, Command("rollback", after=LATER))
    falls_sick(at, OLD)
    assert deploy(at, OLD).exit_code is ExitCode.FAILED
    assert served(at) == {OLDER.release}


def test_a_repair_goes_back_further_too_where_what_was_deployed_last_has_failed_there() -> None:
    """Killed when it was started and out: a repair started the failed one instead, and ended it."""
    at = world()
    deploy(at)
    falls_sick(at)
    killed = Strike(Fault.CRASH, "RegisterTarget")
    assert not perform(at, Command("deploy", NEW, (killed,), after=LATER)).report
    perform(at, Command("repair", after=LATER))
    assert served(at) == {OLD.release}
    end(at, mend_first=True)
    assert not at.wrongs


def test_one_that_is_put_back_under_its_old_unit_is_no_deploy() -> None:
    """The new unit's release is the same, so it counted as deployed."""
    at = world()
    deploy(at)
    strikes = Strike(Fault.COMMAND, "ProveRelease"), Strike(Fault.COMMAND, "StartUnit", nth=1)
    report = deploy(at, UNDER_ANOTHER_UNIT, *strikes, answers=(Answer.PUT_BACK,))
    assert served(at) == {NEW.release}
    assert not report.deployed
    assert (report.exit_code, report.outcomes["host-1"]) == (ExitCode.FAILED, Outcome.BACK)


@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_a_repair_writes_down_that_a_host_went_back(hosts: int) -> None:
    """It wrote a deploy, and a rollback after it was refused: which run it meant was not clear."""
    at = world(hosts=hosts)
    deploy(at)
    falls_sick(at)
    deploy(at, NEW, Strike(Fault.COMMAND, "RecordReturned"))
    perform(at, Command("repair", after=LATER))
    ended = perform(at, Command("rollback", after=LATER))
    if hosts > 1:
        assert ended.report, ended
        assert served(at) == {OLD.release}
