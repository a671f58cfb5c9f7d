"""What each command does, as a pipeline; tasks has their options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.checkup import packages
from deploy.cli import conclusion, session, vetting
from deploy.cli.arguments import as_typed, read_settings, seconds_of, split
from deploy.cli.rollout import Rollout, Signals
from deploy.errors import BadInput, as_deploy_error
from deploy.observe import findings, rounds
from deploy.observe import trace as trace_of
from deploy.plan import exclusion, fitness, preflight
from deploy.recovery import repair as repairs
from deploy.recovery import rollback
from deploy.run.report import ExitCode
from deploy.screen import tables
from deploy.screen.console import Screen
from deploy.screen.question import wording
from deploy.screen.status import overview

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.cli.arguments import Asked
    from deploy.cli.session import Session
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.screen.status import Overview
    from deploy.settings.scope import Scope
    from deploy.steps.observation import Observation


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
    file = Path(trace or f"observed-{asked.environment}.json")
    _refuse_file(file)

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
            try:
                _show_observations(rollout, fleet.observations, file)
            except Exception as error:  # noqa: BLE001 - the report must come, whatever goes wrong
                said = as_deploy_error(error, "showing what was measured")
                rollout.screen.complain(str(said))
        return report

    split(host, "--host")
    return _pipeline(replace(asked, hosts=host), scope, plan, execute)


def _refuse_file(file: Path) -> None:
    """Raise BadInput where a trace cannot be written, or would replace something else."""
    if file.exists() and not trace_of.is_one(file):
        raise BadInput(f"--trace {file}: is there, and is no trace; give another name")
    if not file.parent.is_dir():
        raise BadInput(f"--trace {file}: there is no folder {file.parent}; make it first")


def _show_observations(rollout: Rollout, seen: Sequence[Observation], file: Path) -> None:
    """What was measured, what follows from it, and the file that it is written to."""
    opened, (app, *_) = rollout.opened, rollout.opened.environment.asked_apps
    groups = opened.groups[app.name]
    found = [*findings.suggestions(opened.environment, groups, seen)]
    count = len(opened.everyone)
    seconds = findings.deploy_seconds(opened.environment, count, groups, seen)
    found.append(
        f"A deploy to all {count} hosts waits about {seconds:.0f} s; uploads and the app's own "
        "start come on top."
    )
    try:
        file.write_text(trace_of.as_json(groups, seen), encoding="utf-8")
        found.append(f"The figures, without any name: {file}")
    except OSError as error:
        found.append(f"{file} could not be written: {error.strerror}")
    rollout.screen.show(tables.render_observations(seen, found))


def _pipeline(
    asked: Asked,
    scope: Scope,
    make: Callable[[Session], Plan],
    execute: Callable[[Rollout, Plan], Report],
    beside: Callable[[Session], object] = lambda _: None,
) -> ExitCode:
    """Run a command that changes the fleet; once it has begun, no error hides how it ended."""
    screen, ending = Screen(), _Ending()
    try:
        return _run(asked, scope, make, execute, beside, screen, ending)
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
    beside: Callable[[Session], object],
    screen: Screen,
    ending: _Ending,
) -> ExitCode:
    """Settings → lock → survey → plan → execute → report; a dry run looks without the lock."""
    verb = scope.verb
    patience_seconds = seconds_of(asked.wait_lock, "--wait-lock")
    loaded = read_settings(asked, screen)
    only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
    with session.Session(loaded, only=only, skip=skip, scope=scope, beside=beside) as opened:
        if verb == "observe":
            rounds.refuse_several(opened.hosts)
        count = len(opened.hosts)
        looking = f"looking at {count} host{'s' * (count != 1)} of {asked.environment}"
        if asked.dry_run:
            with screen.busy(looking):
                plan = vetting.noted(make(opened), opened.credentials)
            screen.say(str(plan))
            screen.say("Dry run: nothing was changed.")
            return ExitCode.DONE
        with (
            Signals(screen, asked.command("repair")) as signals,
            opened.lease(verb, patience_seconds, screen.say) as lease,
        ):
            with screen.busy(looking):
                plan = vetting.noted(make(opened), opened.credentials)
            screen.say(str(plan))
            if not asked.yes:
                vetting.refuse_late(plan, opened.groups, opened.seconds_left)
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
    with session.Session(loaded, scope=asked.scope("status"), is_partial=True) as opened:
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
        fleet = replace(overview(opened.environment, opened.survey()), lock="")  # it is ours
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
        lines += [*report.remarks, *report.defects, f"exit code {int(report.exit_code)}"]
        lines += [f"next: {scope.command('status')}"]
        screen.complain("\n".join(lines))
