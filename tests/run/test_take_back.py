"""`on_failure: rollback`: which hosts go back, and what one report shows of both runs."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import NEW, OLD

from deploy.aws.targets import GONE
from deploy.commands import take_back
from deploy.commands.rollout import Rollout
from deploy.errors import DeployError
from deploy.events.planned import PlanMade
from deploy.plan import assembly
from deploy.recovery import rollback
from deploy.recovery.answers.answers import Answers, Reply
from deploy.recovery.answers.choices import Answer
from deploy.run.report import ExitCode, Failure, Outcome
from deploy.screen.plan import text as plan_text
from deploy.survey.slot import Slot
from run.paper_fleet import Acts, PaperFleet, Run, fail, made, old

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.question import QuestionAsked


def test_a_release_that_serves_counts_as_deployed_though_its_record_fails(run: Run) -> None:
    """Also in a way out: a rollback of the finished hosts has to know of it."""
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    plan = made([builders.facts(1, slots)], builders.app(), builders.app("admin", 5100))
    acts: Acts = {"host-1: wait until healthy in web": fail, "host-1: record admin": fail}
    ran = run(plan, acts)
    assert ran.report.deployed == {("host-1", "admin")}
    assert list(take_back.good_before(ran.report)["admin"]) == ["host-1"]


def test_a_host_that_ran_nothing_before_is_not_said_to_be_back(run: Run) -> None:
    """`on_failure: rollback` has no way back for it: it runs the new release, and says so."""
    newcomer = builders.facts(1, {"web": Slot(kept=builders.slot().kept)})
    hosts = [newcomer, *old(3)[1:]]
    web = builders.app()
    environment = builders.environment(web)
    seen = builders.survey(hosts, {"host-1": GONE}, [web])
    plan = assembly.make(environment, (builders.offer(web, hosts),), seen, allow_downtime=True)
    first = run(plan, {f"host-3: prove {NEW}": fail}).report
    assert first.outcomes["host-1"] is Outcome.DONE
    now = [builders.facts(number, {"web": builders.slot(NEW)}) for number in (1, 2)]
    back = rollback.back(environment, builders.survey(now), take_back.good_before(first))
    told = take_back.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.DONE, Outcome.BACK)
    assert told.exit_code is ExitCode.MIXED


def test_a_host_that_somebody_took_back_by_hand_is_told_as_back(run: Run) -> None:
    first = run(made(old(3), batch=1), {f"host-3: prove {NEW}": fail}).report
    now = [
        builders.facts(1, {"web": builders.slot()}),
        builders.facts(2, {"web": builders.slot(NEW)}),
    ]
    environment, seen = builders.environment(builders.app()), builders.survey(now)
    back = rollback.back(environment, seen, take_back.good_before(first), allow_downtime=True)
    told = take_back.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.BACK, Outcome.BACK)


def test_p10_what_was_killed_on_the_way_there_or_back_is_in_the_report(run: Run) -> None:
    def kill(execution: Any) -> None:
        execution.fleet.remark("host-1", "jobs@0.service was killed")

    first = run(made(old(1)), {"host-1: stop": kill}).report
    assert first.remarks == ("host-1: jobs@0.service was killed",)
    assert first.exit_code is ExitCode.DONE
    assert take_back.merged(first, first).remarks == first.remarks * 2


class Seams:
    """What a rollout knows as its session, lease, signals and screen: on paper."""

    def __init__(self, acts: Acts, on_failure: str, now: Any) -> None:
        """now: what the survey after the rollout shows, or the error that it ends with."""
        self.environment = builders.environment(rollout={"on_failure": on_failure})
        self.on_paper = PaperFleet(acts)
        self.groups = {"web": (builders.group(),)}
        self.said: list[str] = []
        self.complaints: list[str] = []
        self._now = now

    def fleet(self) -> PaperFleet:
        return self.on_paper

    def survey(self, *, settled: bool) -> Any:
        assert settled, "a command of the rollout may still run on a host"
        if isinstance(self._now, Exception):
            raise self._now
        return builders.survey(self._now)

    def guide(self, execution: Any) -> None:
        self.on_paper.execution = execution

    def when_lost(self, act: Any) -> None:
        del act

    def progress(self) -> Any:
        return Listener()

    def say(self, text: str) -> None:
        self.said.append(text)

    def show_plan(self, plan: PlanMade) -> None:
        self.said.append(plan_text.of(plan))

    def complain(self, text: str) -> None:
        self.complaints.append(text)


class Listener(nullcontext[None]):
    """A screen that hears every event and shows none."""

    def __call__(self, event: object) -> None:
        del event


def running(*releases: str, stored: tuple[str, ...] = (OLD, NEW)) -> list[Any]:
    """Hosts from host-1 on that run these releases, and store those."""
    kept = frozenset[str]().union(*(builders.slot(each).kept for each in stored))
    return [
        builders.facts(number, {"web": builders.slot(release, releases=stored, kept=kept)})
        for number, release in enumerate(releases, start=1)
    ]


def rolled_out(
    now: Any,
    on_failure: str = "rollback",
    acts: Acts | None = None,
    answer: Answer | None = None,
) -> tuple[Any, Seams]:
    """A rollout over three hosts of which the last fails, and what became of the others."""
    seams = Seams({f"host-3: prove {NEW}": fail} | (acts or {}), on_failure, now)
    me = cast("Any", seams)

    def ask(asked: QuestionAsked, _: Callable[[], bool]) -> Reply:
        assert asked.host == "host-3"
        return Reply(answer, "ana@laptop")

    answers = Answers(me, me, ask=ask) if answer else None
    rollout = Rollout(me, me, me, me, answers=answers)
    return take_back.run_or_take_back(rollout, made(old(3), batch=1)), seams


@pytest.mark.usefixtures("steps_on_paper")
@pytest.mark.parametrize(
    ("on_failure", "answer", "is_back"),
    [
        ("stop", Answer.ROLLBACK, True),
        ("rollback", Answer.ROLLBACK, True),
        ("stop", Answer.STOP, False),
        ("rollback", Answer.STOP, False),
        ("rollback", Answer.LEAVE_OUT, False),
    ],
)
def test_what_was_decided_about_a_failed_host_counts_before_the_policy(
    on_failure: str, answer: Answer, is_back: bool
) -> None:
    report, seams = rolled_out(running(NEW, NEW, OLD), on_failure, answer=answer)
    end = Outcome.BACK if is_back else Outcome.DONE
    assert [*report.outcomes.values()] == [end, end, Outcome.BACK]
    said = ["rollback: the hosts that were finished go back too."] if is_back else []
    assert seams.said[:1] == said


@pytest.mark.usefixtures("steps_on_paper")
def test_after_a_failure_the_finished_hosts_go_back_where_the_policy_says_so() -> None:
    report, seams = rolled_out(running(NEW, NEW, OLD))
    assert set(report.outcomes.values()) == {Outcome.BACK}
    assert report.exit_code is ExitCode.FAILED, "the fleet runs one release, the old one"
    assert seams.said[0] == "on_failure: rollback: the hosts that were finished go back too."
    assert seams.said[1].startswith("Roll back on lab: 3 hosts"), "the plan is printed first"
    assert f"web  {NEW} → {OLD}" in seams.said[1]
    moved = [line for line in seams.on_paper.done if f"its unit to {OLD}" in line]
    assert [line.partition(":")[0] for line in moved] == ["host-3", "host-1", "host-2"]


@pytest.mark.usefixtures("steps_on_paper")
def test_remarks_of_the_way_there_and_of_the_way_back_are_in_one_report() -> None:
    said: list[str] = []

    def remark(execution: Any) -> None:
        said.append(f"remark {len(said) + 1}")
        execution.fleet.remark("host-1", said[-1])

    report, _ = rolled_out(running(NEW, NEW, OLD), acts={"host-1: drain": remark})
    assert report.remarks == ("host-1: remark 1", "host-1: remark 2")


@pytest.mark.usefixtures("steps_on_paper")
def test_a_host_from_which_the_old_release_was_removed_keeps_the_new_one_and_is_named() -> None:
    report, _ = rolled_out([*running(NEW, stored=(NEW,)), *running(NEW, NEW, OLD)[1:]])
    assert list(report.outcomes.values()) == [Outcome.DONE, Outcome.BACK, Outcome.BACK]
    assert report.exit_code is ExitCode.MIXED
    errors = [failure.error for failure in report.failures]
    assert errors == ["it broke", f"host-1: web {OLD} is not there any more"]


@pytest.mark.usefixtures("steps_on_paper")
def test_by_default_the_finished_hosts_stay_on_the_new_release() -> None:
    report, seams = rolled_out(RuntimeError("nobody asks"), "stop")
    assert list(report.outcomes.values()) == [Outcome.DONE, Outcome.DONE, Outcome.BACK]
    assert report.exit_code is ExitCode.MIXED
    assert (seams.said, report.defects) == ([], ())


@pytest.mark.usefixtures("steps_on_paper")
def test_hosts_that_cannot_go_back_stay_and_the_reason_is_shown() -> None:
    report, seams = rolled_out(DeployError("the AWS API does not answer"))
    assert list(report.outcomes.values()) == [Outcome.DONE, Outcome.DONE, Outcome.BACK]
    assert seams.complaints == ["They cannot go back: the AWS API does not answer"]
    assert report.exit_code is ExitCode.MIXED


@pytest.mark.usefixtures("steps_on_paper")
def test_a_defect_while_hosts_go_back_hides_nothing_of_the_rollout() -> None:
    report, _ = rolled_out(ZeroDivisionError("by zero"))
    assert list(report.outcomes.values()) == [Outcome.DONE, Outcome.DONE, Outcome.BACK]
    (defect,) = report.defects
    assert defect.startswith("taking the finished hosts back: a defect in Changeover: ZeroDiv")
    assert [failure.host.name for failure in report.failures] == ["host-3"]


def test_a_stop_for_the_credentials_takes_no_good_host_back(run: Run) -> None:
    """What ends is the time to register hosts: a rollback would need more of it."""
    first = run(made(old(3), batch=1), {f"host-3: prove {NEW}": fail}).report
    late = Failure(builders.host(3), "begin batch 3", "they end", is_stop=True)
    waits = first.outcomes | {"host-3": Outcome.WAITING}
    stopped = replace(first, failures=(late,), outcomes=waits)
    assert first.stopped_short
    assert not stopped.stopped_short
    assert stopped.exit_code is ExitCode.MIXED
    assert replace(stopped, failures=(*first.failures, late)).stopped_short, "one did fail"
