"""Completion in the shells themselves: bash, zsh and fish, each on a terminal of its own."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "cli" / "shells"
SETTINGS = """
deploy:
  apps: {web: {}, admin: {}}
  environments:
    prod: {hosts: [web-1, web-2, db-1, "fd00::4"]}
    "staging eu": {hosts: [web-9]}
"""
PROGRAM = """#!/bin/sh
PYTHONPATH={root} exec {python} -c \
    "import sys; sys.argv[0] = 'changeover'; from changeover import main; main()" "$@"
"""
# Shows how a shell reads a line, in one go.
WORDS = """#!/bin/sh
printf '%s\\n' "$@" >words.part
mv words.part words
"""
START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
PREPARED = {
    "bash": "bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; ",
    "zsh": "bindkey -e; ",
    "fish": "",
}
DEADLINE_SECONDS = 60.0
TAB, TO_START = "\t", "\x01"


class Terminal:
    """A shell on a pseudo-terminal, with completion as its user turns it on; a `with` block."""

    def __init__(self, shell: str, folder: Path, script: Path) -> None:
        if not shutil.which(shell):
            pytest.skip(f"no {shell} here; scripts/debian-packages shells installs it")
        environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TERM": "dumb" if shell != "fish" else "xterm",
            "LC_ALL": "C.UTF-8",
        }
        self._seen, self._words = "", folder / "words"
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe(START[shell][0], START[shell], environ)  # noqa: S606 - a shell is meant
        self.type(f"{PREPARED[shell]}source '{script}'\r")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def read(self, seconds: float = 0) -> str:
        """All that the shell has shown, and what it shows within this time."""
        if select.select([self._terminal], [], [], seconds)[0]:
            self._seen += os.read(self._terminal, 65536).decode(errors="replace")
        return self._seen

    def completed(self, line: str) -> list[str]:
        """The words that a line has after a Tab, as the shell reads them."""
        self.type(f"{line}{TAB}{TO_START}words \r")
        until = time.monotonic() + DEADLINE_SECONDS
        while not self._words.exists():
            assert time.monotonic() < until, self.read()
            self.read(0.05)
        found = self._words.read_text().splitlines()
        self._words.unlink()
        return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "fabric.yaml").write_text(SETTINGS)
    program = tmp_path / "bin" / "changeover"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(root=ROOT, python=sys.executable))
    (program.parent / "words").write_text(WORDS)
    for file in program.parent.iterdir():
        file.chmod(0o755)
    (tmp_path / "web.1.0.0.zip").write_bytes(b"")
    return tmp_path


COMPLETED = {
    "changeover dep": ["changeover", "deploy"],
    "changeover deploy --allow-d": ["changeover", "deploy", "--allow-downtime"],
    "changeover deploy --env pr": ["changeover", "deploy", "--env", "prod"],
    "changeover deploy --env=pr": ["changeover", "deploy", "--env=prod"],
    "changeover deploy --env st": ["changeover", "deploy", "--env", "staging eu"],
    "changeover deploy --env 'sta": ["changeover", "deploy", "--env", "staging eu"],
    "changeover deploy --env 'staging eu' --hosts w": [
        *("changeover", "deploy", "--env", "staging eu", "--hosts", "web-9"),
    ],
    "changeover deploy --env prod --app=a": [
        "changeover",
        "deploy",
        "--env",
        "prod",
        "--app=admin",
    ],
    "changeover deploy --env prod --hosts web-1,d": [
        *("changeover", "deploy", "--env", "prod", "--hosts", "web-1,db-1"),
    ],
    "changeover observe --env prod --host fd00::": [
        *("changeover", "observe", "--env", "prod", "--host", "fd00::4"),
    ],
    "changeover deploy --env prod --package we": [
        *("changeover", "deploy", "--env", "prod", "--package", "web.1.0.0.zip"),
    ],
}


@pytest.mark.parametrize("shell", START)
def test_a_tab_completes_names_and_quotes_what_is_odd(shell: str, project: Path) -> None:
    script = SCRIPTS / f"completion.{shell}"
    with Terminal(shell, project, script) as terminal:
        seen = {line: terminal.completed(line) for line in COMPLETED}
    assert seen == COMPLETED


@pytest.mark.parametrize("shell", START)
def test_a_broken_settings_file_is_not_mentioned_on_the_line(shell: str, project: Path) -> None:
    (project / "fabric.yaml").write_text("deploy: [")
    line = "changeover deploy --env prod --app adm"
    with Terminal(shell, project, SCRIPTS / f"completion.{shell}") as terminal:
        assert terminal.completed(line) == line.split()


def test_control_without_the_script_nothing_is_completed(project: Path) -> None:
    empty = project / "empty"
    empty.touch()
    with Terminal("bash", project, empty) as terminal:
        assert terminal.completed("changeover dep") == ["changeover", "dep"]


def test_the_script_that_invoke_prints_completes_names_too(project: Path) -> None:
    """`changeover --print-completion-script bash`, for those who have it."""
    printed = subprocess.run(
        [project / "bin" / "changeover", "--print-completion-script", "bash"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    script = project / "invoke.bash"
    script.write_text(printed)
    with Terminal("bash", project, script) as terminal:
        line = "changeover deploy --env pr"
        assert terminal.completed(line) == ["changeover", "deploy", "--env", "prod"]
