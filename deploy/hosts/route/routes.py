"""The jump hosts of a command: one connection to each, shared by all hosts behind it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from deploy.hosts.route import open_files
from deploy.hosts.route.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Hashable

_FILES = ("hostkeyalias", "userknownhostsfile", "globalknownhostsfile")
"""Options of ssh_config(5) that decide which host key is trusted."""


class Routes:
    """What the connections of one command share: jump hosts, and the limit of logins at once."""

    def __init__(self) -> None:
        """Have none yet; as many as a fleet has hosts may be open at once from now on."""
        open_files.allow_many()
        self.logins = Logins()
        self._lock = threading.Lock()
        self._jumps: dict[Hashable, Any] = {}

    def share(self, connection: Any) -> None:
        """Have a connection take its turns here, by way of the jump hosts that others use too.

        connection: not yet open, with its jump hosts as `gateway`, the last hop first.
        """
        connection.routes = self
        if _is_connection(connection.gateway):
            connection.gateway = self._the_one(connection.gateway, connection.connect_timeout)

    def _the_one(self, jump: Any, connect_timeout: float | None) -> Any:
        """The connection to a jump host that all use: this one if it is the first."""
        jump.routes, jump.connect_timeout = self, connect_timeout
        if _is_connection(jump.gateway):
            jump.gateway = self._the_one(jump.gateway, connect_timeout)
        with self._lock:
            return self._jumps.setdefault(_identity(jump), jump)

    def close(self) -> None:
        """End the connections to all jump hosts, those behind others first."""
        with self._lock:
            jumps = list(self._jumps.values())
        for jump in reversed(jumps):
            jump.close()


def _identity(jump: Any) -> Hashable:
    """What two connections to a jump host must have in common to be one: machine, user, keys."""
    return (
        jump.host.lower(),
        jump.port,
        jump.user,
        id(jump.gateway) if _is_connection(jump.gateway) else jump.gateway,
        jump.connect_kwargs.get("auth_strategy"),
        tuple(str(jump.ssh_config.get(name)) for name in _FILES),
    )


def _is_connection(gateway: object) -> bool:
    """Whether a gateway is a jump host's connection; it may be a proxy's command, or None."""
    return hasattr(gateway, "gateway")
