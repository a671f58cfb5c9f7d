"""`inv watch`: a deploy that others run, followed to its end, whatever becomes of it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from loopback import run
from screen.paper_run import AT, PaperRun, names

from deploy.commands import changes
from deploy.commands.looking import following, watching
from deploy.errors import Unreachable
from deploy.hosts.lock.lease import Lease
from deploy.hosts.logbook.run_record import RunRecord
from deploy.hosts.scripts import history
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.screen.watched.progress_note import ProgressNote
from deploy.session.arguments import read_settings
from deploy.session.session import Session
from lab.terminal import Session as Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loopback import Project

Shown = pytest.CaptureFixture[str]
RUN = "c" * 32


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other without a pause that a person would want, and are read."""
    monkeypatch.setattr(following, "SECONDS", 0.05)
    monkeypatch.setattr(Screen, "has_reader", property(lambda _: True))


@dataclass
class Running:
    """A deploy of others, as its hosts show it.

    Attributes:
        opened: Its session.
        lease: The lock that it holds.
    """

    opened: Session
    lease: Lease

    def progresses(self, seconds: float) -> None:
        """Let its heartbeat say how far a run on paper is."""
        note = ProgressNote(self.lease.holder.token, RUN, lambda: AT + seconds)
        for entry in PaperRun(names(3), failing=frozenset({"web-2"})).entries():
            if entry.at <= AT + seconds:
                note(entry)
        self.lease.heartbeat.progress = note.line
        self.lease.widen()

    def records(self, code: int) -> None:
        """Let its hosts remember how it ended."""
        record = record_of(code)
        script = history.record_run("lab", record.file_name, record.as_line())
        for remote in self.opened.everyone.values():
            remote.ask(script)


def record_of(code: int) -> RunRecord:
    return RunRecord(
        RUN, "deploy", "inv deploy --env lab", "ana", "2026-11-29T15:00:00+00:00", 130.0, code
    )


@pytest.fixture
def running(project: Project) -> Iterator[Running]:
    project.outlast_pauses()
    asked = project.asked()
    loaded = read_settings(asked, Screen())
    with (
        Session(loaded, scope=asked.scope("deploy")) as opened,
        opened.lease("deploy", 0, lambda _: None) as lease,
    ):
        yield Running(opened, lease)


