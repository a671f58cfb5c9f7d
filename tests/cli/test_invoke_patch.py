"""`inv`, as it is typed: usage errors end with 2 and say what would be right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_output import acting, runner_commands
from invoke import ParseError
from invoke.parser import Parser

from deploy.cli.tasks import namespace

ROOT = Path(__file__).parents[2]


def inv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deploy", "--enviroment", "lab"), "has no option --enviroment; did you mean '--env'?"),
        (("deploy",), "inv deploy needs --env: an environment of the settings, as in --env prod"),
        (("deploy", "lab"), "'lab' is no option of inv deploy, and no command; an environment is"),
        (("deploy", "--env"), "needed value and was not given one"),
        (("lock.break", "-e", "lab"), "inv lock.break needs --reason: why the lock is broken"),
        (("deploy", "--env", "lab", "--dryrun"), "did you mean '--dry-run'?"),
        (("deplyo", "--env", "lab"), "No idea what 'deplyo' is! Did you mean 'deploy'?"),
        (("--help", "deplyo"), "No idea what 'deplyo' is!"),
        (("deploy", "--env", "lba"), "no environment 'lba'; did you mean 'lab'?"),
        (("--dry", "deploy", "--env", "lab"), "use --dry-run"),
        (("rollback", "--env", "lab", "--to", ""), "--to is empty: give it a value, or leave"),
        (("deploy", "--env=lab", "--skip-host="), "--skip-host is empty"),
        (("--list", "nope"), "Sub-collection 'nope' not found!"),
        (("--list-format", "nope", "--list"), "an option has a wrong value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_usage_error_ends_with_2_and_invokes_message(words: tuple[str, ...], said: str) -> None:
    ended = inv(*words)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


HOSTILE = "a\x1b[2J\x9b1A\n::stop-commands::b\n ##vso[task.complete]"


@pytest.mark.parametrize(
    "words",
    [
        ("deploy", "--env", HOSTILE),
        ("deploy", f"--{HOSTILE}", "--env", "lab"),
        (HOSTILE,),
        ("--debug", "deploy", "--env", HOSTILE),
    ],
    ids=["value", "option", "task", "debug"],
)
def test_what_was_typed_by_others_acts_on_no_terminal_and_no_runner(words: tuple[str, ...]) -> None:
    """As where a CI step passes a branch's name on; Invoke itself prints some of it."""
    ended = inv(*words)
    assert ended.returncode == 2
    said = ended.stdout + ended.stderr
    ours = "\n".join(line for line in said.splitlines() if "DEBUG" not in line[:12])
    assert not acting(ours)
    assert not runner_commands(ours)
    assert "\\x1b[2J" in ours


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('No module', name='rich')")
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "status", "--env", "lab"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "pip install -r requirements.lock" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_right_stays_0() -> None:
    listed = inv("--list")
    assert listed.returncode == 0
    assert "deploy" in listed.stdout


def test_a_reader_that_is_gone_does_not_change_the_exit_code() -> None:
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    read, write = os.pipe()
    os.close(read)
    program = "from deploy.cli import invoke_patch; print('said'); invoke_patch.settle()"
    with os.fdopen(write, "w") as stdout:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=buffered,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["report", "history"])
def test_a_runs_id_is_taken_without_its_options_name(command: str) -> None:
    parser = Parser(contexts=namespace.to_contexts())
    (context,) = parser.parse_argv([command, "4f2a"])
    assert context.args["run"].value == "4f2a"
    with pytest.raises(ParseError):
        parser.parse_argv(["status", "4f2a"])
