"""Whose host keys are trusted: those of known_hosts, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fabric
import paramiko
from paramiko.hostkeys import InvalidHostKey

from deploy.errors import BadInput

if TYPE_CHECKING:
    from deploy.settings.environment import Environment


class UnknownHostKey(paramiko.SSHException):
    """A machine showed a key that no known_hosts file has.

    place: the machine, which may be a jump host, as known_hosts would name it.
    """

    def __init__(self, place: str, key: str) -> None:
        super().__init__(f"{place} shows a key that is unknown here: {key}")
        self.place = place


class Strict(paramiko.MissingHostKeyPolicy):
    """No key is trusted unverified: an unknown key ends the connection."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Refuse, with the fingerprint to compare."""
        del client
        raise UnknownHostKey(hostname, f"{key.get_name()} {key.fingerprint}")


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
