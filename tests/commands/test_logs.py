"""`inv logs` from what is typed to what is shown, on a fleet on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from inspect_output import acting, runner_commands
from journals import Journal

from deploy.clock import CLOCK
from deploy.commands.records import logs as logs_command
from deploy.commands.records.logs import logs
from deploy.errors import BadInput
from deploy.hosts.logbook.journal_line import JournalLine
from deploy.hosts.logbook.merge import Merge
from deploy.run.report import ExitCode
from lab.project import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback import Project

ROOT = Path(__file__).parents[2]
AT = 1_764_428_645.5
Shown = pytest.CaptureFixture[str]


@pytest.fixture
def journals(project: Project) -> dict[str, Journal]:
    return {name: Journal(host.root) for name, host in project.hosts.items()}


def look(project: Project, **typed: Any) -> ExitCode:
    own = {name: typed.pop(name, None) for name in ("lines", "since", "grep", "release")}
    return logs(project.asked(**typed), **own, follow=False)


def test_the_lines_of_all_hosts_are_shown_by_time(
    project: Project, journals: dict[str, Journal], capsys: Shown
) -> None:
    for number, name in enumerate(("host-2", "host-1", "host-3")):
        journals[name].write(f"line {number}", at=AT + number)
    assert look(project) is ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "2025-11-29T15:04:05.500Z host-2 | line 0",
        "2025-11-29T15:04:06.500Z host-1 | line 1",
        "2025-11-29T15:04:07.500Z host-3 | line 2",
    ]


def test_so_many_lines_are_the_last_of_all_hosts_together(
    project: Project, journals: dict[str, Journal], capsys: Shown
) -> None:
    for number in range(6):
        journals[f"host-{number % 3 + 1}"].write(f"line {number}", at=AT + number)
    assert look(project, lines="2") is ExitCode.DONE
    assert [line[-6:] for line in capsys.readouterr().out.splitlines()] == ["line 4", "line 5"]
    assert look(project, lines="2", hosts="host-1") is ExitCode.DONE
    assert [line[-6:] for line in capsys.readouterr().out.splitlines()] == ["line 0", "line 3"]


def test_for_a_script_each_line_is_an_object(
    project: Project, journals: dict[str, Journal], capsys: Shown
) -> None:
    journals["host-1"].write("ready #1", at=AT, release="2.0.0-bbbbbbbbbbbb", PRIORITY="4")
    assert look(project, json=True) is ExitCode.DONE
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "at": "2025-11-29T15:04:05.500000Z",
        "host": "host-1",
        "app": "web",
        "unit": "web@5000.service",
        "release": "2.0.0-bbbbbbbbbbbb",
        "priority": 4,
        "message": "ready #1",
    }


def test_p7_no_line_acts_on_a_terminal_or_a_runner(
    project: Project, journals: dict[str, Journal], capsys: Shown
) -> None:
    hostile = "a\x1b[2J\x9b1A\n::stop-commands::b\n ##vso[task.complete]\u202e"
    journals["host-1"].write(hostile)
    for as_json in (False, True):
        assert look(project, json=as_json) is ExitCode.DONE
        shown = capsys.readouterr().out
        assert not acting(shown)
        assert not runner_commands(shown)
        assert len(shown.splitlines()) == 1


def test_a_host_that_cannot_be_read_is_named_and_the_others_are_shown(
    project: Project, journals: dict[str, Journal], capsys: Shown
) -> None:
    journals["host-1"].write("here")
    project.hosts["host-2"].sshd.stop()
    assert look(project) is ExitCode.FAILED
    shown = capsys.readouterr()
    assert "host-1 | here" in shown.out
    assert "Not shown: host-2" in shown.err
    assert "host-2" not in shown.out


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown host": ({"hosts": "host-9"}, "no host 'host-9' in this environment"),
    "no host": ({"hosts": ","}, "--hosts names no host"),
    "an unknown app": ({"app": "wbe"}, "no app 'wbe'; did you mean 'web'?"),
    "a bad time": ({"since": "yesterday"}, "--since yesterday: is no time; write 90s"),
    "a bad number": ({"lines": "-1"}, "--lines -1: is no number of lines from 0 to 10,000"),
    "too many": ({"lines": "10001"}, "--lines 10001: is no number of lines"),
    "a bad release": ({"release": "../x"}, "--release ../x: is no version, such as 2.0.0"),
    "an unknown release": ({"release": "9.9.9"}, "--release 9.9.9: no journal has lines of it"),
    "a bad pattern": ({"grep": "("}, "missing closing parenthesis"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("journals")
def test_p8_what_cannot_be_right_is_refused(project: Project, name: str) -> None:
    typed, expected = REFUSED[name]
    with pytest.raises(BadInput) as refused:
        look(project, **typed)
    assert expected in str(refused.value)


def test_a_bad_pattern_is_one_line_for_all_hosts(
    project: Project, journals: dict[str, Journal]
) -> None:
    del journals
    with pytest.raises(BadInput) as refused:
        look(project, grep="(")
    assert str(refused.value).startswith("3 hosts (host-1, host-2, host-3): reading the journal")
    assert len(refused.value.args) == 1


PROGRAM = """\
import sys
sys.path[:0] = [{tests!r}]
from deploy.hosts import ownership
ownership.refuse_wrong = lambda *_: None
sys.argv[0] = "inv"
from invoke.main import program
program.run()
"""


@contextmanager
def started(project: Project, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`inv logs --follow …` in a process of its own, for a signal to reach; killed at the end."""
    program = PROGRAM.format(tests=str(ROOT / "tests"))
    typed = ("logs", "--env", "lab", "--settings", str(project.settings), "--follow", *words)
    with subprocess.Popen(
        [sys.executable, "-c", program, *typed],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:  # a test that fails would wait for its end for ever
            process.kill()


def test_lines_are_followed_across_a_broken_connection_until_ctrl_c(
    project: Project, journals: dict[str, Journal]
) -> None:
    journals["host-1"].write("before")
    with started(project) as running:
        assert running.stdout
        seen = SimpleQueue[str]()
        shown: list[str] = []

        def listen() -> None:
            for line in running.stdout or ():
                seen.put(line)

        threading.Thread(target=listen, daemon=True).start()

        def has(message: str) -> bool:
            while not seen.empty():
                shown.append(seen.get())
            return any(line.endswith(f" | {message}\n") for line in shown)

        until("the last lines", lambda: has("before"), 60)
        journals["host-2"].write("after")
        until("a new line", lambda: has("after"), 30)
        project.hosts["host-2"].sshd.drop()
        journals["host-2"].write("meanwhile")
        until("the line of then", lambda: has("meanwhile"), 30)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
        assert running.stderr
        said = running.stderr.read()
    assert "host-2" in said
    assert "this host is tried again until it is back" in said
    assert "host-2: is back" in said
    assert "Traceback" not in said
    assert [line.rpartition(" | ")[2].strip() for line in shown] == ["before", "after", "meanwhile"]


def test_it_ends_when_the_reader_of_a_pipe_has_gone(
    project: Project, journals: dict[str, Journal]
) -> None:
    journals["host-1"].write("before")
    with started(project) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.readline().endswith("before\n")
        running.stdout.close()
        assert running.wait(30) == 0, running.stderr.read()


def test_lines_that_have_arrived_are_taken_all_at_once() -> None:
    arrived = SimpleQueue[JournalLine]()
    for number in range(3):
        arrived.put(JournalLine(number, "host-1", "", str(number)))
    merge = Merge(hold_seconds=0.0)
    logs_command._take(arrived, merge)
    assert [line.message for line in merge.due(CLOCK.monotonic())] == ["0", "1", "2"]
