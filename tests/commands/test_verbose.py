"""`--verbose`: what hosts and AWS are asked, a line as each ends; never what a command holds."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from typing import TYPE_CHECKING

import pytest
from loopback import run

from deploy import call_log
from deploy.cli.options import CHANGING, SHORT
from deploy.commands import changes
from deploy.errors import BadInput
from deploy.run.report import ExitCode
from deploy.screen import call_lines

if TYPE_CHECKING:
    from loopback import Project

Shown = pytest.CaptureFixture[str]
LINE = re.compile(r"20\d\d-\d\d-\d\dT[0-9:+-]+ (.+: .+), \d+\.\d s")


def said(text: str) -> list[str]:
    """The lines of --verbose, without time and seconds."""
    return [found[1] for line in text.splitlines() if (found := LINE.fullmatch(line))]


def test_each_remote_command_and_call_of_aws_is_a_line(project: Project, capsys: Shown) -> None:
    asked = project.asked(verbose=True, dry_run=True)
    assert run(changes.deploy, asked, "1.0.0") is ExitCode.DONE
    out = capsys.readouterr().out
    lines = said(out)
    for host in project.hosts:
        assert f"{host}: survey: exit status 0" in lines, lines
    assert "AWS: sts.get_caller_identity: done" in lines
    assert any(line.startswith("AWS: elbv2.describe_target_health: done") for line in lines)
    assert not call_log.LOG.handlers
    assert not call_log.LOG.isEnabledFor(logging.INFO)


def test_without_it_nothing_of_that_is_said(project: Project, capsys: Shown) -> None:
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    assert said(capsys.readouterr().out) == []


def test_no_command_no_argument_and_no_token_is_in_a_line(project: Project, capsys: Shown) -> None:
    assert run(changes.deploy, project.asked(verbose=True, yes=True), "1.0.0") is ExitCode.FAILED
    lines = said(capsys.readouterr().out)
    assert any("taking the lock: exit status 0" in line for line in lines)
    text = "\n".join(lines)
    assert not re.search(r"[0-9a-f]{32}|set --|sudo|arn:aws", text)
    assert "a heartbeat: exit status 0" not in text, "one every few seconds on each host"


def test_with_json_they_go_to_standard_error(project: Project, capsys: Shown) -> None:
    asked = project.asked(verbose=True, json=True, dry_run=True)
    assert run(changes.deploy, asked, "1.0.0") is ExitCode.DONE
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["plan_made"]
    assert said(err)


def test_quiet_and_verbose_exclude_each_other(project: Project) -> None:
    with pytest.raises(BadInput, match="-q shows failures alone, and -v every command"):
        run(changes.deploy, project.asked(quiet=True, verbose=True), "1.0.0")


def test_its_short_option_is_v_for_each_command_that_changes_the_fleet() -> None:
    assert SHORT["verbose"] == "v"
    assert "verbose" in CHANGING


class _Host:
    name = "web-1\x1b[2J"


def test_a_host_that_says_something_odd_says_it_as_text() -> None:
    shown: list[str] = []
    with call_lines.shown(shown.append):
        call_log.note(_Host.name, "looking", 0.0, "no answer\x1b[2J\nTOKEN=abc")
    (line,) = shown
    assert "\x1b" not in line
    assert "TOKEN" not in line, "only the first line of an error"


def test_a_terminal_that_takes_nothing_holds_up_no_connection() -> None:
    """Ctrl-S, or a pipe whose reader sleeps: the lock's heartbeat goes through the same log."""
    goes_on = threading.Event()

    def say(_: str) -> None:
        goes_on.wait(20)

    began = time.monotonic()
    with call_lines.shown(say):
        for _ in range(100):
            call_log.note("web-1", "looking", 0.0, "exit status 0")
        took = time.monotonic() - began
        goes_on.set()
    assert took < 10
