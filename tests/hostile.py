"""Hostile text, sent through every source of foreign text that Changeover shows.

`python -c "import hostile; hostile.main(…)"` runs it as a program, on a terminal or in a log.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import builders
import paramiko
import run_entries
from botocore.exceptions import ClientError, EndpointConnectionError

from deploy import foreign_text
from deploy.aws.api.account import Account
from deploy.aws.targets import Health, State
from deploy.clock import CLOCK
from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, DeployError, Locked
from deploy.events.event import BatchBegan, HostEnded, HostSaid
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.progress import HostNow, Progress
from deploy.hosts.refusals.login import Keys
from deploy.hosts.refusals.unknown_key import ShownKey
from deploy.hosts.route.failures import LoginEnded, LoginFailed, NoKeyAccepted
from deploy.hosts.ssh import known_hosts, login
from deploy.package import entries
from deploy.plan import assembly, exclusion, fitness, plan
from deploy.run.report import Failure, Outcome, Report
from deploy.screen import console, status, status_table, tables
from deploy.screen.fleet.changes_seen import Changes
from deploy.screen.fleet.in_service import Service, Share
from deploy.screen.fleet.lock_seen import HolderSeen
from deploy.screen.log_lines import clock
from deploy.screen.watched import view
from deploy.settings import load
from deploy.settings.scope import Scope
from deploy.steps import verify
from deploy.steps.fleet import Fleet
from deploy.survey import parse
from deploy.survey.question import Question, Questions
from deploy.survey.slot import Listener, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.events.event import Event
    from deploy.screen.console import Screen
    from deploy.steps.base import OnHost

# EVIL follows each sequence directly, and nothing of ours does that.
TEXTS = (
    "a\x1b[1A\x1b[2KEVIL",
    "a\x1b]0;title\x07EVIL",
    "a\x1b]52;c;aGVsbG8=\x1b\\EVIL",
    "a\x1b]8;;http://evil.example\x1b\\EVIL",
    "a\x1b[31mEVIL\x1b[0m",
    "a\x1b[?1049hEVIL",
    "a\x9b1AEVIL",
    "a\x9d0;t\x9cEVIL",
    "a\rEVIL",
    "a\x08\x08EVIL",
    "a\tEVIL\x0b\x0cEVIL",
    "a\x00EVIL\x7fEVIL",
    "a\x0eEVIL",
    "a\u202eEVIL\u2066EVIL\u2069",
    "a\u200bEVIL\ufeffEVIL\u00adEVIL",
    "a\u2028EVIL\u2029EVIL",
    "a\x85EVIL",
    "a\udc80EVIL\ud800",
    "a\U000e0041EVIL\u180eEVIL\u3164EVIL",
    "a\nEVIL",
    "a\r\nEVIL",
    "a\n::stop-commands::EVIL",
    "a\n  \t::add-mask::EVIL",
    "a\n\u00a0\u00ad:\u00ad:error::EVIL",
    "::set-output name=a::EVIL",
    "  ::warning::EVIL",
    "a ##[add-mask]EVIL",
    "a #\u00ad#[group]EVIL",
    "a ###[error]EVIL",
    "a ##vso[task.setvariable variable=x]EVIL",
    "a #\u200d#\ufe0fvso[task.complete result=Failed]EVIL",
    "a ##teamcity[buildStatus status='FAILURE']EVIL",
    "[bold]a[/bold][/x][link=http://evil.example]EVIL[/link] :smiley:",
    "a" + "\u0301" * 200 + "EVIL",
    "z" * 20_000,
)

# For the controls: one that acts, one that forges a line, one for a runner.
SOME = (0, 19, 29)


@contextmanager
def _progress(screen: Screen, made: plan.Plan | None = None) -> Iterator[Callable[[Event], None]]:
    """What a run of the plan says, as the screen hears it."""
    with screen.progress() as watch:
        watch(run_entries.plan_made(made or _plan()))
        yield run_entries.telling(watch)


def _shown(screen: Screen, body: Callable[[], object]) -> None:
    """Run it; show its error as tasks.py and Invoke do, and in a step's end."""
    try:
        body()
    except DeployError as error:
        screen.complain(str(error))
        print(str(error), file=sys.stderr)
        step = _plan().batches[0][0].steps[0]
        with _progress(screen) as tell:
            tell(run_entries.began(step))
            tell(run_entries.ended(step, 1.0, "", str(error)))
    else:
        raise AssertionError("no error")


@functools.cache
def _account() -> Account:
    return Account(builders.environment())


def _plan(**changes: Any) -> plan.Plan:
    return replace(_made(), **changes)


@functools.cache
def _made() -> plan.Plan:
    facts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    offers = (builders.offer(builders.app(), facts),)
    return assembly.make(builders.environment(), offers, builders.survey(facts))


def _fleet(stdout: str) -> Fleet:
    remote = SimpleNamespace(ask=lambda script, *_: script.parse(CommandResult("", 0, stdout, "")))
    fleet = SimpleNamespace(
        remote=lambda _: remote,
        started={},
        tell=lambda *_: None,
        clock=CLOCK,
        marked=lambda *_: time.monotonic(),
    )
    return cast("Fleet", fleet)


