"""What a connection is made with: known keys alone, the quickest safe cipher, no waiting."""

from __future__ import annotations

import shlex
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import fabric
import paramiko
from paramiko.hostkeys import InvalidHostKey

from deploy.errors import BadInput

if TYPE_CHECKING:
    from deploy.settings import Environment

GCM = "aes128-gcm@openssh.com"
GLOBAL_REQUEST = bytes([80])  # RFC 4254, 4
KEEPALIVE_SECONDS = 10
UNANSWERED_MOST = 3


class UnknownHostKey(paramiko.SSHException):
    """A machine showed a key that no known_hosts file has.

    place: the machine, which may be a jump host, as known_hosts would name it.
    """

    def __init__(self, place: str, key: str) -> None:
        super().__init__(f"{place} shows a key that is unknown here: {key}")
        self.place = place


class Strict(paramiko.MissingHostKeyPolicy):
    """Nobody is trusted unproven: an unknown key ends the connection."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Refuse, with the fingerprint to compare."""
        del client
        raise UnknownHostKey(hostname, f"{key.get_name()} {key.fingerprint}")


class Transport(paramiko.Transport):
    """Paramiko's own, which asks for AES-GCM first, and whether the host still answers.

    GCM is a third less work for the same upload.
    """

    _unanswered = 0

    @property
    def preferred_ciphers(self) -> tuple[str, ...]:
        """All that paramiko would offer, GCM first."""
        offered = tuple(super().preferred_ciphers)
        return tuple(sorted(offered, key=lambda name: name != GCM))

    def set_keepalive(self, interval: float) -> None:
        """After each so many seconds of silence ask the host; end once it left three unanswered.

        Paramiko's own wants no answer, so that a host which froze or lost its power would be
        waited for until the command's own time is up. OpenSSH's ServerAliveInterval does the same.
        """
        self.packetizer.set_keepalive(interval, self._ask)

    def _ask(self) -> None:
        """Called by the reading thread, where an exception ends the connection."""
        if self.completion_event is None or self.completion_event.is_set():
            self._unanswered = 0
        if self._unanswered == UNANSWERED_MOST:
            raise paramiko.SSHException(f"{UNANSWERED_MOST} keep-alives were not answered")
        self._unanswered += 1
        self.completion_event = threading.Event()
        question = paramiko.Message()
        question.add_byte(GLOBAL_REQUEST)
        question.add_string("keepalive@openssh.com")
        question.add_boolean(b=True)  # an answer is wanted
        self._send_user_message(question)  # type: ignore[attr-defined] # left out of its types


class Proxy(paramiko.ProxyCommand):
    """A ProxyCommand in a session of its own: Ctrl-C in the terminal does not cut the way back."""

    def __init__(self, command: str) -> None:
        """Start it as paramiko does, but away from the terminal's process group.

        Raises BadInput for a command that cannot be split into words.
        """
        try:
            self.cmd = shlex.split(command)
        except ValueError as error:
            raise BadInput(
                f"ProxyCommand cannot be read: {error}: {command}; mend it in ~/.ssh/config"
            ) from error
        self.process = subprocess.Popen(
            self.cmd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.timeout = None


class Connection(fabric.Connection):  # type: ignore[misc] # fabric carries no types
    """Fabric's own, but for the proxy that it starts."""

    def open_gateway(self) -> Any:
        """A channel through a jump host, or a proxy whose %h, %p and %r are filled in."""
        if not isinstance(self.gateway, str):
            return super().open_gateway()
        text = f"Host *\n    Port {self.port}\n    User {self.user}\n"
        config = paramiko.SSHConfig.from_text(f"{text}    ProxyCommand {self.gateway}\n")
        return Proxy(config.lookup(self.host)["proxycommand"])


def trust_known_hosts(connection: fabric.Connection, environment: Environment) -> None:
    """Trust the keys of the user's and the project's known_hosts alone, jump hosts' too.

    Raises BadInput for a file that cannot be read.
    """
    connections = [connection]
    while isinstance(connections[-1].gateway, fabric.Connection):
        connections.append(connections[-1].gateway)
    for each in connections:
        each.client.set_missing_host_key_policy(Strict())
        try:
            each.client.load_system_host_keys()
        except (UnicodeDecodeError, InvalidHostKey) as error:
            raise BadInput(f"~/.ssh/known_hosts cannot be read: {error}") from error
        for name in environment.ssh.known_hosts:
            file = environment.path(name)
            try:
                each.client.load_host_keys(str(file))
            except (OSError, UnicodeDecodeError, InvalidHostKey) as error:
                raise BadInput(
                    f"{environment.name}: ssh: known_hosts: {file} cannot be read: {error}"
                ) from error


def answer_at_once(transport: paramiko.Transport) -> None:
    """Switch Nagle's algorithm off, as OpenSSH does: each command would wait 40 ms for an ACK.

    A proxy's pipe has no such option, and needs none.
    """
    if isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
