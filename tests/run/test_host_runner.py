"""One host: wherever its plan fails, its recovery leaves it as reported."""

from __future__ import annotations

import builders
import pytest
from builders import NEW, OLD

from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, DeployError, LockLost, NotProven
from deploy.events.event import HostSaid, StepBegan, StepEnded
from deploy.events.recovery import RecoveryBegan
from deploy.run.report import ExitCode, Outcome
from deploy.steps.records import MarkBad
from deploy.survey.slot import Slot
from run.paper_fleet import Run, fail, made, old, on, stop

IN_AGAIN = ["register", "wait", "clear"]


PUT_BACK = ["stop", "switch", "daemon-reload,", "prove", *IN_AGAIN]


STEPS = [
    ("deregister", IN_AGAIN, Outcome.BACK),
    ("drain", IN_AGAIN, Outcome.BACK),
    ("stop", PUT_BACK, Outcome.BACK),
    ("switch", PUT_BACK, Outcome.BACK),
    ("daemon-reload", PUT_BACK, Outcome.BACK),
    ("prove", PUT_BACK, Outcome.BACK),
    ("register", ["deregister", "drain", *PUT_BACK], Outcome.BACK),
    ("wait", ["deregister", "drain", *PUT_BACK], Outcome.BACK),
    ("record", [], Outcome.DONE),
]


@pytest.mark.parametrize(("failing", "stays_out"), [("register", True), ("wait", False)])
def test_the_report_names_the_targets_that_were_taken_out_for_good(
    failing: str, stays_out: bool, run: Run
) -> None:
    """One that was registered again may become healthy after the wait for it."""

    def always(_: object) -> None:
        raise DeployError("it broke")

    report = run(made(old(2)), {f"host-1: {failing}": always}).report
    assert report.outcomes["host-1"] is Outcome.OUT
    assert report.taken_out == ({("host-1", "web", 5000)} if stays_out else set())


@pytest.mark.parametrize(("failing", "way_back", "outcome"), STEPS)
def test_wherever_it_fails_the_host_is_left_as_told(
    failing: str, way_back: list[str], outcome: Outcome, run: Run
) -> None:
    failed: list[str] = []

    def once(_: object) -> None:
        if not failed:
            failed.append("yes")
            raise DeployError("it broke")

    ran = run(made(old(2)), {f"host-1: {failing}": once})
    assert ran.report.outcomes["host-1"] is outcome
    failure = ran.report.failures[0]
    assert [step.split()[0] for step in failure.undone] == way_back
    assert failure.step.startswith(failing)
    assert failure.error == "it broke"
    is_drain = failing in {"deregister", "drain"}
    assert failure.journal == (() if is_drain else ("first", "last"))
    assert failure.health == "healthy"
    assert ran.report.outcomes["host-2"] is Outcome.WAITING


def test_a_way_back_that_fails_is_told_and_the_host_counts_as_out(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": fail, "host-1: wait": fail})
    assert ran.report.outcomes["host-1"] is Outcome.OUT
    assert ran.report.failures[0].undone == (
        "register in web-lab",
        "wait until healthy in web-lab: failed: it broke",
    )
    assert ran.report.exit_code is ExitCode.OUT_OF_SERVICE


def test_a_way_back_of_which_only_the_note_stays_leaves_the_host_in(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": fail, "host-1: clear the note": fail})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.failures[0].undone[-1].endswith("failed: it broke")
    assert ran.report.exit_code is ExitCode.FAILED


def test_a_failed_command_is_kept_as_data(run: Run) -> None:
    def command(_: object) -> None:
        raise CommandFailed("host-1", "stopping", CommandResult("systemctl stop", 7, "", "no\n"))

    failure = run(made(old(2)), {"host-1: stop": command}).report.failures[0]
    assert (failure.command, failure.exit_code) == ("systemctl stop", 7)
    assert failure.error == "host-1: stopping ended with exit code 7: no"


def test_a_failed_release_is_marked_with_what_failed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(MarkBad, "run", lambda step, _: said.append(step.why))

    def sick(_: object) -> None:
        raise NotProven("host-1: web@5000.service gave answer 503")

    run(made(old(1)), {f"host-1: prove {NEW}": sick})
    assert said == ["host-1: web@5000.service gave answer 503"]


def test_the_cause_is_heard_before_anything_is_done_about_it(run: Run) -> None:
    ran = run(made(old(2)), {f"host-1: prove {NEW}": fail})
    (began,) = (event for event in ran.events if isinstance(event, RecoveryBegan))
    after = ran.events[ran.events.index(began) + 1 :]
    assert (began.host, began.error, began.health) == ("host-1", "it broke", "healthy")
    assert began.journal == ("first", "last")
    assert began.goal == f"it goes back to {OLD}"
    done = [event.step for event in after if isinstance(event, StepBegan)]
    assert began.steps == tuple(done)
    assert not any(event.is_planned for event in after if isinstance(event, StepBegan))


def test_what_was_stopped_by_the_operator_is_no_failure_that_is_heard(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": stop})
    assert not any(isinstance(event, RecoveryBegan) for event in ran.events)


def test_every_step_that_began_is_heard_to_end(run: Run) -> None:
    ran = run(made(old(2)), {f"host-1: prove {NEW}": fail})
    ended = [event for event in ran.events if isinstance(event, StepEnded)]
    assert [event.error for event in ended if event.error] == ["it broke"]
    assert all(event.health == "healthy" for event in ended)


def test_a_way_back_that_fails_for_one_app_goes_on_with_the_others(run: Run) -> None:
    """The web app still runs its old release; that admin is lost is no reason to leave it out."""
    web, admin = builders.app(), builders.app("admin", 5100)
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    plan = made([builders.facts(1, slots)], admin, web)
    acts = {"host-1: drain": stop, "host-1: wait until healthy in admin-lab": fail}
    ran = run(plan, acts)
    assert ran.report.outcomes["host-1"] is Outcome.OUT
    assert "host-1: register in web-lab" in ran.done
    assert "host-1: wait until healthy in web-lab" in ran.done
    assert ran.report.failures


def test_a_broken_connection_is_tried_again_and_the_step_goes_on(run: Run) -> None:
    broken: list[int] = []

    def flicker(_: object) -> None:
        if len(broken) < 2:
            broken.append(1)
            raise ConnectionLost("host-1: the connection broke")

    ran = run(made(old(2)), {"host-1: stop": flicker})
    assert ran.report.exit_code is ExitCode.DONE
    assert len(broken) == 2
    told = [event.text for event in ran.events if isinstance(event, HostSaid)]
    assert told == ["tried again: host-1: the connection broke"] * 2


def test_who_lost_the_lock_changes_nothing_any_more(run: Run) -> None:
    def lose(_: object) -> None:
        raise LockLost("another deploy took lab over")

    ran = run(made(old(4), batch=2), {"host-1: stop": lose, "host-2: register": lose})
    assert ran.report.outcomes["host-1"] is Outcome.LEFT
    assert ran.report.outcomes["host-3"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.LOCKED
    assert on(ran.done, "host-1")[-1].startswith("host-1: drain"), "no way back"


def test_who_lost_the_lock_begins_no_other_step(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: stop": lambda execution: execution.lose()})
    assert ran.report.outcomes["host-1"] is Outcome.LEFT
    assert on(ran.done, "host-1")[-1].startswith("host-1: stop")
    assert ran.report.exit_code is ExitCode.LOCKED
