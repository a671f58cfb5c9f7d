"""A host failed: what is decided is done, before anything more begins, and reported as it is."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from builders import NEW

from deploy.errors import DeployError, NotProven
from deploy.events.event import BatchBegan, Event, HostFailed, StepBegan
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.recovery.answers import replanning
from deploy.recovery.answers.answers import Answers, Reply
from deploy.recovery.answers.choices import Answer, Standing
from deploy.run.executor import Execution
from deploy.run.failed_hosts import STANDINGS
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import PaperFleet, fail, made, old, on, surged

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.plan import Plan
    from deploy.recovery.answers.replanning import Replanned
    from deploy.run.report import Report
    from deploy.steps.fleet import Fleet
    from run.paper_fleet import Acts

pytestmark = pytest.mark.usefixtures("steps_on_paper")

RETRY, LEAVE_OUT, STOP = Answer.RETRY, Answer.LEAVE_OUT, Answer.STOP


@dataclass
class Person:
    """Answers in turn, and keeps what was asked; repairs what is wrong before a retry."""

    answers: list[Answer | None]
    asked: list[QuestionAsked] = field(default_factory=list)
    fails: bool = True

    def __call__(self, asked: QuestionAsked, is_over: Callable[[], bool]) -> Reply:
        assert not is_over()
        self.asked.append(asked)
        return Reply(self.answers.pop(0), "ana@laptop")

    def fails_until_repaired(self, _: Execution) -> None:
        if self.fails and len(self.asked) < 1:
            raise NotProven("host-2: web@5000.service gave answer 503")


@dataclass
class Ran:
    """A rollout that is over, its events, and the steps that were done."""

    report: Report
    events: list[Event]
    done: list[str]
    fleet: PaperFleet

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def rolled(
    plan: Plan,
    acts: Acts,
    person: Person | None = None,
    option: Answer | None = None,
    again: Callable[[str], Replanned] | None = None,
) -> Ran:
    heard: list[Event] = []
    fleet = PaperFleet(acts)

    def same(host: str) -> Replanned:
        return replanning.on_host(plan, host)

    answers = Answers(again or same, same, option=option, ask=person, limit_seconds=60.0)
    fleet.execution = Execution(plan, cast("Fleet", fleet), heard.append, answers=answers)
    return Ran(fleet.execution.run(), heard, fleet.done, fleet)


def never(host: str) -> Replanned:
    raise AssertionError(host)


PROVE_2 = f"host-2: prove {NEW}"


def test_a_retry_that_succeeds_ends_as_if_nothing_had_failed() -> None:
    person = Person([RETRY])
    ran = rolled(made(old(3), batch=1), {PROVE_2: person.fails_until_repaired}, person)
    assert ran.report.exit_code is ExitCode.DONE
    assert set(ran.report.outcomes.values()) == {Outcome.DONE}
    assert ran.report.failures == ()
    assert not ran.report.stopped_short
    assert ran.of(QuestionAnswered) == [QuestionAnswered("host-2", "retry", "ana@laptop")]
    assert ran.fleet.forgotten == ["host-2"], "what was found out in the first turn is old"


def test_the_question_has_the_evidence_and_comes_after_the_recovery() -> None:
    person = Person([STOP])
    ran = rolled(made(old(3), batch=1), {PROVE_2: person.fails_until_repaired}, person)
    (asked,) = person.asked
    assert (asked.host, asked.error) == ("host-2", "host-2: web@5000.service gave answer 503")
    assert asked.step.startswith(f"prove {NEW}")
    assert asked.journal == ("first", "last")
    assert asked.outcome == Outcome.BACK
    assert asked.in_service == "3 of 3"
    assert asked.options == (RETRY, LEAVE_OUT, STOP, Answer.ROLLBACK)
    assert (asked.seconds, asked.policy) == (60.0, STOP)
    at = ran.events.index(asked)
    assert any(isinstance(event, HostFailed) for event in ran.events[:at])
    assert not any(isinstance(event, StepBegan) for event in ran.events[at:])


def test_p2_nothing_begins_while_a_question_is_open_and_the_batch_has_ended() -> None:
    plan = made(old(3), batch=2, rollout={"min_in_service": 1})

    def ask(asked: QuestionAsked, _: Callable[[], bool]) -> Reply:
        del asked
        began = [event for event in heard if isinstance(event, BatchBegan)]
        assert [event.number for event in began] == [1]
        assert on(fleet.done, "host-2"), "the other host of the batch went on"
        assert not [line for line in on(fleet.done, "host-3") if "drain" in line]
        return Reply(LEAVE_OUT, "ana")

    heard: list[Event] = []
    fleet = PaperFleet({f"host-1: prove {NEW}": fail})
    answers = Answers(lambda host: replanning.on_host(plan, host), never, ask=ask)
    fleet.execution = Execution(plan, cast("Fleet", fleet), heard.append, answers=answers)
    report = fleet.execution.run()
    assert report.outcomes["host-3"] is Outcome.DONE


@pytest.mark.parametrize("more", [{"batch": 1}, {"batch": None, "rollout": {"window": 1}}])
def test_left_out_it_counts_as_failed_and_the_others_go_on(more: dict[str, Any]) -> None:
    person = Person([LEAVE_OUT])
    ran = rolled(made(old(3), **more), {f"host-1: prove {NEW}": fail}, person)
    assert [*ran.report.outcomes.values()] == [Outcome.BACK, Outcome.DONE, Outcome.DONE]
    assert ran.report.exit_code is ExitCode.MIXED
    assert not ran.report.stopped_short, "no policy takes the others back"


def test_each_failure_beyond_what_is_tolerated_is_asked_about() -> None:
    person = Person([LEAVE_OUT, STOP])
    plan = made(old(4), batch=1, rollout={"max_failures": 1})
    acts: Acts = {f"host-{number}: prove {NEW}": fail for number in (1, 2, 3)}
    ran = rolled(plan, acts, person)
    assert [asked.host for asked in person.asked] == ["host-2", "host-3"], "one is tolerated"
    assert ran.report.outcomes["host-4"] is Outcome.WAITING
    assert (ran.report.answer, ran.report.stopped_short) == (STOP, True)


def test_stop_is_as_the_policy_is() -> None:
    with_person = rolled(made(old(3), batch=1), {PROVE_2: fail}, Person([STOP]))
    without = rolled(made(old(3), batch=1), {PROVE_2: fail})
    assert sorted(with_person.done) == sorted(without.done)
    assert with_person.report.outcomes == without.report.outcomes
    assert with_person.report.exit_code is without.report.exit_code is ExitCode.MIXED
    assert without.of(QuestionAnswered) == []


def test_a_host_that_could_not_be_recovered_can_be_put_back() -> None:
    person = Person([Answer.PUT_BACK])

    def until_asked(_: Execution) -> None:
        if not person.asked:
            fail(None)

    acts: Acts = {"host-2: prove": until_asked}
    ran = rolled(made(old(3), batch=1), acts, person)
    assert person.asked[0].options[:2] == (RETRY, Answer.PUT_BACK)
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    assert [failure.host.name for failure in ran.report.failures] == ["host-2"]


def test_a_retry_that_fails_again_is_asked_about_again() -> None:
    person = Person([RETRY, RETRY, LEAVE_OUT], fails=False)
    ran = rolled(made(old(3), batch=1), {PROVE_2: fail}, person)
    assert [asked.host for asked in person.asked] == ["host-2"] * 3
    assert [failure.host.name for failure in ran.report.failures] == ["host-2"]
    assert ran.report.exit_code is ExitCode.MIXED


def test_a_staging_that_failed_is_tried_again_and_the_host_has_its_turn() -> None:
    person = Person([RETRY])

    def full(_: Execution) -> None:
        if not person.asked:
            raise DeployError("host-2: no space left on device")

    ran = rolled(made(old(3), batch=1), {"host-2: upload": full}, person)
    assert person.asked[0].outcome == Outcome.WAITING
    assert ran.report.exit_code is ExitCode.DONE
    assert set(ran.report.outcomes.values()) == {Outcome.DONE}


def test_what_cannot_be_planned_anew_is_said_in_the_next_question() -> None:
    def refused(host: str) -> Replanned:
        raise DeployError(f"{host}: no login")

    person = Person([RETRY, LEAVE_OUT], fails=False)
    ran = rolled(made(old(3), batch=1), {PROVE_2: fail}, person, again=refused)
    assert person.asked[1].note == "it cannot be tried again: host-2: no login"
    assert [failure.host.name for failure in ran.report.failures] == ["host-2"]
    assert "host-2: it cannot be tried again: host-2: no login" in ran.report.remarks


def test_in_ci_a_retry_is_one_retry() -> None:
    ran = rolled(made(old(3), batch=1), {PROVE_2: fail}, option=RETRY)
    answered = QuestionAnswered("host-2", "retry", "--on-failure retry")
    assert ran.of(QuestionAnswered) == [answered]
    assert len([line for line in ran.events if isinstance(line, HostFailed)]) == 2
    assert ran.report.outcomes["host-3"] is Outcome.WAITING
    assert ran.of(QuestionAsked) == []


def test_in_ci_the_others_go_on_past_a_host_that_is_left_out() -> None:
    ran = rolled(made(old(3), batch=1), {PROVE_2: fail}, option=LEAVE_OUT)
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    first = rolled(made(old(3), batch=1), {f"host-1: prove {NEW}": fail}, option=LEAVE_OUT)
    assert first.report.outcomes["host-2"] is Outcome.WAITING, "no host has shown that it is good"


def test_p9_a_stop_at_the_question_ends_it_as_anywhere() -> None:
    def interrupted(_: QuestionAsked, is_over: Callable[[], bool]) -> Reply:
        assert fleet.execution
        fleet.execution.stop(signal.SIGINT)
        assert is_over()
        return Reply(None)

    plan, fleet = made(old(3), batch=1), PaperFleet({PROVE_2: fail})
    answers = Answers(lambda host: replanning.on_host(plan, host), never, ask=interrupted)
    fleet.execution = Execution(plan, cast("Fleet", fleet), lambda _: None, answers=answers)
    report = fleet.execution.run()
    assert report.exit_code is ExitCode.INTERRUPTED
    assert report.outcomes["host-3"] is Outcome.WAITING
    assert report.answer == ""


def test_p9_a_stop_during_a_retry_leaves_the_failure_in_the_report() -> None:
    person = Person([RETRY], fails=False)

    def stop_now(host: str) -> Replanned:
        ran[0].stop(signal.SIGTERM)
        return replanning.on_host(plan, host)

    plan, fleet = made(old(3), batch=1), PaperFleet({PROVE_2: fail})
    answers = Answers(stop_now, never, ask=person)
    ran = [Execution(plan, cast("Fleet", fleet), lambda _: None, answers=answers)]
    fleet.execution = ran[0]
    report = ran[0].run()
    assert [failure.host.name for failure in report.failures] == ["host-2"]
    assert report.exit_code is ExitCode.TERMINATED


def test_p5_a_lost_lock_ends_it() -> None:
    def lost(_: QuestionAsked, is_over: Callable[[], bool]) -> Reply:
        assert fleet.execution
        fleet.execution.lose()
        assert is_over()
        return Reply(None)

    plan, fleet = made(old(3), batch=1), PaperFleet({PROVE_2: fail})
    answers = Answers(never, never, ask=lost)
    fleet.execution = Execution(plan, cast("Fleet", fleet), lambda _: None, answers=answers)
    assert fleet.execution.run().exit_code is ExitCode.LOCKED


def test_a_canary_that_fails_before_its_turn_is_asked_about() -> None:
    person = Person([RETRY])
    first = surged(3).batches[0][0].host.name

    def until_asked(_: Execution) -> None:
        if not person.asked:
            raise NotProven(f"{first}: no")

    ran = rolled(surged(3), {f"{first}: prove {NEW}": until_asked}, person)
    assert [asked.host for asked in person.asked] == [first]
    assert ran.report.exit_code is ExitCode.DONE, ran.report.failures


def test_a_question_waits_no_longer_than_the_credentials_last() -> None:
    person = Person([LEAVE_OUT], fails=False)
    plan, fleet = made(old(1), batch=1), PaperFleet({f"host-1: prove {NEW}": fail})
    answers = Answers(never, never, ask=person, limit_seconds=9000.0)
    fleet.credentials_end = fleet.clock.monotonic() + 4000
    fleet.execution = Execution(plan, cast("Fleet", fleet), lambda _: None, answers=answers)
    fleet.execution.run()
    assert 3900 < person.asked[0].seconds <= 3940


@pytest.mark.parametrize("verb", ["Deploy", "Restart", "Roll back"])
def test_what_a_command_wanted_is_no_unknown_state_whatever_the_command(verb: str) -> None:
    """Where it was, no question was asked about a host that failed after that."""
    assert STANDINGS[Outcome.wanted(verb)] is Standing.NEW
