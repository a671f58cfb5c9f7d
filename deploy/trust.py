"""What a connection is made with: known keys alone, the quickest safe cipher, no waiting."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import paramiko
from fabric import Connection
from paramiko.hostkeys import InvalidHostKey

from deploy.errors import BadInput

if TYPE_CHECKING:
    from deploy.settings import Environment

GCM = "aes128-gcm@openssh.com"


class UnknownHostKey(paramiko.SSHException):
    """The host showed a key that no known_hosts file has."""


class Strict(paramiko.MissingHostKeyPolicy):
    """Nobody is trusted unproven: an unknown key ends the connection."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Refuse, with the fingerprint to compare."""
        del client, hostname
        raise UnknownHostKey(f"{key.get_name()} {key.fingerprint}")


class Transport(paramiko.Transport):
    """Paramiko's own, with AES-GCM asked for first: a third less work for the same upload."""

    @property
    def preferred_ciphers(self) -> tuple[str, ...]:
        """All that paramiko would offer, GCM first."""
        offered = tuple(super().preferred_ciphers)
        return tuple(sorted(offered, key=lambda name: name != GCM))


def trust_known_hosts(connection: Connection, environment: Environment) -> None:
    """Trust the keys of the user's and the project's known_hosts alone, jump hosts' too.

    Raises BadInput for a file that cannot be read.
    """
    connections = [connection]
    while isinstance(connections[-1].gateway, Connection):
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
