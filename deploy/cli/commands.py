"""What each command does, as a pipeline; tasks has their options.

Settings → lock → survey → plan → question → run → report. What happens is one stream of events,
kept in a file, from which the screen and the report are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.checkup import packages
from deploy.cli import conclusion, observation, session, vetting
from deploy.cli.arguments import as_typed, read_settings, seconds_of, split
from deploy.cli.rollout import Rollout, Signals
from deploy.errors import BadInput, as_deploy_error
from deploy.events import file
from deploy.events.stream import Stream
from deploy.observe import rounds
from deploy.plan import exclusion, fitness, preflight
from deploy.recovery import repair as repairs
from deploy.recovery import rollback
from deploy.run import as_events
from deploy.run.report import ExitCode
from deploy.screen import tables
from deploy.screen.console import Screen
from deploy.screen.question import wording
from deploy.screen.run.story import Story
from deploy.screen.status import overview

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.cli.arguments import Asked
    from deploy.cli.session import Session
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.screen.status import Overview
    from deploy.settings.scope import Scope


def deploy(asked: Asked, package: str | None) -> ExitCode:
    """Take a package through the fleet."""

    def plan(opened: Session) -> Plan:
        seen, found = opened.look(package, settled=not asked.dry_run)
        return opened.plan(
            seen,
            found,
            is_default=package is None,
            allow_downtime=asked.allow_downtime,
            join=asked.join,
        )

    scope = asked.scope("deploy", *as_typed("--package", package), *asked.flags)
    return _pipeline(asked, scope, plan, Rollout.run_or_take_back, packages.beside(package))


def roll_back(asked: Asked, to: str | None) -> ExitCode:
    """Take the fleet back to a release that was good, which lies on the hosts."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        preflight.refuse_surge(opened.environment, seen)
        seen, problems = opened.vetted(seen, join=asked.join)
        return rollback.make(
            opened.environment,
            seen,
            to,
            scope=opened.scope,
            problems=exclusion.joined(fitness.cramped(opened.environment, seen), problems),
            allow_downtime=asked.allow_downtime,
        )

    scope = asked.scope("rollback", *as_typed("--to", to), *asked.flags)
    return _pipeline(asked, scope, plan, Rollout.run)