def _prove() -> verify.ProveRelease:
    asked = Questions((Question("/health", "200"),))
    return verify.ProveRelease(builders.host(), builders.app().at(5000), builders.NEW, asked)


def journal(screen: Screen, text: str) -> None:
    """A journal line while a release is proven, and in a failure report."""
    with _progress(screen) as tell:
        tell(run_entries.began(_prove()))
        fleet = _fleet(text)
        fleet.tell = lambda host, said: tell(HostSaid(host, said))
        _prove()._show_journal(fleet, set())
        tell(HostSaid("host-1", f"| {text}"))


def unit_state(screen: Screen, text: str) -> None:
    """Systemd's result, state and start time."""
    step = _prove()
    state = UnitState("loaded", "failed", result=text)
    _shown(screen, lambda: verify._steady(_fleet(""), step, state))


def survey_row(screen: Screen, text: str) -> None:
    """A host's answers in a status table: release, state, time, reason."""
    shown = "\n".join(f"web.{key}={text}" for key in ("5000.running.RELEASE", "5000.link"))
    facts = parse.parse_host(
        builders.host(), ["init=systemd", *shown.split("\n")], (builders.app(),)
    )
    slot = replace(
        facts.slots["web"],
        running_release=text,
        unit_state=replace(builders.RUNNING, active=text, since=f"Sun {text} {text} UTC"),
    )
    seen = builders.survey([replace(facts, slots={"web": slot})])
    told = status.overview(builders.environment(), seen)
    everywhere: dict[str, Any] = dict.fromkeys(
        ("host", "app", "reason", "note", "state", "zone", "taken_out"), text
    )
    row = replace(
        told.rows[0],
        **everywhere,
        expected=text,
        drift=(text,),
    )
    fleet = replace(
        told,
        rows=(*told.rows, row),
        lock=_holder(text),
        services=(Service(text, text, {text: Share(1, 2), "": Share(1, 1)}),),
        next=foreign_text.visible(text),
        at=1.0,
    )
    screen.show(status_table.render_overview(fleet))


def _holder(text: str) -> str:
    """A holder as a message shows it, even one that its grammar would refuse."""
    return str(Holder("0" * 32, text, text, text, text, 30.0, 1))


def lock_holder(screen: Screen, text: str) -> None:
    """Who holds the lock: shown, waited for, watched, broken, refused."""
    screen.say(f"lab is locked: {_holder(text)}; on 1 of 1 hosts, heartbeat 1, alive")
    screen.say(f"Broken: {_holder(text)}. See what it left with inv status --env lab")
    with screen.busy(f"watching {_holder(text)} for 30 s at most"):
        pass

    def refused() -> None:
        raise Locked(f"lab is locked: {_holder(text)}, alive; wait for it")

    _shown(screen, refused)


def run_progress(screen: Screen, text: str) -> None:
    """How far a run is, even as its grammar would refuse it: on a terminal, and as lines."""
    now = HostNow(text, text, text)
    far = Progress("0" * 32, 1, "0" * 32, text, text, 1, 2, 1, 2, at_work=(now,), failed=(now,))
    holder = Holder("0" * 32, text, text, text, text, 30.0, 1)
    held = HolderSeen(holder, (text,), is_proven=True, progress=far)
    screen.show(
        status_table.Drawn(
            (), (text,), text, lambda width, most: view.lines(held, width, most, 1.0)
        )
    )
    for change in Changes().see(held, ()):
        screen.say(f"{clock()} {change.text}")
        screen.say(foreign_text.json_text(dict(change.body), indent=None))


def ssh_peer(screen: Screen, text: str) -> None:
    """An SSH server's version or banner, before any key is known; and a host's key."""
    for foreign in (
        paramiko.SSHException(f"Incompatible version ({text} instead of 2.0)"),
        paramiko.AuthenticationException(text),
        NoKeyAccepted("u", Keys((text,), (text,), text), (text,)),
        LoginEnded(OSError(5, text), Keys((text,) * 5)),
        known_hosts.UnknownHostKey(ShownKey(text, text, text, text, text, text)),
        OSError(5, text),
        paramiko.ChannelException(1, text),
        paramiko.ChannelException(2, text),
    ):
        own = SimpleNamespace(host="10.0.0.1", port=22, user="u")
        jump = SimpleNamespace(host="10.0.0.2", original_host="jump", port=22, user="u")
        for failed in (
            LoginFailed(own, foreign, was_active=True, in_login=True),
            LoginFailed(own, foreign, proxy_said=text),
            LoginFailed(jump, foreign, was_active=True, in_login=True),
            LoginFailed(own, foreign, jump=jump),
        ):

            def fail(failed: LoginFailed = failed) -> None:
                raise failed

            own.open = fail
            _shown(screen, lambda own=own: login.open_to(builders.host(), own))  # type: ignore[misc]


