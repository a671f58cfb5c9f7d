"""What every command that changes the fleet does: survey, plan, question, run, report.

Settings → lock → survey → plan → question → run → report. What happens is one stream of events,
kept in a file, from which the screen and the report are drawn.
"""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.commands import answering, conclusion, hook_lines
from deploy.commands.hook_lines import Unseen
from deploy.commands.rollout import Rollout, expected
from deploy.commands.signals import Signals
from deploy.errors import BadInput, as_deploy_error
from deploy.events import file
from deploy.events.stream import Stream
from deploy.hooks.folder import Moment
from deploy.hooks.runner import Runner
from deploy.observe import rounds
from deploy.run import as_events
from deploy.run.report import ExitCode
from deploy.screen import call_lines, tables
from deploy.screen.console import Screen
from deploy.screen.run.story import Story
from deploy.screen.status import overview
from deploy.screen.watched.progress_note import ProgressNote
from deploy.session import session, vetting
from deploy.session.arguments import read_settings, seconds_of, split

if TYPE_CHECKING:
    from deploy.commands.change import Change
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.screen.status import Overview
    from deploy.session.session import Session
    from deploy.settings.scope import Scope


def run(change: Change) -> ExitCode:
    """Run a command that changes the fleet; once it has begun, no error hides how it ended."""
    asked = change.asked
    if asked.quiet and asked.verbose:
        raise BadInput("-q shows failures alone, and -v every command; leave one of them out")
    is_quiet = asked.quiet and not asked.dry_run
    screen = Screen(is_json=asked.json, is_quiet=is_quiet)
    command = _Command(change, screen)
    say = screen.note if asked.json else screen.say
    try:
        with call_lines.shown(say) if asked.verbose else nullcontext():
            command.run()
    except Exception as error:
        if not command.began:
            raise
        text = str(as_deploy_error(error, "ending the command"))
        status = asked.command("status")
        command.screen.complain(f"{text}\n{status} shows what runs where.")
    return command.code


@dataclass
class _Command:
    """A command, and how it ends: out of service, once it began, until a report says otherwise."""

    change: Change
    screen: Screen
    began: bool = False
    code: ExitCode = ExitCode.DONE

    def run(self) -> None:
        """Look, plan, ask and do; a dry run looks without the lock, and does nothing."""
        asked, screen, scope = self.change.asked, self.screen, self.change.scope
        patience_seconds = seconds_of(asked.wait_lock, "--wait-lock")
        answering.refuse(self.change, screen)
        loaded = read_settings(asked, screen)
        hooks = Runner.of(loaded, scope.verb)
        only, skip = split(asked.hosts, "--hosts"), split(asked.skip_host, "--skip-host")
        opening = session.Session(
            loaded, only=only, skip=skip, scope=scope, beside=self.change.beside
        )
        with opening as opened:
            if scope.verb == "observe":
                rounds.refuse_several(opened.hosts)
            if asked.dry_run:
                planned = as_events.plan_made(self._plan(opened), opened.groups)
                Stream({"": screen.write}).emit(planned)
                screen.say("Dry run: nothing was changed.")
                return
            with (
                Signals(screen, asked.command("repair")) as signals,
                opened.lease(scope.verb, patience_seconds, screen.say) as lease,
            ):
                signals.abandon = lease.abandon
                plan = self._plan(opened)
                if self._is_agreed(opened, plan):
                    vetting.confirm_registration(plan, opened.groups, opened.balancer)
                    answers = answering.of(self.change, opened, screen, plan)
                    rollout = Rollout(opened, lease, screen, signals, hooks, answers=answers)
                    self._do(rollout, plan)
                else:
                    screen.conclude("Nothing was changed.")
                    self.code = ExitCode.DECLINED

    def _plan(self, opened: Session) -> Plan:
        """Look at the fleet, and show what will be done."""
        asked, size = self.change.asked, len(opened.hosts)
        with self.screen.busy(f"looking at {size} host{'s' * (size != 1)} of {asked.environment}"):
            made = self.change.make(opened)
            plan = vetting.completed(made, opened.credentials, opened.remotes)
        values = asked.full and self.screen.is_terminal
        planned = as_events.plan_made(plan, opened.groups, shows_values=values)
        self.screen.show_plan(expected(opened, planned), is_full=asked.full)
        return plan

    def _is_agreed(self, opened: Session, plan: Plan) -> bool:
        """Whether the operator wants it, who is asked where a person is there."""
        if self.change.asked.yes:
            return True
        vetting.refuse_late(plan, opened.groups, opened.seconds_left)
        return plan.changes_nothing or self.screen.agrees(as_events.plan_made(plan, opened.groups))

    def _do(self, rollout: Rollout, plan: Plan) -> None:
        """Do the plan, look at the fleet, and report; all of it is kept in the run's file."""
        opened, events, story = rollout.opened, rollout.events, Story()
        note = ProgressNote(rollout.lease.holder.token, opened.run)
        rollout.lease.heartbeat.progress = note.line
        began = as_events.run_began(self.change.scope, opened.run)
        with hook_lines.waiting(self.screen, rollout.hooks, Moment.PRE_DEPLOY):
            rollout.hooks.before_all(
                began, plan.releases, lambda: as_events.plan_made(plan, opened.groups)
            )
        self.began, self.code = True, ExitCode.OUT_OF_SERVICE
        runs = opened.environment.path(opened.environment.runs)
        with (
            file.recorded(events, runs, opened.run) as recorder,
            events.heard("noting what happens", story),
            events.heard("noting the progress for others", note),
            events.heard("writing the events", self.screen.write),
            events.heard("noting the hooks that no screen shows", hooks := Unseen(events)),
            events.heard("running the hooks", rollout.hooks),
            closing(rollout.hooks),
        ):
            events.emit(began)
            report = self.change.execute(rollout, plan)
            self.code = report.exit_code
            fleet = _seen(opened, self.screen)
            report = conclusion.as_seen(report, fleet)
            self.code = report.exit_code
            report = rollout.remembered(report)
            then = conclusion.next_steps(self.change.scope, report)
            events.emit(as_events.run_ended(report, then, *conclusion.shown(fleet)))
            _show_report(self.change.scope, self.screen, report, story)
            last = Moment.ON_FAILURE if self.code else Moment.POST_DEPLOY
            with hook_lines.waiting(self.screen, rollout.hooks, Moment.POST_HOST, last):
                rollout.hooks.close()
        for said in hooks.failed:
            self.screen.complain(said)
        self.screen.summarize(story)
        self.screen.conclude(str(recorder), "yellow" if recorder.error else "")


def _seen(opened: Session, screen: Screen) -> Overview | None:
    """What runs where, asked anew."""
    try:
        with screen.busy("looking at what runs where"):
            seen = opened.survey(for_plan=False)
            return overview(opened.environment, seen, opened.scope, holders=())
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
