"""One command of the operator, from its survey to its report, as the commands do it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import builders

from deploy.commands import conclusion, take_back
from deploy.commands.rollout import Rollout
from deploy.errors import BadInput, DeployError, Unreachable
from deploy.once import plan as once
from deploy.once import refusal
from deploy.once.step import RunOnce
from deploy.plan import assembly, fitness, preflight
from deploy.plan.candidate import OpenedPackage
from deploy.recovery import repair, rollback
from deploy.recovery.answers import replanning
from deploy.recovery.answers.answers import Answers, Reply
from deploy.recovery.answers.choices import Answer
from deploy.screen import status
from deploy.settings.scope import Scope
from simulated import judge, surveys
from simulated.clock import CLOCK
from simulated.faults import Crash
from simulated.judge import Before
from simulated.places import NOBODY
from simulated.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.question import QuestionAsked
    from deploy.plan.candidate import Offer
    from deploy.plan.plan import Plan
    from deploy.recovery.answers.replanning import Replanned
    from deploy.run.report import Report
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey
    from simulated.builds import Build
    from simulated.faults import Command
    from simulated.world import World


@dataclass(frozen=True)
class Ended:
    """How a command ended: with a report, refused, or not at all (a crash)."""

    report: Report | None = None
    refused: str = ""

    def __str__(self) -> str:
        return repr(self.report.exit_code if self.report else self.refused or "crashed")


def perform(world: World, command: Command, environment: Environment | None = None) -> Ended:
    """Plan and run one command, and judge what came of it.

    environment: the settings, where they are not those that the world began with.
    """
    run = Run(world, command, environment or world.environment)
    CLOCK.now += command.after
    for place in world.places.values():
        place.left = NOBODY
    try:
        seen = run.survey()
        before = Before.of(world, surveys.look(world))
        made = _planned(run, seen)
    except BadInput as error:
        judge.see_refusal(run, str(error))
        return Ended(refused=str(error))
    judge.see_choice(run, made)
    try:
        report = _rolled_out(run, made)
    except Crash:
        return Ended()
    finally:
        for app, release in world.migrations.ran_too_often():
            world.wrong("once", f"{app}: the migration of {release} ran again, and nobody asked")
    judge.see_honesty(run, report, before)
    judge.see_whole(run, report, before)
    return Ended(report)


def _planned(run: Run, seen: Survey) -> Plan:
    environment, allow = run.environment, run.allow_downtime
    match run.command.verb:
        case "deploy":
            apps = run.world.apps
            offers = tuple(_offer(seen, app, run.command.build) for app in apps)
            opened = tuple(OpenedPackage(each.app, each.package, ()) for each in offers)
            scope = Scope(environment.name)
            seen = preflight.check(environment, seen, opened, scope, {}, is_default=False)
            made = assembly.make(environment, offers, seen, allow_downtime=allow)
            return _with_once(run, made, scope)
        case "rollback":
            preflight.refuse_surge(environment, seen)
            problems = fitness.cramped(environment, seen)
            return rollback.make(environment, seen, problems=problems, allow_downtime=allow)
        case _:
            return repair.make(environment, seen)


def _with_once(run: Run, made: Plan, scope: Scope) -> Plan:
    """The plan with what is run once; where it is asked, the operator answers one or the other."""
    try:
        return once.completed(made, run.everyone, scope)
    except Unreachable:
        raise
    except BadInput:
        answer = refusal.ANSWERS[run.command.seed % 2]
        migrations, plan = run.world.migrations, once.completed(made, run.everyone, scope, answer)
        for choices in plan.once:
            step = choices[0].steps[0]
            if isinstance(step, RunOnce):
                key = step.app.name, step.release
                migrations.answers[key] = migrations.answers.get(key, 0) + 1
        return plan


def _offer(seen: Survey, app: App, build: Build) -> Offer:
    made = builders.offer(app, seen.hosts, build.release, build.text)
    return replace(made, package=replace(made.package, archive=Path("/dev/null")))


def _answers(run: Run, made: Plan) -> Answers | None:
    """A person at the terminal, whose answers the story has; what is not offered is not given."""
    left = list(run.command.answers)
    if not left or run.command.verb == "repair":
        return None

    def ask(asked: QuestionAsked, is_over: Callable[[], bool]) -> Reply:
        assert not is_over()
        said = left.pop(0) if left else Answer.STOP
        return Reply(said if said in asked.options else Answer.STOP, "test")

    def again(host: str) -> Replanned:
        planned = _planned(run, run.survey())
        replanning.refuse_other(planned, made.releases)
        return replanning.on_host(planned, host)

    def back(host: str) -> Replanned:
        return replanning.on_host(repair.make(run.environment, run.survey()), host)

    return Answers(again, back, ask=ask)


def _rolled_out(run: Run, made: Plan) -> Report:
    """The report, corrected by a last look at what can be reached."""
    me = cast("Any", run)
    rollout = Rollout(me, me, me, me, answers=_answers(run, made))
    is_deploy = run.command.verb == "deploy"
    act = partial(take_back.run_or_take_back, rollout) if is_deploy else rollout.run
    report = act(made)
    swallowed = [each for each in report.failures if each.step.endswith("its part of the plan")]
    assert not [*swallowed, *report.defects]
    lied = {command.liar.name} if (command := run.command).liar else set[str]()
    run.unseen = frozenset(surveys.unreachable(run.world)) | lied
    run.looked_at = CLOCK.now
    try:
        seen = run.survey()
    except DeployError:
        return conclusion.as_seen(report, None)
    run.has_looked = True
    return conclusion.as_seen(report, status.overview(run.environment, seen))