def after(looks: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something happen elsewhere once a watch has looked so often."""
    counted = {"looks": 0}
    look = watching.Watched.look

    def counting(watched: watching.Watched) -> None:
        counted["looks"] += 1
        if counted["looks"] == looks + 1:
            act()
        look(watched)

    monkeypatch.setattr(watching.Watched, "look", counting)


def bodies(capsys: Shown) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_where_nothing_runs_it_says_so_at_once_with_the_last_run(
    project: Project, capsys: Shown
) -> None:
    assert following.watch(project.asked()) is ExitCode.DONE
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("lab: no deploy is running, and its hosts remember no run.")
    assert run(changes.deploy, project.asked(yes=True), "1.0.0") is ExitCode.FAILED
    capsys.readouterr()
    assert following.watch(project.asked()) is ExitCode.FAILED, "a script that came late knows too"
    out = capsys.readouterr().out
    assert "lab: no deploy is running. The last run:" in out
    assert "result    failed; the fleet is whole" in out
    assert following.watch(project.asked(json=True)) is ExitCode.FAILED
    (body,) = bodies(capsys)
    assert (body["watch"], body["how"], body["exit_code"]) == ("ended", "none", 1)
    assert body["record"]["verb"] == "deploy"


def test_it_follows_a_deploy_until_it_ends_and_ends_with_its_code(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.progresses(30)

    def end() -> None:
        running.records(4)
        running.lease.__exit__(None, None, None)

    after(1, lambda: running.progresses(150), monkeypatch)
    after(3, end, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.MIXED
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("20") for line in lines), "each begins with its time"
    text = "\n".join(lines)
    assert "deploy by " in lines[0]
    assert "web 1.0.0 → 2.0.0, 0/3 hosts, batch 1/2" in text
    assert "web-2: FAILED: " in text
    assert lines.index(next(x for x in lines if "0/3 hosts" in x)) < len(lines) - 8
    assert "lab: deploy has ended: the fleet serves, but " in text
    assert "(exit code 4)" in text


def test_scripts_get_a_line_of_json_for_each_change(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.progresses(30)

    def end() -> None:
        running.records(0)
        running.lease.__exit__(None, None, None)

    after(2, end, monkeypatch)
    assert following.watch(project.asked(json=True)) is ExitCode.DONE
    found = bodies(capsys)
    kinds = [each["watch"] for each in found]
    assert kinds[:3] == ["holder", "life", "progress"]
    assert kinds[-1] == "ended"
    assert found[0]["what"] == "deploy"
    assert running.lease.holder.token not in json.dumps(found)
    assert found[2]["batches"] == 2
    assert (found[-1]["how"], found[-1]["record"]["run"]) == ("ended", RUN)


def test_a_holder_that_was_killed_is_dead_and_repair_is_named(
    project: Project, capsys: Shown
) -> None:
    project.leave_lock()
    assert following.watch(project.asked()) is ExitCode.OUT_OF_SERVICE
    out = capsys.readouterr().out
    assert "deploy by eve@ci since" in out
    assert "is dead: it was killed, or its machine does not run." in out
    assert "next: recover what it left: inv repair --env lab" in out


@pytest.mark.parametrize(
    ("seconds", "code", "said"),
    [
        (None, ExitCode.DECLINED, "without a record: it was refused, not agreed to, or had"),
        (30, ExitCode.OUT_OF_SERVICE, "most of its hosts have no record of how"),
    ],
)
def test_a_lock_that_is_gone_without_a_record_is_no_success(
    running: Running,
    project: Project,
    capsys: Shown,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float | None,
    code: ExitCode,
    said: str,
) -> None:
    if seconds is not None:
        running.progresses(seconds)
    after(1, lambda: running.lease.__exit__(None, None, None), monkeypatch)
    assert following.watch(project.asked()) is code
    out = capsys.readouterr().out
    assert said in out
    assert "next: inv status --env lab" in out


def test_a_record_that_one_host_alone_shows_is_no_end(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.progresses(30)

    def end() -> None:
        first = next(iter(running.opened.everyone.values()))
        record = record_of(0)
        first.ask(history.record_run("lab", record.file_name, record.as_line()))
        running.lease.__exit__(None, None, None)

    after(1, end, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.OUT_OF_SERVICE
    assert "has ended: done" not in capsys.readouterr().out


def test_a_deploy_that_takes_the_lock_over_is_named_and_followed(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.progresses(30)
    after(1, project.leave_lock, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.OUT_OF_SERVICE
    out = capsys.readouterr().out
    assert "another deploy took the lock over: deploy by eve@ci since" in out
    assert "is dead" in out, "that one is followed, and its end is shown"


def test_a_deploy_that_ended_before_another_took_the_lock_has_its_own_verdict(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.progresses(30)

    def end() -> None:
        running.records(0)
        project.leave_lock()

    after(1, end, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.DONE
    out = capsys.readouterr().out
    assert "lab: deploy has ended: done" in out
    assert "the lock is held by another now: deploy by eve@ci since" in out
    assert "next: inv watch --env lab" in out.splitlines()[-1]


def test_hosts_that_do_not_answer_are_a_problem_and_no_end(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends where nothing is known for long: a script would hang."""
    monkeypatch.setattr(following, "LOST_SECONDS", 0.5)

    def away() -> None:
        for name in ("host-1", "host-2"):
            project.hosts[name].program("sudo", "#!/bin/sh\nexit 1\n")

    after(1, away, monkeypatch)
    with pytest.raises(Unreachable, match="its lock cannot be read: 1 of 3 hosts answered"):
        following.watch(project.asked())
    assert capsys.readouterr().out.count("its lock cannot be read") == 1
    running.lease.heartbeat.lost.set()


def test_ctrl_c_ends_the_watching_quietly_and_not_the_deploy(
    running: Running, project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    after(1, interrupt, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.INTERRUPTED
    assert "Interrupted" not in capsys.readouterr().out
    running.lease.confirm()


def test_a_reader_that_is_gone_ends_it(
    running: Running, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(Screen, "has_reader", property(lambda _: not ended.is_set()))
    after(1, ended.set, monkeypatch)
    assert following.watch(project.asked()) is ExitCode.DONE
    running.lease.confirm()


# `inv watch` on a fleet of literals, whose holder is killed after some looks.
WATCH = """
import sys
from dataclasses import replace
import builders
from screen.paper_run import PaperRun, names
from screen.test_watched_run import HOLDER, far_of
from deploy.cli import invoke_patch
from deploy.session import arguments, session
from deploy.commands.looking import following, looks
from deploy.hosts.lock.watch import Life
from deploy.screen import streams

LOOKS, HOSTS = int(sys.argv[1]), int(sys.argv[2])
RUN = PaperRun(names(HOSTS), failing=frozenset({"web-3"}))

class Paper:
    everyone = {}
    def __init__(self, environment, *, scope, is_partial):
        self.environment, self.scope, self.count = environment, scope, 0
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def survey(self, **_):
        self.count += 1
        far = far_of(RUN, 30 if self.count < 3 else 145)
        given = {"lock": replace(HOLDER, beat=self.count).as_line(), "progress": far.as_line()}
        hosts = [builders.facts(n, {"web": builders.slot()}, **given) for n in range(1, HOSTS + 1)]
        if self.count == LOOKS:
            LIFE[0] = Life.DEAD
        return builders.survey(hosts, {"host-1": builders.UNHEALTHY})

streams.guard_program()
invoke_patch.restore_on_signals()
LIFE = [Life.ALIVE]
looks.life_here = lambda _: LIFE[0]
following.SECONDS = 0.4
following.read_settings = lambda *_: builders.environment()
session.Session = Paper
try:
    code = int(following.watch(arguments.CommandOptions("lab")))
finally:
    invoke_patch.settle()
sys.exit(code)
"""


@pytest.mark.parametrize("hosts", [12, 40])
def test_on_a_terminal_the_run_is_drawn_above_the_fleet_and_failures_stay(hosts: int) -> None:
    with Terminal(WATCH, "8", str(hosts)) as terminal:
        terminal.until("Ctrl-C ends the watching")
        terminal.until("1 failed")
        rows = [line.rstrip() for line in terminal.screen.shown]
        assert any(line.startswith("web 1.0.0 → 2.0.0  ") for line in rows), rows
        assert any("━" in line for line in rows), rows
        assert any(line.startswith("! host-1 ") and "unhealthy" in line for line in rows), rows
        assert len(rows) <= 24
        assert terminal.wait() == 5, terminal.output
        assert terminal.is_restored
        shown = [line.rstrip() for line in terminal.screen.rows if line.strip()]
    assert shown[-1] == "next: recover what it left: inv repair --env lab"
    assert any("web-3: FAILED: " in line for line in shown), "it stays"
    assert not any("━" in line or "Traceback" in line for line in shown), shown


def test_ctrl_c_leaves_the_terminal_as_it_was() -> None:
    with Terminal(WATCH, "999", "12") as terminal:
        terminal.until("Ctrl-C ends the watching")
        terminal.type("\x03")
        assert terminal.wait() == 130, terminal.output
        assert terminal.is_restored
        assert not any("Interrupted" in line for line in terminal.screen.rows)
