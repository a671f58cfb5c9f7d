"""What keeps a machine on the way to a host from being logged in to."""

from __future__ import annotations

from typing import Any

import paramiko

PROHIBITED = 1
"""RFC 4254, 5.1: `administratively prohibited`, which sshd answers where it forbids forwarding."""


class TurnedAway(paramiko.SSHException):
    """A machine closed or reset a connection before its banner, as sshd does past MaxStartups.

    said: the last line that it sent in place of a banner, such as `Exceeded MaxStartups`.
    """

    def __init__(self, said: str = "") -> None:
        self.said = said.strip()
        words = f": {self.said}" if self.said else ", as sshd does past MaxStartups"
        super().__init__(f"the connection was closed before the SSH banner{words}")


class LoginFailed(Exception):
    """A machine on the way to a host could not be logged in to.

    Attributes:
        connection: The one that failed: the host's own, or a jump host's.
        error: What Paramiko or the system raised.
        was_active: Whether the machine was still there when it failed.
        in_login: Whether its key was accepted by then, so that the login was under way.
        proxy_said: The last line of a ProxyCommand's stderr, if there is one.
        jump: The jump host that opened no way to the machine, where that is the reason.
    """

    def __init__(
        self,
        connection: Any,
        error: Exception,
        *,
        was_active: bool = False,
        in_login: bool = False,
        proxy_said: str = "",
        jump: Any = None,
    ) -> None:
        super().__init__(str(error))
        self.connection = connection
        self.error = error
        self.was_active = was_active
        self.in_login = in_login
        self.proxy_said = proxy_said
        self.jump = jump
