"""One host over SSH: connect, run, send, ask its port."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import paramiko
from invoke.exceptions import CommandTimedOut

from deploy import commands, questions, ssh
from deploy.errors import (
    CommandFailed,
    CommandResult,
    ConnectionLost,
    DeployError,
    LockLost,
    RemoteError,
    Unsettled,
)
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from deploy.entries import Source
    from deploy.inventory import Host
    from deploy.settings import Environment

    class Guard(Protocol):
        """Who may still change the environment: the lock that this deploy holds."""

        fence: str

        def confirm(self) -> None:
            """Raise LockLost unless the lock is still ours, as far as is known here."""


CHUNK_BYTES = 256 * 1024
MOST_AT_ONCE = 32  # hosts that are connected to, asked or left together
NO_EXIT_CODE = -1  # paramiko's word for a peer that went away

# A refused channel is an answer to us; without a handler, logging would print it as a warning.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Forwarded(http.client.HTTPConnection):
    """HTTP over a channel of the SSH connection."""

    def __init__(self, channel: paramiko.Channel, timeout_seconds: float) -> None:
        super().__init__("127.0.0.1", timeout=timeout_seconds)
        channel.settimeout(timeout_seconds)
        self.sock: Any = channel


class Remote:
    """A host's one connection; its methods are called from one thread at a time.

    guard: the lock under which changes are made, or None for a look that changes nothing.
    """

    def __init__(self, host: Host, environment: Environment) -> None:
        self.host = host
        self.guard: Guard | None = None
        self._connection = ssh.connection_to(host, environment)
        self._lock = threading.Lock()
        self._forwarding_refused = False

    def connect(self) -> None:
        """Open the connection; BadInput says why a host cannot be reached or trusted."""
        if not self._connection.is_connected:
            ssh.open_to(self.host, self._connection)

    def greet(self) -> None:
        """Connect before anything is asked; what fails is told to whoever asks."""
        with self._lock, suppress(DeployError):
            self.connect()

    def close(self) -> None:
        """End the connection."""
        transport: paramiko.Transport | None = self._connection.transport
        if transport is not None and isinstance(transport.sock, socket.socket):
            # Wakes paramiko's reader, which looks every 0.1 s whether it shall end.
            with suppress(OSError):
                transport.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def ask(self, script: str, what: str, timeout_seconds: float = 30) -> CommandResult:
        """Run a reading script as root; any exit code is an answer."""
        return self._run(commands.as_root(script), what, timeout_seconds)

    def change(self, app: str, script: str, what: str, timeout_seconds: float = 60) -> str:
        """Run a changing script as root under the app's lock; its output.

        Raises CommandFailed for any exit code but 0, Unsettled where the host is starting or
        stopping, LockLost when the environment is another's.
        """
        command = self._guarded(app, script)
        return self._checked(self._run(command, what, timeout_seconds + 60), what)

    def send(
        self,
        app: str,
        script: str,
        what: str,
        source: Source,
        sent: Callable[[int], None] = lambda _: None,
    ) -> str:
        """Run a changing script with `source` as its stdin; `sent` hears of every chunk's bytes.

        A stream over an exec channel, not SFTP: faster, checked by the script, published whole.
        """
        return self._checked(self._stream(self._guarded(app, script), what, source, sent), what)

    def aside(self, script: str, timeout_seconds: float) -> CommandResult:
        """Run a script as root beside whatever runs here, on a channel of its own; any exit code.

        Raises DeployError where there is no connection, and none can be had.
        """
        try:
            with self._idle_transport().open_session(timeout=timeout_seconds) as channel:
                channel.settimeout(timeout_seconds)
                channel.exec_command(commands.as_root(script))
                out = channel.makefile("rb").read().decode(errors="replace")
                code = channel.recv_exit_status()
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionLost(f"{self.host}: the connection broke: {visible(error)}") from error
        return CommandResult(script, code, out, "")

    def _idle_transport(self) -> paramiko.Transport:
        """The connection's transport, whoever uses it; opened anew only where nobody does."""
        found: paramiko.Transport | None = self._connection.transport
        if found is not None and found.is_active():
            return found
        if not self._lock.acquire(timeout=1):
            raise ConnectionLost(f"{self.host}: the connection is being opened again")
        try:
            return self._transport()
        finally:
            self._lock.release()

    def _guarded(self, app: str, script: str) -> str:
        """The script under the app's lock, which ends at once when the environment is another's."""
        if self.guard is None:
            return commands.locked(app, script)
        self.guard.confirm()
        return commands.locked(app, f"{self.guard.fence}\n{script}")

    def probe(self, port: int, path: str, host_header: str, timeout_seconds: float) -> int | None:
        """The status code that the host's own port answers to GET, or None where nobody does.

        Through the SSH connection; where sshd forbids forwarding, by curl or python3 there.
        """
        if not self._forwarding_refused:
            code = self._probe_forwarded(port, path, host_header, timeout_seconds)
            if not self._forwarding_refused:
                return code
        for build in (questions.probe_with_curl, questions.probe_with_python):
            script = build(port, path, host_header, timeout_seconds)
            said = self._run(script, "probe", timeout_seconds + 10).stdout.split()
            answer = said[-1] if said else ""  # before it, a shell's start-up files may speak
            if answer.isdigit():
                return int(answer) or None
        raise RemoteError(
            f"{self.host}: sshd forbids forwarding and neither curl nor python3 is there to ask "
            f"port {port}; install curl on the host"
        )

    def _probe_forwarded(
        self, port: int, path: str, host_header: str, timeout_seconds: float
    ) -> int | None:
        with self._lock:  # the lock's heartbeat may be opening the connection again
            transport = self._transport()
        try:
            channel = transport.open_channel(
                "direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 0), timeout=timeout_seconds
            )
        except paramiko.ChannelException as error:
            prohibited = 1
            self._forwarding_refused = error.code == prohibited
            return None
        except (paramiko.SSHException, OSError, EOFError):
            return None
        try:
            connection = _Forwarded(channel, timeout_seconds)
            connection.request("GET", path, headers={"Host": host_header, "Connection": "close"})
            return connection.getresponse().status
        except (http.client.HTTPException, OSError, EOFError, ValueError):
            return None
        finally:
            channel.close()

    def _transport(self) -> paramiko.Transport:
        self.connect()
        transport: paramiko.Transport | None = self._connection.client.get_transport()
        if transport is None:
            raise RemoteError(f"{self.host}: the SSH connection is gone")
        return transport

    def _checked(self, result: CommandResult, what: str) -> str:
        if result.exit_code == commands.LOCK_BUSY:
            raise RemoteError(
                f"{self.host}: {what}: another command of a deploy still runs there and holds "
                "the app's lock; look with `ps -ef | grep flock` and try again when it is done"
            )
        if result.exit_code == commands.LOCK_LOST and self.guard:
            raise LockLost(
                f"{self.host}: {what}: another deploy took the environment over; this one changes "
                "nothing any more"
            )
        if result.exit_code == commands.HOST_UNSETTLED:
            said = " ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-1:])
            raise Unsettled(f"{self.host}: {what} failed while it starts or stops: {visible(said)}")
        if result.exit_code:
            raise CommandFailed(self.host.name, what, result)
        return result.stdout

    def _broken(self, what: str, why: str) -> ConnectionLost:
        """Close what is left of the connection, so that the next command opens a new one."""
        transport: paramiko.Transport | None = self._connection.transport
        ended = transport.get_exception() if transport else None
        why = str(ended or why)
        self._connection.close()
        return ConnectionLost(f"{self.host}: {what}: the connection broke: {visible(why)}")

    def _run(self, command: str, what: str, timeout_seconds: float) -> CommandResult:
        with self._lock:
            self.connect()
            started = time.monotonic()
            try:
                result = self._connection.run(
                    command,
                    hide=True,
                    warn=True,
                    in_stream=False,
                    timeout=timeout_seconds,
                    encoding="utf-8",  # by default the workstation's own
                )
            except CommandTimedOut as error:
                raise RemoteError(
                    f"{self.host}: {what}: no end after {timeout_seconds:g} s"
                ) from error
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise self._broken(what, str(error)) from error
            if result.exited == NO_EXIT_CODE:
                raise self._broken(what, "no exit code came back")
            seconds = time.monotonic() - started
            return CommandResult(command, result.exited, result.stdout, result.stderr, seconds)

    def _stream(
        self, command: str, what: str, source: Source, sent: Callable[[int], None]
    ) -> CommandResult:
        with self._lock:
            started = time.monotonic()
            try:
                channel = self._transport().open_session()
                channel.settimeout(120)
                channel.exec_command(command)
                try:
                    while chunk := source.read(CHUNK_BYTES):
                        channel.sendall(chunk)
                        sent(len(chunk))
                    channel.shutdown_write()
                except OSError:
                    # The command ended before it read all: its exit code and stderr say why.
                    if not channel.exit_status_ready() and not channel.closed:
                        raise
                out = channel.makefile("rb").read().decode(errors="replace")
                err = channel.makefile_stderr("rb").read().decode(errors="replace")
                code = channel.recv_exit_status()
                channel.close()
            except (paramiko.SSHException, OSError, EOFError) as error:
                raise self._broken(what, str(error) or "no answer") from error
            if code == NO_EXIT_CODE:
                raise self._broken(what, "no exit code came back")
            return CommandResult(command, code, out, err, time.monotonic() - started)
