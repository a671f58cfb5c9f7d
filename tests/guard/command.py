"""Runs the console command in this process, and judges how it ended."""

from __future__ import annotations

import faulthandler
import io
import re
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import currently_in_test_context, event

from deploy import foreign_text
from deploy.cli import tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

DOCS = Path(__file__).parents[2] / "docs" / "exit-codes.md"
CODES = frozenset(
    int(code)
    for code in re.findall(r"^\| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
)
MOST_LINES, MOST_CHARACTERS = 40, 40_000
"""As much as a message may have: a screen of lines, each of a few values that are shortened."""
LIMIT_SECONDS = 120.0
"""How long a command may take that waits for nothing, on a machine with much else to do."""


class Hung(BaseException):
    """A command took longer than any that waits for nothing."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code.
        out: What it printed.
        err: What it printed to standard error.
    """

    code: object
    out: str
    err: str

    @property
    def problem(self) -> str:
        """What is wrong with the ending; empty where it is success or one message."""
        text = self.out + self.err
        if self.code not in CODES:
            return f"exit code {self.code!r} is not in the table"
        if "Traceback (most recent call last)" in text or "a defect in Changeover" in text:
            return "a defect shows"
        if foreign_text.lines(text) != text:
            return "a character that acts on a terminal is printed"
        if self.code and not text.strip():
            return "no message says why"
        message = self.err.splitlines() if self.code else []
        if len(message) > MOST_LINES or len(self.err) > MOST_CHARACTERS:
            return f"the message has {len(message)} lines, {len(self.err)} characters"
        return ""


def check(ended: Ended) -> Ended:
    """Fail the test for an ending that no user should see."""
    if currently_in_test_context():
        event(f"exit code {ended.code}")
    assert not ended.problem, f"{ended.problem}: {ended.code!r}\n{ended.out}\n{ended.err}"[:8000]
    return ended


def run(*words: str, limit_seconds: float = LIMIT_SECONDS) -> Ended:
    """Type `changeover` and these words."""
    return ending(lambda: typed(*words), limit_seconds)


def typed(*words: str) -> None:
    """Run the console command as if these words were typed after it."""
    before, sys.argv = sys.argv, ["changeover", *words]
    try:
        tasks.main()
    finally:
        sys.argv = before


def ending(body: Callable[[], object], limit_seconds: float = LIMIT_SECONDS) -> Ended:
    """How a program ends that this is the body of; an exception goes on, as a traceback would."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with _streams(out, err), _within(limit_seconds):
        try:
            body()
        except SystemExit as end:
            code = end.code or 0
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def _streams(out: io.StringIO, err: io.StringIO) -> Iterator[None]:
    """Put these in place of the standard streams, which a command guards, and hooks, it sets."""
    hooks = sys.excepthook, threading.excepthook
    streams = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), out, err
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.excepthook, threading.excepthook = hooks


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise Hung in the main thread after so many seconds, whatever it waits for."""

    def give_up(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Hung(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # Where another thread waits, the main thread waits for that.
    faulthandler.dump_traceback_later(2 * seconds, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
