"""Runs one hook, a program of the user's, on the workstation with a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from deploy.clock import CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from deploy.clock import Clock

MOST_LINES = 20
"""So many of a hook's last lines are kept."""
MOST_BYTES = 4096
"""Of one line."""
LOOK_SECONDS = 0.1
"""How often a hook that runs is looked at."""
GRACE_SECONDS = 2.0
"""How long a hook has to end by itself once it is asked to, before it is killed."""
DRAIN_SECONDS = 1.0
"""How long the end of its output is waited for: what it left in the background may hold it open."""


@dataclass(frozen=True)
class Ended:
    """How a hook ended.

    Attributes:
        seconds: It ran, of wall time.
        error: What went wrong, in words; empty where it ended with status 0.
        output: Its last lines on standard output and error; foreign text.
        is_late: Whether it was ended by the time limit.
    """

    seconds: float
    error: str
    output: tuple[str, ...]
    is_late: bool = False


class _Tail:
    """Reads a stream to its end, so that its writer never waits; keeps the last lines."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[bytes] = deque(maxlen=MOST_LINES)
        self._stream = stream
        # A daemon: a program that the hook left behind may hold the stream open for ever.
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream as stream:
            while line := stream.readline(MOST_BYTES):
                self._lines.append(line)

    def lines(self) -> tuple[str, ...]:
        """The last lines, once the stream ended or was waited for long enough."""
        self._thread.join(DRAIN_SECONDS)
        return tuple(each.decode(errors="replace").rstrip("\r\n") for each in [*self._lines])


def run(
    file: Path,
    *,
    folder: Path,
    variables: Mapping[str, str],
    event: str,
    limit_seconds: float,
    is_over: Callable[[], bool] = lambda: False,
    clock: Clock = CLOCK,
) -> Ended:
    """Run a hook to its end.

    It gets this process's environment too. It has a session of its own: Ctrl-C, which ends a run in
    order, is not for it.

    Args:
        file: The executable.
        folder: The working directory.
        variables: Set in its environment.
        event: Its standard input: one line of JSON.
        limit_seconds: It is ended after so long.
        is_over: Whether it is to be ended at once, since the run is.
        clock: The time.
    """
    began = clock.monotonic()
    try:
        given = _held(event)
    except OSError as full:
        return Ended(0.0, f"the event for it cannot be stored: {full.strerror}", ())
    with given:
        try:
            process = subprocess.Popen(
                [str(file)],
                cwd=folder,
                env={**os.environ, **variables},
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as refused:
            return Ended(0.0, _cannot_start(refused), ())
    tail, is_late, is_stopped = _Tail(cast("IO[bytes]", process.stdout)), False, False
    try:
        while process.poll() is None and not (is_late or is_stopped):
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_SECONDS)
            is_late, is_stopped = clock.monotonic() - began > limit_seconds, is_over()
    finally:
        has_ended = process.poll() is not None
        if not has_ended:
            _end(process)
    error = _status(process.returncode)
    if not has_ended:
        late = f"it took longer than {limit_seconds:g} s (`hook_seconds:`)"
        error = late if is_late else "it was ended, as the run was"
    seconds = clock.monotonic() - began
    return Ended(seconds, error, tail.lines(), is_late and not has_ended)


def _held(event: str) -> IO[bytes]:
    """A file to read an event from; OSError where there is no room for it."""
    given = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        given.write(event.encode())
        given.seek(0)
    except OSError:
        with suppress(OSError):
            given.close()
        raise
    return given


def _cannot_start(error: OSError) -> str:
    """Why a program cannot be executed, with the usual reason where the system's word is odd."""
    why = f"it cannot be executed: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return f"{why}; is the interpreter of its first line (`#!`) installed here?"
    is_script = "exec format" in (error.strerror or "").lower()
    return f"{why}; a script begins with a line such as `#!/bin/sh`" if is_script else why


def _status(code: int) -> str:
    """What a process's end means, in words; empty for success."""
    if code < 0:
        return f"signal {-code} ended it"
    return f"exit status {code}" if code else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: asked first, then killed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
