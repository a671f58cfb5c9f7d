"""Why a login at a machine on the way to a host failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paramiko

from deploy.foreign_text import visible
from deploy.hosts.refusals import login as refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.refusals.login import Keys

PROHIBITED = 1
"""RFC 4254, 5.1: `administratively prohibited`, which sshd answers where it forbids forwarding."""
_ENDED = "Authentication failed: transport shut down or saw EOF"
"""Paramiko's words for a server that goes away."""


class NoKeyAccepted(paramiko.AuthenticationException):
    """A server refused all keys, or there was none to offer.

    Attributes:
        keys: What was offered, and what could not be.
        allowed_types: How the server lets users in, where it takes no keys (RFC 4252, 5.1).
    """

    def __init__(self, user: str, keys: Keys, allowed_types: Iterable[str] = ()) -> None:
        self.keys, self.allowed_types = keys, tuple(allowed_types)
        super().__init__("; ".join(refused.refusal(refused.Login("server", user), keys)))


class LoginEnded(paramiko.AuthenticationException):
    """The connection ended, or went silent, after these keys.

    banner: what the server had to say before (RFC 4252, 5.4): for instance that an account has
    expired, or that the machine is going down (pam_nologin).
    """

    def __init__(self, error: Exception, keys: Keys, banner: bytes = b"") -> None:
        self.keys = keys
        ended = str(error).replace(_ENDED, "") or "the server ended it"
        lines = banner.decode(errors="replace").split("\n")
        said = [visible(line.strip()) for line in lines if any(map(str.isalnum, line))]
        super().__init__(f"{ended} and says: {said[-1]}" if said else ended)


_PENALTY = "Not allowed at this time"
"""What sshd answers from version 9.8 on, in place of its banner (PerSourcePenalties)."""


class TurnedAway(paramiko.SSHException):
    """A machine closed or reset a connection before its banner, as sshd does past MaxStartups.

    said: the last line that it sent in place of a banner, such as `Exceeded MaxStartups`.
    """

    def __init__(self, said: str = "") -> None:
        self.said = said.strip()
        words = f": {self.said}" if self.said else ", as sshd does past MaxStartups"
        if self.said.startswith(_PENALTY):
            words += "; its sshd takes no login from here for a while, after some that failed or "
            words += "were broken off (PerSourcePenalties in its sshd_config)"
        super().__init__(f"the connection was closed before the SSH banner{words}")


class NoServer(paramiko.SSHException):
    """The server on the port does not speak SSH, or sends nothing; said: its last line."""

    def __init__(self, said: str) -> None:
        is_other = f"what answers there is no SSH server; it sends {visible(said)!r}"
        super().__init__(is_other if said else "what answers there sends no SSH banner in time")


def before_banner(error: Exception, version: str, last_line: str) -> TurnedAway | NoServer | None:
    """What a failure means before a machine's banner; None after it, and where it is another's.

    version: the banner, if there was one; last_line: the last line that came before it.
    """
    if version:
        return None
    if any(isinstance(each, ConnectionError | EOFError) for each in (error, error.__context__)):
        return TurnedAway(last_line)
    is_late = isinstance(error.__context__, TimeoutError)
    return NoServer(last_line.strip()) if is_late or last_line.strip() else None


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
