"""What each command does, as a pipeline; tasks has their options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.cli import conclusion, session, vetting
from deploy.cli.arguments import as_typed, read_settings, seconds_of, split
from deploy.cli.rollout import Rollout, Signals
from deploy.errors import as_deploy_error
from deploy.plan import exclusion, fitness, preflight
from deploy.recovery import repair as repairs
from deploy.recovery import rollback
from deploy.run.report import ExitCode
from deploy.screen import tables
from deploy.screen.console import Screen
from deploy.screen.question import wording
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
        seen, packages = opened.look(package, settled=not asked.dry_run)
        return opened.plan(
            seen,
            packages,
            is_default=package is None,
            allow_downtime=asked.allow_downtime,
            join=asked.join,
        )

    scope = asked.scope("deploy", *as_typed("--package", package), *asked.flags)
    return _pipeline(asked, scope, plan, Rollout.run_or_take_back)


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


def _pipeline(
    asked: Asked,
    scope: Scope,
    make: Callable[[Session], Plan],
    execute: Callable[[Rollout, Plan], Report],
) -> ExitCode:
    """Run a command that changes the fleet; once it has begun, no error hides how it ended."""
    screen, ending = Screen(), _Ending()
    try:
        return _run(asked, scope, make, execute, screen, ending)
    except Exception as error:
        if not ending.began:
            raise
        text = str(as_deploy_error(error, "ending the command"))
        screen.complain(f"{text}\n{asked.command('status')} shows what runs where.")
        return ending.code


@dataclass
class _Ending:
    """How a command ends, as far as is known: out of service until a report says otherwise."""

    began: bool = False
    code: ExitCode = ExitCode.OUT_OF_SERVICE


def _run(
    asked: Asked,
    scope: Scope,
    make: Callable[[Session], Plan],
    execute: Callable[[Rollout, Plan], Report],
    screen: Screen,
    ending: _Ending,
) -> ExitCode:
    """Settings → lock → survey → plan → execute → report; a dry run looks without the lock."""
    verb = scope.verb
    patience_seconds = seconds_of(asked.wait_lock, "--wait-lock")
    loaded = read_settings(asked, screen)
    only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
    with session.Session(loaded, only=only, skip=skip, scope=scope) as opened:
        count = len(opened.hosts)
        looking = f"looking at {count} host{'s' * (count != 1)} of {asked.environment}"
        if asked.dry_run:
            with screen.busy(looking):
                plan = make(opened)
            screen.say(str(plan))
            screen.say("Dry run: nothing was changed.")
            return ExitCode.DONE
        with (
            Signals(screen, asked.command("repair")) as signals,
            opened.lease(verb, patience_seconds, screen.say) as lease,
        ):
            with screen.busy(looking):
                plan = make(opened)
            screen.say(str(plan))
            if not asked.yes:
                vetting.refuse_late(plan, opened.seconds_left)
            is_agreed = asked.yes or plan.changes_nothing or screen.confirm(wording(plan))
            if not is_agreed:
                screen.say("Nothing was changed.")
                return ExitCode.DECLINED
            ending.began = True
            report = execute(Rollout(opened, lease, screen, signals), plan)
            ending.code = report.exit_code
            report = conclusion.as_seen(report, _show_fleet(opened, screen))
            ending.code = report.exit_code
            _show_report(scope, screen, report)
    return ending.code


def status(asked: Asked, *, as_json: bool) -> ExitCode:
    """Settings → survey → overview."""
    screen = Screen()
    loaded = read_settings(asked, screen)
    with session.Session(loaded, scope=asked.scope("status")) as opened:
        seen = opened.survey()
        fleet = overview(loaded, seen)
    if as_json:
        screen.say(fleet.as_json())
    else:
        screen.show(tables.render_overview(fleet))
    return fleet.exit_code


def _show_fleet(opened: Session, screen: Screen) -> Overview | None:
    """What runs where, asked anew."""
    fleet = None
    try:
        seen = opened.survey()
        fleet = replace(overview(opened.environment, seen), lock="")  # it is ours
        screen.show(tables.render_overview(fleet))
    except Exception as error:  # noqa: BLE001 - the report must come, whatever goes wrong here
        said = as_deploy_error(error, "reading what runs where")
        screen.complain(f"What runs where could not be read or shown: {said}")
    return fleet


def _show_report(scope: Scope, screen: Screen, report: Report) -> None:
    """The report; as plain lines where it cannot be rendered."""
    try:
        screen.show(tables.render_report(report, conclusion.next_steps(scope, report)))
    except Exception as error:  # noqa: BLE001 - what happened is shown, whatever goes wrong here
        lines = [str(as_deploy_error(error, "showing the report"))]
        lines += [f"{each.host}: {each.step} failed: {each.error}" for each in report.failures]
        lines += [f"{host}: {outcome}" for host, outcome in report.outcomes.items()]
        lines += [*report.defects, f"exit code {int(report.exit_code)}"]
        lines += [f"next: {scope.command('status')}"]
        screen.complain("\n".join(lines))
