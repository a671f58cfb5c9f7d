"""The operator's verbs, each a pipeline; tasks.py puts options in front of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy.cli import lock_report, session, tables
from deploy.cli.question import wording
from deploy.cli.rollout import Rollout, Signals
from deploy.cli.screen import Screen
from deploy.cli.status import UNREAD, overview
from deploy.errors import BadInput, DeployError, Locked, Unreachable, as_deploy_error
from deploy.hosts import records
from deploy.hosts.lock import watch as other_holders
from deploy.plan import preflight
from deploy.recovery import repair, rollback
from deploy.run.report import ExitCode, Outcome
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.cli.session import Session
    from deploy.cli.status import Overview
    from deploy.hosts.lock.watch import Watched
    from deploy.plan.plan import Plan
    from deploy.run.report import Report

SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Asked:
    """What is asked of every command that changes a fleet.

    file, environment, app, batch: which settings; hosts, skip_host: names, comma-separated;
    dry_run, yes: show the plan alone, do not ask; wait_lock: how long to wait for another deploy.
    """

    file: Path
    environment: str
    app: str | None = None
    hosts: str | None = None
    skip_host: str | None = None
    batch: str | None = None
    dry_run: bool = False
    yes: bool = False
    allow_downtime: bool = False
    wait_lock: str = "0"

    @property
    def flags(self) -> tuple[str, ...]:
        """The options without a value that change what is refused, as typed."""
        return ("--allow-downtime",) if self.allow_downtime else ()

    def scope(self, verb: str = "deploy", *more: str) -> Scope:
        """What this command was asked for; more: the verb's own options, as typed."""
        own = self.file.name == "fabric.yaml" and (self.file.parent / "tasks.py").exists()
        settings = "" if own else str(self.file)
        return Scope(
            self.environment, verb, more, settings, self.app, self.hosts, self.skip_host, self.batch
        )

    def command(self, verb: str) -> str:
        """What to type for a verb on the same part of this environment."""
        return self.scope().command(verb)


def deploy(asked: Asked, package: str | None) -> ExitCode:
    """Take a package through the fleet."""

    def plan(opened: Session) -> Plan:
        seen, packages = opened.look(package, settled=not asked.dry_run)
        return opened.plan(
            seen, packages, is_default=package is None, allow_downtime=asked.allow_downtime
        )

    scope = asked.scope("deploy", *_given("--package", package), *asked.flags)
    return _pipeline(asked, scope, plan, Rollout.run_or_take_back)


def roll_back(asked: Asked, to: str | None) -> ExitCode:
    """Take the fleet back to a release that was good, which lies on the hosts."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        preflight.refuse_surge(opened.environment, seen)
        return rollback.make(
            opened.environment,
            seen,
            to,
            scope=opened.scope,
            problems=preflight.cramped(opened.environment, seen),
            allow_downtime=asked.allow_downtime,
        )

    scope = asked.scope("rollback", *_given("--to", to), *asked.flags)
    return _pipeline(asked, scope, plan, Rollout.run)


def mend(asked: Asked) -> ExitCode:
    """Put right what a deploy left that was cut off."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        return repair.make(opened.environment, seen, opened.scope)

    return _pipeline(asked, asked.scope("repair"), plan, Rollout.run)


def _given(option: str, value: str | None) -> tuple[str, ...]:
    """An option as it was typed; nothing where it was not."""
    return () if value is None else (option, value)


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
            if isinstance(error, DeployError) and error.exit_code == ExitCode.FAILED:
                raise BadInput(*error.args, "Nothing was changed.") from error
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
    loaded = session.load(asked.file, asked.environment, asked.app, asked.batch)
    only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
    with session.Session(loaded, only=only, skip=skip, scope=scope) as opened:
        looking = f"looking at {len(opened.hosts)} hosts of {asked.environment}"
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
            is_agreed = asked.yes or plan.changes_nothing or screen.confirm(wording(plan))
            if not is_agreed:
                screen.say("Nothing was changed.")
                return ExitCode.DECLINED
            ending.began = True
            report = execute(Rollout(opened, lease, screen, signals), plan)
            ending.code = report.exit_code
            report = as_seen(report, _show_fleet(opened, screen))
            ending.code = report.exit_code
            _show_report(scope, screen, report)
    return ending.code


