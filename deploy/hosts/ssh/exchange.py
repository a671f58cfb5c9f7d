"""Sends one command on a channel and reads its answer, within a time and a size."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paramiko

from deploy.hosts.ssh import framing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.hosts.ssh.connection import Connection
    from deploy.package.entries import Source

CHUNK_BYTES = 256 * 1024
STDERR_BYTES = 64 * 1024
"""How much of a command's stderr is kept; the rest is read and dropped."""
LATE_STDERR_SECONDS = 1.0
NO_EXIT_CODE = -1  # paramiko's word for a peer that went away

ANSWER_BYTES = 4 * 1024 * 1024
"""How much one command may print, start-up files of the login shell included."""

UPLOAD_PAUSE_SECONDS = 120.0
"""How long a host may take no byte of an upload."""

LEAST_UPLOAD_RATE = 16 * 1024
"""Bytes per second under which an upload is given up."""


class NoSession(paramiko.ChannelException):
    """A host's sshd opens no session on a connection that is open."""

    def __str__(self) -> str:
        return f"sshd opens no session on it ({self.text}): look at MaxSessions in its sshd_config"


def session(transport: paramiko.Transport, seconds: float | None) -> paramiko.Channel:
    """A channel for one command, opened within so many seconds; NoSession where none is allowed."""
    try:
        return transport.open_session(timeout=seconds)
    except paramiko.ChannelException as error:
        raise NoSession(error.code, error.text) from error


def send(
    channel: paramiko.Channel,
    script: bytes,
    source: Source | None,
    sent: Callable[[int], None],
) -> int:
    """Send a script and what follows it; how many bytes followed."""
    size = 0
    try:
        channel.sendall(script)
        while source and (chunk := source.read(CHUNK_BYTES)):
            channel.sendall(chunk)
            size += len(chunk)
            sent(len(chunk))
        channel.shutdown_write()
    except TimeoutError:
        raise
    except OSError:
        # The command ended before it read all: its exit code and stderr say why.
        if not channel.exit_status_ready() and not channel.closed:
            raise
    return size


class _News(threading.Event):
    """Signals that a channel has data, or that it ended.

    In place of the pipe that Paramiko makes for `Channel.fileno`: its thread may write to that
    while ours closes it, and so into whatever has the number by then: another host's connection.
    """

    def clear(self) -> None:
        """Do nothing where Paramiko has all of one stream read: the other may have more."""

    def forget(self) -> None:
        """Forget what came; both streams are looked at next."""
        super().clear()


def read(channel: paramiko.Channel, frame: framing.Frame, limit: float) -> str:
    """Read until the frame is closed or the command has ended; its own stderr.

    Raises TimeoutError at `limit`, in monotonic seconds, and TooMuch.
    """
    errors = bytearray()
    news = _News()
    channel.in_buffer.set_event(news)
    channel.in_stderr_buffer.set_event(news)
    received, began = 0, time.monotonic()
    while frame.exit_code != 0:
        news.forget()
        # Stderr first: what sudo said came before the script began.
        if channel.recv_stderr_ready():
            data = channel.recv_stderr(CHUNK_BYTES)
            errors += data[: max(0, STDERR_BYTES - len(errors))]
            received += len(data)
            if received > frame.most_bytes:
                raise framing.TooMuch
        elif channel.recv_ready():
            had_begun = frame.has_begun
            frame.feed(channel.recv(CHUNK_BYTES))
            if frame.has_begun and not had_begun:
                frame.start = (time.monotonic() - began, "")
        elif channel.eof_received or channel.closed:
            break
        else:
            # What a failed command printed on stderr may come after its frame.
            ended = time.monotonic() + LATE_STDERR_SECONDS
            left = (limit if frame.exit_code is None else min(limit, ended)) - time.monotonic()
            is_more = left > 0 and news.wait(left)
            if not is_more and frame.exit_code is not None:
                break
        if frame.exit_code is None and time.monotonic() > limit:
            raise TimeoutError
    return frame.errors(errors.decode(errors="replace"))


def exit_code(channel: paramiko.Channel, frame: framing.Frame, limit: float) -> int:
    """The script's exit code, as it ended its frame with, or else as the SSH server reports it."""
    if frame.exit_code is not None:
        return frame.exit_code
    if not channel.status_event.wait(max(0.0, limit - time.monotonic())):
        raise TimeoutError
    return channel.recv_exit_status()


REFUSED_SECONDS, PAUSE_SECONDS = 10.0, 0.02
"""How long a session that sshd refuses is asked for again, and how often."""


class Sessions:
    """The sessions of one host's commands, within what its sshd allows (MaxSessions).

    sshd counts a session until its program has ended, which is after the answer is complete: where
    it allows one alone, the next one is refused for a moment, and one beside a command for as long
    as that takes. A lock that does not beat during an upload would be taken over.
    """

    def __init__(self, another: Callable[[], Connection]) -> None:
        """another: opens one more connection to the host."""
        self._another = another
        self._second: Connection | None = None
        self._turn = threading.Lock()

    @contextmanager
    def of(
        self, transport: paramiko.Transport, beside_seconds: float | None
    ) -> Iterator[paramiko.Channel]:
        """A session of the command that has the connection to itself, or of one beside it.

        beside_seconds: how long to wait for one beside it, which after the first refusal is on a
        second connection; None for the command's own. NoSession where sshd goes on to refuse,
        TimeoutError where others use the second connection for so long.
        """
        if beside_seconds is None:
            with _patiently(transport) as channel:
                yield channel
            return
        if first := self._shared(transport, beside_seconds):
            with first as channel:
                yield channel
            return
        if not self._turn.acquire(timeout=beside_seconds):
            raise TimeoutError
        try:
            with _patiently(self._own_transport()) as channel:
                yield channel
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the second connection, if there is one."""
        if self._second is not None:
            self._second.close()

    def _shared(self, transport: paramiko.Transport, seconds: float) -> paramiko.Channel | None:
        """A session on the connection that a command uses; None once sshd has refused one there."""
        if self._second is not None:
            return None
        try:
            return session(transport, seconds)
        except NoSession:
            return None

    def _own_transport(self) -> paramiko.Transport:
        if self._second is None or not self._second.is_connected:
            self.close()
            self._second = self._another()
        transport: paramiko.Transport = self._second.transport
        return transport


def _patiently(transport: paramiko.Transport) -> paramiko.Channel:
    """A session, asked for again for a while where sshd refuses it."""
    ends = time.monotonic() + REFUSED_SECONDS
    while True:
        try:
            # The settings' connect_timeout_seconds is the limit of each.
            return session(transport, None)
        except NoSession:
            if time.monotonic() > ends:
                raise
        time.sleep(PAUSE_SECONDS)