def repair(asked: Asked) -> ExitCode:
    """Put right what a deploy left that was cut off."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        return repairs.make(opened.environment, seen, opened.scope)

    return _pipeline(asked, asked.scope("repair"), plan, Rollout.run)


def observe(asked: Asked, host: str, trace: str | None) -> ExitCode:
    """Take one host out and back in, and say what that took."""
    scope = asked.scope("observe", "--host", host, *as_typed("--trace", trace))
    trace_file = Path(trace or f"observed-{asked.environment}.json")
    observation.refuse_file(trace_file)

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        seen, problems = opened.vetted(seen, join=False)
        if problems:
            raise BadInput(*(f"{at}: {why}" for at, all_ in problems.items() for why in all_))
        return rounds.make(opened.environment, seen, allow_downtime=asked.allow_downtime)

    def execute(rollout: Rollout, made: Plan) -> Report:
        fleet = rollout.opened.fleet()
        report = rollout.run(made, fleet)
        if fleet.observations:
            observation.show(rollout, fleet.observations, trace_file)
        return report

    split(host, "--host")
    return _pipeline(replace(asked, hosts=host), scope, plan, execute)


def status(asked: Asked) -> ExitCode:
    """Settings → survey → overview."""
    screen = Screen()
    loaded = read_settings(asked, screen)
    with session.Session(loaded, scope=asked.scope("status"), is_partial=True) as opened:
        seen = opened.survey()
        fleet = overview(loaded, seen, opened.scope)
    if asked.json:
        screen.say(fleet.as_json())
    else:
        screen.show(tables.render_overview(fleet))
    return fleet.exit_code


def _pipeline(
    asked: Asked,
    scope: Scope,
    make: Callable[[Session], Plan],
    execute: Callable[[Rollout, Plan], Report],
    beside: Callable[[Session], object] = lambda _: None,
) -> ExitCode:
    """Run a command that changes the fleet; once it has begun, no error hides how it ended.

    Args:
        asked: The options that all such commands have.
        scope: What the command is about.
        make: Its plan, by a session that holds the lock, unless this is a dry run.
        execute: Does the plan; gives the report.
        beside: Looked at too, for one list, where something is wrong already.
    """
    screen = Screen(is_json=asked.json, is_quiet=asked.quiet and not asked.dry_run)
    command = _Command(asked, scope, screen, beside)
    try:
        command.run(make, execute)
    except Exception as error:
        if not command.began:
            raise
        text = str(as_deploy_error(error, "ending the command"))
        command.screen.complain(f"{text}\n{asked.command('status')} shows what runs where.")
    return command.code


@dataclass
class _Command:
    """A command, and how it ends: out of service, once it began, until a report says otherwise."""

    asked: Asked
    scope: Scope
    screen: Screen
    beside: Callable[[Session], object]
    began: bool = False
    code: ExitCode = ExitCode.DONE

    def run(
        self, make: Callable[[Session], Plan], execute: Callable[[Rollout, Plan], Report]
    ) -> None:
        """Look, plan, ask and do; a dry run looks without the lock, and does nothing."""
        asked, screen, scope, beside = self.asked, self.screen, self.scope, self.beside
        patience_seconds = seconds_of(asked.wait_lock, "--wait-lock")
        loaded = read_settings(asked, screen)
        only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
        with session.Session(loaded, only=only, skip=skip, scope=scope, beside=beside) as opened:
            if scope.verb == "observe":
                rounds.refuse_several(opened.hosts)
            if asked.dry_run:
                planned = as_events.plan_made(self._plan(opened, make), opened.groups)
                Stream({"": screen.write}).emit(planned)
                screen.say("Dry run: nothing was changed.")
                return
            with (
                Signals(screen, asked.command("repair")) as signals,
                opened.lease(scope.verb, patience_seconds, screen.say) as lease,
            ):
                signals.abandon = lease.abandon
                plan = self._plan(opened, make)
                if self._is_agreed(opened, plan):
                    self._do(Rollout(opened, lease, screen, signals), plan, execute)
                else:
                    screen.conclude("Nothing was changed.")
                    self.code = ExitCode.DECLINED

    def _plan(self, opened: Session, make: Callable[[Session], Plan]) -> Plan:
        """Look at the fleet, and show what will be done."""
        count = len(opened.hosts)
        looking = f"looking at {count} host{'s' * (count != 1)} of {self.asked.environment}"
        with self.screen.busy(looking):
            plan = vetting.noted(make(opened), opened.credentials)
        self.screen.say(str(plan))
        return plan

    def _is_agreed(self, opened: Session, plan: Plan) -> bool:
        """Whether the operator wants it, who is asked where a person is there."""
        if self.asked.yes:
            return True
        vetting.refuse_late(plan, opened.groups, opened.seconds_left)
        return plan.changes_nothing or self.screen.confirm(wording(plan))

    def _do(self, rollout: Rollout, plan: Plan, execute: Callable[[Rollout, Plan], Report]) -> None:
        """Do the plan, look at the fleet, and report; all of it is kept in the run's file."""
        self.began, self.code = True, ExitCode.OUT_OF_SERVICE
        opened, events, story = rollout.opened, rollout.events, Story()
        runs = opened.environment.path(opened.environment.runs)
        with (
            file.recorded(events, runs, opened.run) as recorder,
            events.heard("noting what happens", story),
            events.heard("writing the events", self.screen.write),
        ):
            events.emit(as_events.run_began(self.scope, opened.run))
            report = execute(rollout, plan)
            self.code = report.exit_code
            fleet = _seen(opened, self.screen)
            report = conclusion.as_seen(report, fleet)
            self.code = report.exit_code
            then = conclusion.next_steps(self.scope, report)
            events.emit(as_events.run_ended(report, then, *conclusion.shown(fleet)))
        _show_report(self.scope, self.screen, report, story)
        self.screen.conclude(str(recorder), "yellow" if recorder.error else "")


def _seen(opened: Session, screen: Screen) -> Overview | None:
    """What runs where, asked anew."""
    try:
        with screen.busy("looking at what runs where"):
            return overview(opened.environment, opened.survey(), opened.scope)
    except Exception as error:  # noqa: BLE001 - the report must come, whatever goes wrong here
        said = as_deploy_error(error, "reading what runs where")
        screen.complain(f"What runs where could not be read: {said}")
    return None


def _show_report(scope: Scope, screen: Screen, report: Report, story: Story) -> None:
    """The report; as plain lines where it cannot be rendered."""
    try:
        screen.show(tables.render_report(story, is_brief=screen.is_quiet))
    except Exception as error:  # noqa: BLE001 - what happened is shown, whatever goes wrong here
        why = str(as_deploy_error(error, "showing the report"))
        screen.complain(f"{why}\n{conclusion.in_lines(scope, report)}")