def status(file: Path, environment: str, *, app: str | None, as_json: bool) -> ExitCode:
    """Settings → survey → overview."""
    screen = Screen()
    loaded = session.load(file, environment, app, None)
    with session.Session(loaded) as opened:
        seen = opened.survey()
        told = overview(loaded, seen)
    if as_json:
        screen.say(told.as_json())
    else:
        screen.show(tables.render_overview(told))
    return told.exit_code


def lock_status(file: Path, environment: str, *, as_json: bool) -> ExitCode:
    """Show who holds the environment's lock, and whether that deploy lives.

    LOCKED where somebody does. Raises Unreachable where too few hosts answer to know.
    """
    screen = Screen()
    loaded = session.load(file, environment, None, None)
    with session.Session(loaded) as opened:
        seen = _watched(opened, screen, quiet=as_json)
    lock_report.refuse_unknown(environment, seen.view)
    show = lock_report.as_json if as_json else lock_report.text
    screen.say(show(environment, seen))
    return ExitCode.LOCKED if lock_report.is_locked(seen) else ExitCode.DONE


def lock_break(file: Path, environment: str, *, reason: str, force: bool) -> ExitCode:
    """Take the lock from a holder that is dead, or from a living one by force.

    Locks that name no holder are removed, too. Raises Locked where the holder lives, Unreachable
    where too few hosts answer, or could be reached to break it.
    """
    screen = Screen()
    if not reason.strip():
        raise BadInput("--reason is empty; write for the others why the lock is broken")
    loaded = session.load(file, environment, None, None)
    asked = Asked(file, environment)
    with session.Session(loaded) as opened:
        remotes = opened.everyone
        seen = other_holders.look(environment, remotes) if force else _watched(opened, screen)
        lock_report.refuse_unknown(environment, seen.view)
        alive = seen.alive()
        if alive and not force:
            raise Locked(
                f"{environment} is held by {alive}, which is alive; end it there (Ctrl-C), "
                "or take the lock from it with --force: it then stops before its next change"
            )
        by = f"{records.now()} {session.author()} broke"
        failed = dict(seen.view.silent)
        for holder, hosts in seen.view.each():
            note = f"{by} {holder}: {reason}"
            failed |= other_holders.destroy(environment, remotes, seen.view, holder.token, note)
            reached = [name for name in hosts if name not in failed]
            screen.say(f"Broken on {', '.join(reached) or 'no host'}: {holder}.")
        note = f"{by} a lock that names no holder: {reason}"
        failed |= other_holders.clean(environment, remotes, seen.view, note)
    for name in sorted(seen.view.unreadable.keys() - failed.keys()):
        screen.say(f"Removed on {name}: a lock that names no holder.")
    if not (seen.view.holders or seen.view.unreadable):
        screen.say(f"{environment} is not locked.")
        return ExitCode.DONE
    if len(failed) > other_holders.faulty(len(remotes)):
        raise Unreachable(
            f"{environment}: the lock may still be held on hosts that did not obey: "
            f"{'; '.join(failed[name] for name in sorted(failed))}; try again"
        )
    for name in sorted(failed):
        screen.complain(f"Not reached: {failed[name]}")
    screen.say(
        f"See what the deploy left with {asked.command('status')}; "
        f"{asked.command('repair')} repairs it."
    )
    return ExitCode.DONE


def _watched(opened: Session, screen: Screen, *, quiet: bool = False) -> Watched:
    """Watch the environment's lock for its time to live at most."""
    environment = opened.environment
    watch = partial(
        other_holders.watch, environment.name, opened.everyone, environment.lock_ttl_seconds
    )
    if quiet:
        return watch()
    with screen.busy(f"watching the lock of {environment.name} for its heartbeat"):
        return watch()


