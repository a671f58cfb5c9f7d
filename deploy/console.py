"""The screen: a terminal, or a CI log; where everything is said."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, TextIO, cast

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from deploy.watch import LiveWatch, Watch, clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from deploy.plan import Plan


class _Unbreakable:
    """A standard stream whose reader may vanish (EIO, EPIPE): writing to it never raises.

    Rich would end the process on a broken pipe, and draws from threads that nobody guards.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding = file.encoding or "utf-8"

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except UnicodeEncodeError:
            return self.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._file.fileno()


def _console(file: TextIO) -> Console:
    return Console(file=cast("IO[str]", _Unbreakable(file)), highlight=False, soft_wrap=True)


class Screen:
    """Where everything is said. A dead terminal (EIO, EPIPE) never raises: work goes on unseen."""

    def __init__(self) -> None:
        self._console = _console(sys.stdout)
        self._errors = _console(sys.stderr)
        self.is_terminal = self._console.is_terminal and not self._console.is_dumb_terminal

    def say(self, text: str, style: str = "") -> None:
        """One or more lines on standard output."""
        self._console.print(Text(text, style=style))

    def complain(self, text: str) -> None:
        """An error, on standard error."""
        self._errors.print(Text(text, style="red"))

    def show(self, thing: RenderableType) -> None:
        """A table or group."""
        self._console.print(thing)

    def confirm(self, question: str) -> bool:
        """Ask on a terminal; anywhere else the command itself is the decision."""
        if not (self.is_terminal and sys.stdin.isatty()):
            return True
        try:
            return self._console.input(f"{escape(question)} ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Something that takes more than a moment."""
        if not self.is_terminal:
            self.say(f"{clock()} {text}")
            yield
            return
        with self._console.status(text):
            yield

    def progress(self, plan: Plan) -> Watch:
        """What listens to a run's events: a live table here, plain lines elsewhere."""
        return LiveWatch(plan, self._console) if self.is_terminal else Watch(self.say)
