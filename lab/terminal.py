"""A terminal: runs a command on a pty of its own, and shows what is on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from deploy.errors import DeployError

ROOT = Path(__file__).parent.parent
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[^\[]|(\r)|(\n)|(\x08)|([^\x1b\r\n\x08]+)")
# A person at a terminal has no CI, and the lab needs no credentials.
LEFT_OUT = ("CI", "GITHUB_", "TF_BUILD", "BUILDKITE", "JENKINS_", "GITLAB_", "AWS_")


@dataclass
class Screen:
    """What a terminal shows after some output: as much of VT100 as rich uses.

    rows: all that was ever shown, those that scrolled away included; shown: the visible ones.
    """

    width: int = 80
    height: int = 24
    rows: list[str] = field(default_factory=lambda: [""])
    shows_cursor: bool = True
    is_alternate: bool = False
    row: int = 0
    column: int = 0

    def feed(self, output: str) -> Screen:
        """Take in some output."""
        for found in SEQUENCE.finditer(output):
            numbers, command, carriage, newline, back, text = found.groups()
            if command:
                self._obey(numbers, command)
            elif carriage:
                self.column = 0
            elif newline:
                self._down()
            elif back:
                self.column = max(0, self.column - 1)
            elif text:
                self._write(text)
        return self

    @property
    def shown(self) -> list[str]:
        """The rows that are on the screen."""
        return self.rows[-self.height :]

    def _obey(self, numbers: str, command: str) -> None:
        count = int(numbers) if numbers.isdigit() else 1
        if command == "A":
            top = max(0, len(self.rows) - self.height)
            self.row = max(top, self.row - count)
        elif command == "K":
            line = self.rows[self.row]
            self.rows[self.row] = "" if numbers == "2" else line[: self.column]
        elif numbers == "?25":
            self.shows_cursor = command == "h"
        elif numbers == "?1049":
            self.is_alternate = command == "h"

    def _down(self) -> None:
        self.row += 1
        while len(self.rows) <= self.row:
            self.rows.append("")

    def _write(self, text: str) -> None:
        for character in text:
            if self.column == self.width:
                self.column = 0
                self._down()
            line = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1


class Session:
    """A Python program on a pty that is its controlling terminal; a `with` block.

    pipes: `stdout`, `stdin` or both, where those are pipes and not the terminal.
    """

    def __init__(
        self,
        program: str,
        *arguments: str,
        pipes: tuple[str, ...] = (),
        height: int = 24,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.output = ""
        self.piped = b""
        self.height = height
        read, write = os.pipe()
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            self._become(program, arguments, (read, write), pipes, environ)
        os.close(write)
        self._pipe = read
        size = struct.pack("HHHH", height, 80, 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)
        self.before = termios.tcgetattr(self.terminal)
        self.code: int | None = None

    @staticmethod
    def _become(
        program: str,
        arguments: tuple[str, ...],
        ends: tuple[int, int],
        pipes: tuple[str, ...],
        environ: dict[str, str] | None,
    ) -> None:
        read, write = ends
        if "stdout" in pipes:
            os.dup2(write, 1)
        if "stdin" in pipes:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.close(read)
        own = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
        own |= {"TERM": "xterm", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"} | (environ or {})
        os.chdir(ROOT)
        # Ignored in what a shell starts in the background, and that is inherited.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execve(sys.executable, [sys.executable, "-c", program, *arguments], own)  # noqa: S606

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.terminal)
        os.close(self._pipe)

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what the program writes within so many seconds; whether it goes on."""
        readable, _, _ = select.select([self.terminal, self._pipe], [], [], seconds)
        if self._pipe in readable:
            self.piped += os.read(self._pipe, 65536)
        if self.terminal not in readable:
            return True
        try:
            more = os.read(self.terminal, 65536)
        except OSError:  # EIO: no process has it open any more
            return False
        self.output += more.decode(errors="replace")
        return bool(more)

    def until(self, words: str, seconds: float = 20) -> None:
        """Read until these words were written."""
        end = time.monotonic() + seconds
        while words not in self.output:
            if time.monotonic() > end or not self.read():
                raise DeployError(f"never saw {words!r}:", *self.output.splitlines())

    def type(self, text: str) -> None:
        """Type on its keyboard; the third character of ASCII is Ctrl-C."""
        os.write(self.terminal, text.encode())

    def wait(self, seconds: float = 20) -> int:
        """Read to its end; the exit code, 128 and the number for a signal."""
        end = time.monotonic() + seconds
        status = 0
        ended = 0
        while not ended:
            if time.monotonic() > end:
                raise DeployError("no end:", *self.output.splitlines())
            if not self.read(0.02):
                time.sleep(0.01)
            ended, status = os.waitpid(self.pid, os.WNOHANG)
        while select.select([self.terminal], [], [], 0)[0] and self.read(0):
            pass
        self.code = os.waitstatus_to_exitcode(status)
        if self.code < 0:
            self.code = 128 - self.code
        return self.code

    @property
    def screen(self) -> Screen:
        """What the terminal shows."""
        return Screen(height=self.height).feed(self.output)

    @property
    def is_restored(self) -> bool:
        """Whether cursor, echo and screen are as before."""
        screen = self.screen
        same = termios.tcgetattr(self.terminal) == self.before
        return same and screen.shows_cursor and not screen.is_alternate