def next_steps(scope: Scope, report: Report) -> str:
    """What to type after a command that did not end well; all of it has the command's scope."""
    code, again = report.exit_code, scope.again()
    if code is ExitCode.LOCKED:
        return scope.command("lock.status")
    if code is ExitCode.OUT_OF_SERVICE:
        look, fix = scope.command("status"), scope.command("repair")
        return f"{look} shows what is out; {fix} mends it"
    if not report.failures:
        return f"the same command, to go on: {again}; or look first: {again} --dry-run"
    left = [host for host, end in report.outcomes.items() if end is Outcome.LEFT_OUT]
    if left and len(left) == len({failure.host for failure in report.failures}):
        return f"repair what was left out, then: {scope.only(left).again()}"
    ends = set(report.outcomes.values())
    is_deployed = scope.verb == "deploy" and bool(ends & {Outcome.DONE, Outcome.PARTLY})
    back = f"; or take all hosts back: {scope.command('rollback')}"
    is_back = is_deployed and code is ExitCode.MIXED
    return f"mend what failed and go on: {again}" + (back if is_back else "")


def seconds_of(text: str, option: str) -> float:
    """`90`, `90s`, `15m` or `2h` in seconds; BadInput for anything else."""
    found = re.fullmatch(r"(\d+)([smh]?)", text.strip())
    if not found:
        raise BadInput(f"{option} {text}: is no duration; write 90s, 15m or 2h")
    return float(int(found[1]) * SECONDS_IN[found[2]])


def split(names: str | None, option: str) -> tuple[str, ...]:
    """`a,b` as a list of names; BadInput for an option that was given and names nothing.

    A script's empty variable must not mean the whole fleet.
    """
    if names is None:
        return ()
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    if not found:
        raise BadInput(f"{option} names no host; give names, comma-separated, or leave it out")
    return found


def as_seen(report: Report, told: Overview | None) -> Report:
    """The report, corrected by a look at the fleet afterwards; None: nobody could look.

    A host that is out of service is told so, whoever took it out and whenever: also one that was
    not reached, or that repair could not mend. What cannot be seen is as it was when this was
    planned: mixed, or out where nothing was done since.
    """
    rows = told.rows if told else ()
    seen = {row.host for row in rows if row.state != UNREAD}
    mixed = report.mixed
    if told:
        mixed = told.is_mixed or (report.mixed and not told.is_whole_look)
    if report.lost:
        return replace(report, mixed=mixed)
    unseen = {
        host
        for host, outcome in report.outcomes.items()
        if outcome in {Outcome.WAITING, Outcome.LEFT_OUT} and host in report.plan.out - seen
    }
    serve = seen - {row.host for row in rows if row.is_out}
    cut = {
        host: Outcome.CUT_SHORT
        for host, outcome in report.outcomes.items()
        if outcome is Outcome.UNKNOWN and host in serve
    }
    out = dict.fromkeys({row.host for row in rows if row.is_out} | unseen, Outcome.OUT)
    return replace(report, mixed=mixed, outcomes=report.outcomes | cut | out)


def _show_fleet(opened: Session, screen: Screen) -> Overview | None:
    """What runs where, asked anew."""
    told = None
    try:
        seen = opened.survey()
        told = replace(overview(opened.environment, seen), lock="")  # it is ours
        screen.show(tables.render_overview(told))
    except Exception as error:  # noqa: BLE001 - the report must come, whatever goes wrong here
        said = as_deploy_error(error, "reading what runs where")
        screen.complain(f"What runs where could not be read or shown: {said}")
    return told


def _show_report(scope: Scope, screen: Screen, report: Report) -> None:
    """The report; as plain lines where it cannot be rendered."""
    try:
        screen.show(tables.render_report(report, next_steps(scope, report)))
    except Exception as error:  # noqa: BLE001 - what happened is shown, whatever goes wrong here
        lines = [str(as_deploy_error(error, "showing the report"))]
        lines += [f"{each.host}: {each.step} failed: {each.error}" for each in report.failures]
        lines += [f"{host}: {outcome}" for host, outcome in report.outcomes.items()]
        lines += [*report.defects, f"exit code {int(report.exit_code)}"]
        lines += [f"next: {scope.command('status')}"]
        screen.complain("\n".join(lines))
