"""One host over SSH: connect, run a script, send a stream, ask a port."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import paramiko

from deploy.call_log import noted
from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, DeployError, RemoteError
from deploy.foreign_text import visible
from deploy.hosts.route.routes import Routes
from deploy.hosts.scripts import base, probe
from deploy.hosts.ssh import connect, exchange, forwarding, framing, login
from deploy.hosts.ssh.guard import Guard, checked, not_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.aws.inventory import Host
    from deploy.hosts.probe.request import Reply, Request
    from deploy.hosts.scripts.script import Script
    from deploy.package.entries import Source
    from deploy.settings.environment import Environment

T = TypeVar("T")

PROBE_GRACE_SECONDS = 2.0  # for the round trip of a probe that the host itself makes

# A refused channel is an answer to us; without a handler, logging would print it as a warning.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Remote:
    """A host's one connection; its methods are called from one thread at a time.

    guard: the lock under which changes are made, or None for a look that changes nothing;
    routes: what its connection has in common with those of other hosts.
    """

    def __init__(self, host: Host, environment: Environment, routes: Routes | None = None) -> None:
        self.host = host
        self.guard: Guard | None = None
        make = partial(connect.on_routes, host, environment, routes or Routes())
        self._connection = make()
        self._sessions = exchange.Sessions(lambda: login.opened(host, make()))
        self._lock = threading.Lock()
        self._forwards = True

    def connect(self) -> None:
        """Open the connection; BadInput says why a host cannot be reached or trusted."""
        if not self._connection.is_connected:
            login.open_to(self.host, self._connection)

    def greet(self) -> None:
        """Connect ahead of the first command; a failure is raised by the first command."""
        with self._lock, suppress(DeployError):
            self.connect()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
        self._sessions.close()

    def ask(
        self,
        script: Script[T],
        timeout_seconds: float = 30,
        most_bytes: int = exchange.ANSWER_BYTES,
    ) -> T:
        """Run a reading script as root; what its parser makes of the answer.

        Raises RemoteError where the answer is longer than `most_bytes` or not there in time, and
        CommandFailed where the script must succeed and did not.
        """
        result = self._run(script, timeout_seconds, framing.Frame(framing.new_mark(), most_bytes))
        if script.must_succeed and result.exit_code:
            raise CommandFailed(self.host.name, script.name, result)
        return script.parse(result)

    def follow(self, script: Script[T], stream: framing.Stream, most_seconds: float) -> T:
        """Run a reading script as root; `stream` gets what it prints as it arrives."""
        return script.parse(self._run(script, most_seconds, stream))

    def change(self, app: str, script: Script[T], timeout_seconds: float = 60) -> T:
        """Run a changing script as root under the app's lock; what its parser makes of the answer.

        Raises CommandFailed for any exit code but 0, Unsettled where the host is starting or
        stopping, LockLost when the environment is another's.
        """
        return self.send(app, script, None, timeout_seconds=timeout_seconds + 60)

    def send(
        self,
        app: str,
        script: Script[T],
        source: Source | None,
        sent: Callable[[int], None] = lambda _: None,
        timeout_seconds: float = exchange.UPLOAD_PAUSE_SECONDS,
    ) -> T:
        """Run a changing script with `source` as its stdin; `sent` gets the bytes of each chunk.

        A stream over an exec channel, not SFTP: faster, checked by the script, published at once.
        """
        text = self._guarded(app, script)
        with self._lock:
            result = self._answer(
                self._transport(), script, text, timeout_seconds, source=source, sent=sent
            )
        return script.parse(checked(self.host, result, script.name, self.guard))

    def run_beside(self, script: Script[T], timeout_seconds: float) -> T:
        """Run a script as root beside whatever runs here, on a channel of its own; any exit code.

        Raises DeployError where there is no connection, and none can be had.
        """
        transport = self._idle_transport()
        result = self._answer(transport, script, script.text, timeout_seconds, is_shared=True)
        return script.parse(result)

    def _idle_transport(self) -> paramiko.Transport:
        """The connection's transport, shared with a command that runs; opened anew if none does."""
        found: paramiko.Transport | None = self._connection.transport
        if found is not None and found.is_active():
            return found
        if not self._lock.acquire(timeout=1):
            raise ConnectionLost(f"{self.host}: the connection is being opened again")
        try:
            return self._transport()
        finally:
            self._lock.release()

    def _guarded(self, app: str, script: Script[object]) -> str:
        """The script under the app's lock, which ends at once when the environment is another's."""
        if self.guard is None:
            return base.locked(app, script.text)
        self.guard.confirm()
        return base.locked(app, f"{self.guard.fence.text}{script.text}")

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        """Whether sshd lets us ask an address and port of the host through the connection."""
        if self._forwards:
            self._forwards = forwarding.is_allowed(self._own_transport(), place, seconds)
        return self._forwards

    def probe(self, request: Request, seconds: float) -> Reply | None:
        """What the host's own address and port answer, or None for nothing.

        Through the SSH connection; where sshd forbids forwarding, by curl or python3 there. Raises
        NotHttp for what is no answer, or none in time, and RemoteError where nothing can ask.
        """
        if self._forwards:
            try:
                return forwarding.ask(self._own_transport(), request, seconds)
            except forwarding.ForwardingRefused:
                self._forwards = False
        for script in probe.on_host(self.host.name, request, seconds):
            result = self._run(script, seconds + PROBE_GRACE_SECONDS, as_root=False)
            if (code := script.parse(result)) is not None:
                return probe.reply(self.host.name, request, code)
        raise RemoteError(probe.without_programs(self.host.name, request.port))

    def _own_transport(self) -> paramiko.Transport:
        with self._lock:  # the lock's heartbeat may be opening the connection again
            return self._transport()

    def _transport(self) -> paramiko.Transport:
        self.connect()
        transport: paramiko.Transport | None = self._connection.client.get_transport()
        if transport is None:
            raise RemoteError(f"{self.host}: the SSH connection is gone")
        return transport

    def _broken(self, what: str, why: str, *, is_shared: bool = False) -> ConnectionLost:
        """Close what is left of the connection, so that the next command opens a new one.

        A shared one stays open: what broke may be one command, and others are under way.
        """
        if not is_shared:
            transport: paramiko.Transport | None = self._connection.transport
            ended = transport.get_exception() if transport else None
            why = self._connection.why_broken() or str(ended or why)
            self._connection.close()
        return ConnectionLost(f"{self.host}: {what}: the connection broke: {visible(why)}")

    def _run(
        self,
        script: Script[object],
        timeout_seconds: float,
        frame: framing.Frame | None = None,
        *,
        as_root: bool = True,
    ) -> CommandResult:
        with self._lock:
            transport, text = self._transport(), script.text
            return self._answer(transport, script, text, timeout_seconds, frame, as_root=as_root)

    @noted
    def _answer(
        self,
        transport: paramiko.Transport,
        script: Script[object],
        text: str,
        timeout_seconds: float,
        frame: framing.Frame | None = None,
        *,
        as_root: bool = True,
        source: Source | None = None,
        sent: Callable[[int], None] = lambda _: None,
        is_shared: bool = False,
    ) -> CommandResult:
        """Send a script, and what follows it; read its answer, within a time and a size.

        text: the script's, with what is around it; is_shared: the connection stays open for others.
        """
        began, what = time.monotonic(), script.name
        frame = frame or framing.Frame(framing.new_mark(), exchange.ANSWER_BYTES)
        try:
            with self._sessions.of(transport, timeout_seconds if is_shared else None) as channel:
                channel.settimeout(timeout_seconds)
                channel.exec_command(framing.command(self._connection.user, as_root=as_root))
                size = exchange.send(channel, framing.framed(text, frame.mark), source, sent)
                limit = began + timeout_seconds + size / exchange.LEAST_UPLOAD_RATE
                stderr = exchange.read(channel, frame, limit)
                code = exchange.exit_code(channel, frame, limit)
        except framing.TooMuch as error:
            most = f"{frame.most_bytes / 2**20:g} MiB"
            raise RemoteError(
                f"{self.host}: {what}: the answer is longer than {most}; look what prints so much "
                "there, for example a start-up file of the SSH user's shell"
            ) from error
        except TimeoutError as error:
            if source:
                raise self._broken(what, "the host takes no more of the upload") from error
            raise RemoteError(f"{self.host}: {what}: no end after {timeout_seconds:g} s") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._broken(what, str(error) or "no answer", is_shared=is_shared) from error
        stdout, facts = frame.text()
        if code == exchange.NO_EXIT_CODE or (frame.exit_code is None and not code):
            if frame.has_begun or code == exchange.NO_EXIT_CODE:
                raise self._broken(what, "no exit code came back", is_shared=is_shared)
            raise not_run(self.host, what, stdout, stderr)
        seconds = time.monotonic() - began
        return CommandResult(str(script), code, stdout, stderr, seconds, facts, *frame.start)