def aws_error(screen: Screen, text: str) -> None:
    """What AWS answers: codes, messages, and errors of botocore's that repeat them."""
    account = _account()
    for foreign in (
        ClientError({"Error": {"Code": text, "Message": text}}, "x"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": text}}, "x"),
        EndpointConnectionError(endpoint_url=text),
    ):

        def fail(foreign: Exception = foreign) -> None:
            where = "AWS (elbv2.describe_target_health, region eu-west-1)"
            raise account._errors.translated(foreign, where, is_answered=False)

        _shown(screen, fail)


def target_description(screen: Screen, text: str) -> None:
    """Why AWS cannot send to a target."""
    health = Health(State.UNUSED, "Target.NotInUse", text)
    _refused(screen, builders.survey(health={"host-1": health}))


def listener(screen: Screen, text: str) -> None:
    """A process that holds the app's port chose its own name."""
    slot = builders.slot(listeners=(Listener(7, text, text), Listener(8, "", text)))
    _refused(screen, builders.survey([builders.facts(1, {"web": slot})]))


def _refused(screen: Screen, seen: Any) -> None:
    def refused() -> None:
        problems = fitness.unfit((builders.app(),), seen)
        exclusion.leave_out(builders.environment(), seen, problems, Scope("lab"))

    _shown(screen, refused)


def package_name(screen: Screen, text: str) -> None:
    """A package's own name, and a file's in it."""

    def damaged() -> None:
        with entries.refusing(Path(f"/builds/{text.replace('/', '_')}")):
            raise ValueError(text)

    _shown(screen, damaged)
    _shown(screen, lambda: entries.normalise(f"/{text}", text))


def settings(screen: Screen, text: str) -> None:
    """A settings file that somebody else wrote: keys and values."""
    lone = text[:2000].encode("utf-8", "replace").decode()
    key = json.dumps(lone)
    body = (
        f"deploy:\n  apps:\n    web: {{package: a.zip, target_group: t, ports: {key}, {key}: 1}}\n"
        f"  environments:\n    lab: {{hosts: [a], rollout: {{batch: {key}}}}}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fabric.yaml"
        file.write_text(body)
        _shown(screen, lambda: load.load(file, "lab"))


def host_name(screen: Screen, text: str) -> None:
    """A Name tag of EC2, wherever a host is named."""
    host = replace(builders.host(), name=text)
    made = _plan(hosts=(host,))
    step: Any = replace(cast("OnHost", made.batches[0][0].steps[0]), host=host)
    with _progress(screen, made) as tell:
        tell(BatchBegan(1, 1, (text,)))
        tell(run_entries.began(step))
        tell(HostSaid(text, text))
        tell(run_entries.ended(step, 1.0, text, text[:200]))
        tell(HostEnded(text, Outcome.DONE))


def failure(screen: Screen, text: str) -> None:
    """A failure report, each of its fields."""
    result = CommandResult(text, 1, text, text)
    found = Failure(
        host=replace(builders.host(), name=text),
        step=text,
        error=str(CommandFailed("host-1", "starting", result)),
        command=text,
        exit_code=1,
        journal=(text,),
        health=text,
        undone=(text,),
    )
    made = _plan(releases={"web": text})
    outcomes = {text: Outcome.OUT}
    for report in (Report(made, outcomes, (found,)), Report(made, {text: Outcome.DONE})):
        screen.show(tables.render_report(run_entries.story(report, "inv repair --env lab")))


def plan_text(screen: Screen, text: str) -> None:
    """A plan: title, warnings, releases that come from hosts' records."""
    made = _plan(
        title=f"Roll back web {text[:200]}", warnings=(text[:200],), releases={"web": text}
    )
    for is_full in (False, True):
        screen.show_plan(run_entries.planned(made), is_full=is_full)


def as_json(screen: Screen, text: str) -> None:
    """Status for scripts."""
    seen = builders.survey([builders.facts(1, {"web": builders.slot(running_release=text)})])
    told = status.overview(builders.environment(), seen)
    row = replace(told.rows[0], host=text, note=text)
    screen.say(replace(told, rows=(row,), lock=text).as_json())
    screen.say(foreign_text.json_text({"environment": "lab", "holders": [{"author": text}]}))


def stray(screen: Screen, text: str) -> None:
    """What libraries and Python print, in pieces, beside and during a live table."""
    for stream in (sys.stdout, sys.stderr):
        print(text, file=stream)
        print(f"ValueError: {text}", file=stream)
        for piece in (text[:2], text[2:4], text[4:], "\n"):
            stream.write(piece)
    with _progress(screen):
        print(text)
        print(text, file=sys.stderr)


SOURCES: dict[str, Callable[[Screen, str], None]] = {
    found.__name__: found
    for found in (
        journal,
        unit_state,
        survey_row,
        lock_holder,
        run_progress,
        ssh_peer,
        aws_error,
        target_description,
        listener,
        package_name,
        settings,
        host_name,
        failure,
        plan_text,
        as_json,
        stray,
    )
}


def main(texts: tuple[str, ...] = TEXTS) -> None:
    """Send each text through each source; a line `@ <source>` stands before each."""
    screen = console.Screen()
    for name, source in SOURCES.items():
        for text in texts:
            screen.say(f"@ {name}")
            source(screen, text)
    screen.say("@ end")
