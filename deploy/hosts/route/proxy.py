"""Runs a ProxyCommand in place of a socket, and ends it with all that it started."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from deploy.clock import CLOCK
from deploy.errors import BadInput

if TYPE_CHECKING:
    from typing import IO

GRACE_SECONDS = 1.0
"""How long a program may take to end after SIGTERM; then SIGKILL ends it."""
LAST_WORDS_SECONDS = 1.0
"""How long the end of its stderr is waited for, which may come after that of its output."""
STUCK_SECONDS = 40.0
"""How long it may take no byte: as long as a host may leave our keep-alives unanswered."""
STDERR_BYTES = 4096
_LOOK_SECONDS = 0.02

_groups: weakref.WeakSet[_Group] = weakref.WeakSet()


class Proxy:
    """A program's input and output, in the form of the socket that Paramiko expects.

    The program leads a session of its own: Ctrl-C in the terminal does not cut a recovery. Its
    process group is ended with the connection, and with us.
    """

    def __init__(self, command: str) -> None:
        """Start it as ssh does: by the user's shell, which it replaces (ssh_config(5)).

        Raises BadInput for a command that no shell could read, and where there is no shell.
        """
        try:
            shlex.split(command)
        except ValueError as error:
            raise BadInput(
                f"ProxyCommand cannot be read: {error}: {command}; correct it in ~/.ssh/config"
            ) from error
        shell = os.environ.get("SHELL") or "/bin/sh"
        try:
            process = subprocess.Popen(
                [shell, "-c", f"exec {command}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise BadInput(
                f"ProxyCommand {command}: {shell} cannot be run: {error.strerror}; correct SHELL"
            ) from error
        stdin, stdout, stderr = (
            cast("IO[bytes]", each) for each in (process.stdin, process.stdout, process.stderr)
        )
        self._input, self._output = stdin, stdout.fileno()
        os.set_blocking(stdin.fileno(), False)
        self._timeout: float | None = None
        self._stuck_since: float | None = None
        self._stderr = _Stderr(stderr)
        self._group = _Group(process)
        _groups.add(self._group)
        # Files are closed when no thread can be reading them: not by `close`, under another thread.
        weakref.finalize(self, self._group.finish)

    def settimeout(self, timeout: float | None) -> None:
        """Set how long `send` and `recv` wait, in seconds; None for as long as it takes."""
        self._timeout = timeout

    def send(self, data: bytes) -> int:
        """Write what it takes of the data; how many bytes. TimeoutError where it takes none."""
        now = CLOCK.monotonic()
        if not _is_ready(self._input.fileno(), select.POLLOUT, self._timeout):
            self._stuck_since = self._stuck_since or now
            if now - self._stuck_since > STUCK_SECONDS:
                raise BrokenPipeError("the ProxyCommand takes no more bytes")
            raise TimeoutError
        self._stuck_since = None
        try:
            taken = self._input.write(data)
        except BrokenPipeError:
            return len(data)  # it has ended: what it printed before is read first, and says why
        if not taken:
            raise TimeoutError
        return taken

    def recv(self, size: int) -> bytes:
        """Read up to so many bytes; none at its end. TimeoutError where nothing comes."""
        if not _is_ready(self._output, select.POLLIN, self._timeout):
            raise TimeoutError
        return os.read(self._output, size)

    @property
    def closed(self) -> bool:
        """Whether it was ended."""
        return self._group.is_over

    _closed = closed
    """As Paramiko asks a socket."""

    def close(self) -> None:
        """End its process group."""
        self._group.end()

    def last_words(self) -> str:
        """The last line of its stderr, once it ended; the latest one of one that still runs."""
        return self._stderr.last_line(LAST_WORDS_SECONDS)


class _Group:
    """A program with all that it started, unless that left its process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.is_over = False
        self._lock = threading.Lock()

    def end(self) -> None:
        """End it: by SIGTERM, and what is left of it by SIGKILL."""
        with self._lock:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if not self.is_over:
                    self._signal(number)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)
        end = CLOCK.monotonic() + GRACE_SECONDS
        # A group's number stays its own while it has a member, or its leader was not waited for;
        # later it may be a stranger's, who must not be sent anything.
        while not self.is_over and CLOCK.monotonic() < end:
            self.is_over = self.process.poll() is not None and _is_empty(self.process.pid)
            if not self.is_over:
                CLOCK.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """Kill it, and wait for nothing."""
        if not self.is_over:
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self) -> None:
        """End what has no user any more, also where the interpreter ends, and close its files."""
        self.end()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()


class _Stderr:
    """A program's stderr, read as it comes, so that the program never waits for us.

    The thread holds nothing but this: a program that it left behind may keep stderr open.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._kept = b""
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(OSError, ValueError), stream:
            while data := os.read(stream.fileno(), STDERR_BYTES):
                self._kept = (self._kept + data)[-STDERR_BYTES:]

    def last_line(self, seconds: float) -> str:
        """The last line that is not empty; its end is waited for so many seconds."""
        self._thread.join(seconds)
        lines = self._kept.decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def end_all() -> None:
    """Kill what still runs at once: we end without another word."""
    for group in list(_groups):
        group.kill()


def _is_ready(file: int, event: int, timeout: float | None) -> bool:
    """Whether a file can be read or written, or has ended, within so many seconds."""
    poll = select.poll()  # select() takes no file above 1023
    poll.register(file, event)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


def _is_empty(group: int) -> bool:
    """Whether a process group has no member any more."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
