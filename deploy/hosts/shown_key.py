"""Reads the host key that a machine shows, to print it; nothing is trusted by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts.route.routes import Routes
from deploy.hosts.ssh import connect, login
from deploy.hosts.ssh.known_hosts import UnknownHostKey

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.hosts.refusals.unknown_key import ShownKey
    from deploy.settings.environment import Environment

SSH_PORT = 22


def place(host: Host, environment: Environment) -> str:
    """The host's name in known_hosts files: name or address, with the port if it is not 22."""
    connection = connect.connection_to(host, environment)
    port = int(connection.port)
    return str(connection.host) if port == SSH_PORT else f"[{connection.host}]:{port}"


def shown(host: Host, environment: Environment) -> ShownKey | None:
    """The unknown key that a machine, or a jump host on the way to it, shows; None for a known one.

    Raises BadInput, or Unreachable, for all else that keeps a login from being made.
    """
    connection = connect.connection_to(host, environment)
    Routes().share(connection)
    try:
        login.open_to(host, connection)
    except BadInput as error:
        cause = error.__cause__
        if isinstance(cause, UnknownHostKey):
            return cause.shown
        raise
    finally:
        connection.close()
    return None
