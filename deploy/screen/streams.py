"""Standard output and error: guarded, alive without a reader, and left as they were found."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from deploy.ci_system import is_ci
from deploy.foreign_text import Lines
from deploy.screen.terminal import Direct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


# As long as a thread may take for what it has begun to write.
LAST_WRITE_SECONDS = 0.05


class Guarded:
    """A standard stream that lets nothing through but printable text and line breaks.

    direct: the stream behind it; target: where guarded text goes, which a live table changes.
    """

    def __init__(self, file: TextIO, environ: Mapping[str, str]) -> None:
        self.direct = Direct(file)
        self.is_terminal = self.direct.isatty() and not is_ci(environ)
        self.target: Any = self.direct
        self._lines = Lines(for_terminal=self.is_terminal)

    def write(self, text: str) -> int:
        """Write text with everything visible; the length of the text."""
        self.target.write(self._lines.guarded(text))
        return len(text)

    def command(self, text: str) -> None:
        """Write a line unguarded: a command of ours to the CI system that reads this stream.

        The values in it are guarded where it is made (`screen.ci.dialects`).
        """
        self.direct.write(f"{text}\n")
        self.direct.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.direct if name in {"flush", "isatty"} else self.direct.file, name)


def guard() -> tuple[Guarded, Guarded]:
    """Guard standard output and error from now on, if they are not; both."""
    found: list[Guarded] = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Guarded):
            # Python has none where the caller closed the descriptor: `inv status >&-`.
            given = Path(os.devnull).open("w") if stream is None else stream  # noqa: SIM115
            stream = Guarded(given, os.environ)
            setattr(sys, name, cast("TextIO", stream))
        found.append(stream)
    return found[0], found[1]


def guard_program() -> None:
    """Guard what Python itself prints too: tracebacks, and a log that Invoke's --debug began."""
    raw = sys.stderr
    guard()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is raw:
            handler.setStream(sys.stderr)
    sys.excepthook = _show
    threading.excepthook = lambda failed: _show(
        failed.exc_type, failed.exc_value or failed.exc_type(), failed.exc_traceback
    )


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a traceback without colours, which would be made visible like any other escape."""
    sys.stderr.write("".join(traceback.format_exception(kind, error, trace)))


def restore() -> None:
    """Leave the terminal as it was found; safe in a signal handler."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Guarded):
            stream.direct.restore()


def end(text: str) -> None:
    """Write the last line of a process that ends at once; no thread writes after it."""
    out, err = guard()
    out.direct.is_shut = err.direct.is_shut = True
    time.sleep(LAST_WRITE_SECONDS)
    restore()
    shown = Lines(for_terminal=err.is_terminal).guarded(f"{text}\n")
    below = "\n" if err.is_terminal else ""
    with suppress(OSError, ValueError):
        os.write(err.direct.fileno(), f"{below}{shown}".encode())


def settle() -> None:
    """Restore the terminal and flush all output; a reader that is gone is no error.

    Python would try again at its end (`inv status | head -1`), complain, and turn the exit code
    into 120.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        direct = stream.direct if isinstance(stream, Guarded) else Direct(stream)
        try:
            direct.file.flush()
            direct.restore()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, direct.fileno())
            os.close(nowhere)
