"""The operator's verbs, each a pipeline; tasks.py puts options in front of them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy import console, fitness, overview, records, repair, rival, rollback, session, tables
from deploy.errors import BadInput, DeployError, Locked
from deploy.foreign_text import json_text
from deploy.question import wording
from deploy.report import ExitCode, Outcome
from deploy.rival import Life
from deploy.rollout import Rollout, Signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.console import Screen
    from deploy.holder import Holder
    from deploy.overview import Overview
    from deploy.plan import Plan
    from deploy.report import Report
    from deploy.session import Session

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

    def command(self, verb: str) -> str:
        """What to type for a verb on this environment."""
        own = self.file.name == "fabric.yaml" and (self.file.parent / "tasks.py").exists()
        words = ["inv", verb, "--env", self.environment]
        return shlex.join(words if own else [*words, "--settings", str(self.file)])


def deploy(asked: Asked, package: str | None) -> ExitCode:
    """Take a package through the fleet."""

    def plan(opened: Session) -> Plan:
        seen, packages = opened.look(package, settled=not asked.dry_run)
        return opened.plan(seen, packages, allow_downtime=asked.allow_downtime)

    return _pipeline(asked, "deploy", plan, Rollout.run_or_take_back)


def roll_back(asked: Asked, to: str | None) -> ExitCode:
    """Take the fleet back to a release that was good, which lies on the hosts."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        fitness.refuse_surge(opened.environment, seen)
        allow = asked.allow_downtime
        return rollback.make(opened.environment, seen, to, allow_downtime=allow)

    return _pipeline(asked, "rollback", plan, Rollout.run)


def mend(asked: Asked) -> ExitCode:
    """Put right what a deploy left that was cut off."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        return repair.make(opened.environment, seen)

    return _pipeline(asked, "repair", plan, Rollout.run)


def _pipeline(
    asked: Asked,
    verb: str,
    make: Callable[[Session], Plan],
    execute: Callable[[Rollout, Plan], Report],
) -> ExitCode:
    """Settings → lock → survey → plan → execute → report; a dry run looks without the lock."""
    screen = console.Screen()
    patience_seconds = seconds_of(asked.wait_lock, "--wait-lock")
    loaded = session.load(asked.file, asked.environment, asked.app, asked.batch)
    only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
    with session.Session(loaded, only=only, skip=skip) as opened:
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
            report = execute(Rollout(opened, lease, screen, signals), plan)
            report = as_seen(report, _show_fleet(opened, screen))
            screen.show(tables.render_report(report, next_steps(asked, verb, report)))
        return report.exit_code


def status(file: Path, environment: str, *, app: str | None, as_json: bool) -> ExitCode:
    """Settings → survey → overview."""
    screen = console.Screen()
    loaded = session.load(file, environment, app, None)
    with session.Session(loaded) as opened:
        seen = opened.survey(allow_unreachable=True)
        told = overview.overview(loaded, seen)
    if as_json:
        screen.say(told.as_json())
    else:
        screen.show(tables.render_overview(told))
    return told.exit_code


def lock_status(file: Path, environment: str, *, as_json: bool) -> ExitCode:
    """Who holds the environment's lock, and whether they live; LOCKED where somebody does."""
    screen = console.Screen()
    loaded = session.load(file, environment, None, None)
    with session.Session(loaded) as opened:
        found = [
            (holder, hosts, life)
            for holder, hosts in rival.holders(environment, opened.everyone)
            if (life := _life(opened, holder, screen, quiet=as_json)) is not Life.GONE
        ]
    if as_json:
        told = [
            {**holder.public(), "hosts": list(hosts), "life": life.value}
            for holder, hosts, life in found
        ]
        screen.say(json_text({"environment": environment, "holders": told}))
    for holder, hosts, life in [] if as_json else found:
        screen.say(
            f"{environment} is locked: {holder}; on {len(hosts)} of {len(opened.everyone)} hosts, "
            f"heartbeat {holder.beat}, {life.value}"
        )
    if not (found or as_json):
        screen.say(f"{environment} is not locked.")
    return ExitCode.LOCKED if found else ExitCode.DONE


def lock_break(file: Path, environment: str, *, reason: str, force: bool) -> ExitCode:
    """Take the lock from a holder that is dead, or from a living one by force."""
    screen = console.Screen()
    if not reason.strip():
        raise BadInput("--reason says nothing; write for the others why the lock is broken")
    loaded = session.load(file, environment, None, None)
    with session.Session(loaded) as opened:
        found = rival.holders(environment, opened.everyone)
        for holder, _ in found:
            if not force and _life(opened, holder, screen) is Life.ALIVE:
                raise Locked(
                    f"{environment} is held by {holder}, which is alive; end it there (Ctrl-C), "
                    "or take the lock from it with --force: it then stops before its next change"
                )
            note = f"{records.now()} {session.author()} broke {holder}: {reason}"
            rival.destroy(environment, opened.everyone, holder, note)
            asked = Asked(file, environment)
            screen.say(
                f"Broken: {holder}. See what it left with {asked.command('status')}; "
                f"{asked.command('repair')} mends it."
            )
    if not found:
        screen.say(f"{environment} is not locked.")
    return ExitCode.DONE


def _life(opened: Session, holder: Holder, screen: Screen, *, quiet: bool = False) -> Life:
    """Watch a holder for its time to live at most."""
    name = opened.environment.name
    if quiet:
        return rival.watch(name, opened.everyone, holder)
    with screen.busy(f"watching {holder} for {holder.ttl_seconds:g} s at most"):
        return rival.watch(name, opened.everyone, holder)


def next_steps(asked: Asked, verb: str, report: Report) -> str:
    """What to type after a command that did not end well."""
    code = report.exit_code
    if code is ExitCode.LOCKED:
        return asked.command("lock.status")
    if code is ExitCode.OUT_OF_SERVICE:
        return f"{asked.command('status')} shows what is out; {asked.command('repair')} mends it"
    if not report.failures:
        return (
            f"the same command again, to go on; or {asked.command(verb)} --dry-run, to look first"
        )
    back = f"; or take all hosts back: {asked.command('rollback')}"
    return f"mend what failed and {verb} again" + (back if code is ExitCode.MIXED else "")


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
    seen = {row.host for row in rows if row.state != overview.UNREAD}
    mixed = report.mixed
    if told:
        mixed = told.is_mixed or (report.mixed and not told.is_whole_look)
    if report.lost:
        return replace(report, mixed=mixed)
    unseen = {
        host
        for host, outcome in report.outcomes.items()
        if outcome is Outcome.WAITING and host in report.plan.out - seen
    }
    out = dict.fromkeys({row.host for row in rows if row.is_out} | unseen, Outcome.OUT)
    return replace(report, mixed=mixed, outcomes=report.outcomes | out)


def _show_fleet(opened: Session, screen: Screen) -> Overview | None:
    """What runs where, asked anew."""
    try:
        seen = opened.survey(allow_unreachable=True)
    except DeployError as error:
        screen.complain(f"What runs where could not be read: {error}")
        return None
    told = replace(overview.overview(opened.environment, seen), lock="")  # it is ours
    screen.show(tables.render_overview(told))
    return told
