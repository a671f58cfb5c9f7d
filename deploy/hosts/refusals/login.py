"""What to say of a login that a machine refused, or that could not be tried for lack of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.folding import DETAIL
from deploy.foreign_text import visible
from deploy.hosts.refusals.key_files import Kind

if TYPE_CHECKING:
    from deploy.hosts.refusals.key_files import KeyFile

MOST_TRIES = 6
USERS = "ec2-user on Amazon Linux, ubuntu on Ubuntu, admin on Debian"
"""The login users of images (EC2 user guide, "Manage system users on your Linux instance")."""


@dataclass(frozen=True)
class Keys:
    """The keys that there were for a login.

    Attributes:
        files: The files that were to be offered, also those that could not be.
        in_agent: How many keys the agent holds; None where no agent was asked.
        asks_agent: Whether the settings let an agent be asked.
        has_password: Whether the settings hold a password.
    """

    files: tuple[KeyFile, ...] = ()
    in_agent: int | None = None
    asks_agent: bool = True
    has_password: bool = False

    @property
    def offered(self) -> tuple[str, ...]:
        """What was offered, in words."""
        files = [visible(each.path) for each in self.files if each.kind is Kind.USABLE]
        held = self.in_agent or 0
        agent = [f"{held} key{'s' * (held != 1)} of the agent"] if held else []
        return (*files, *agent, *(["a password"] if self.has_password else []))

    @property
    def count(self) -> int:
        """How many keys were offered."""
        return sum(each.kind is Kind.USABLE for each in self.files) + (self.in_agent or 0)

    @property
    def kept_back(self) -> tuple[KeyFile, ...]:
        """The files that could not be offered."""
        return tuple(each for each in self.files if each.kind is not Kind.USABLE)


@dataclass(frozen=True)
class Login:
    """A login that failed.

    Attributes:
        who: The machine, as the message begins.
        user: The user that was to be logged in.
        is_own_name: Whether that is also the name of the user who types here.
        jump: What ssh's configuration calls the machine, of a jump host: it has its user and its
            keys from there alone.
        allowed: How the machine lets users in, where that is not by a key.
    """

    who: str
    user: str
    is_own_name: bool = False
    jump: str = ""
    allowed: str = ""


def where_set(jump: str) -> tuple[str, str]:
    """Where the user and the keys of a login are set: of a jump host by this name, or of a host."""
    if jump:
        place = f"of {visible(jump)} in ~/.ssh/config"
        return f"User {place}", f"IdentityFile {place}"
    return "`ssh: user:`", "`ssh: key_files:`"


def refusal(login: Login, keys: Keys) -> list[str]:
    """Return the lines for a login that was refused, or that there was no key for."""
    why = [f"{DETAIL}not offered: {each}" for each in keys.kept_back]
    if not keys.asks_agent:
        why.append(f"{DETAIL}no agent is asked: `allow_agent: false` under `connect_kwargs:`")
    elif keys.in_agent is None:
        why.append(f"{DETAIL}no agent runs: SSH_AUTH_SOCK names none")
    user_set, keys_set = where_set(login.jump)
    if not keys.offered:
        by = "by" if login.jump else "under"
        first = f"{login.who}: no key to log in with as user {login.user!r}"
        last = f"{DETAIL}name one {by} {keys_set}, or add one to your agent: ssh-add FILE"
        return [first, *why, last]
    user = f"{login.user!r}{' (your own name on this machine)' * login.is_own_name}"
    lines = [
        f"{login.who}: refuses user {user} with the keys offered: {', '.join(keys.offered)}",
        f"{DETAIL}check {user_set} ({USERS}), and that one of",
        f"{DETAIL}these keys is in that user's ~/.ssh/authorized_keys",
    ]
    if login.allowed:
        allowed = visible(login.allowed)
        lines.append(f"{DETAIL}it lets users in by {allowed} alone, and not by a key")
    return [*lines, *why]


def broken_off(login: Login, keys: Keys, said: str) -> list[str]:
    """Return the lines for a connection that ended while the user logged in.

    sshd ends it as well after some refused keys: by default six (sshd_config(5), MaxAuthTries).
    """
    user_set, keys_set = where_set(login.jump)
    lines = [
        f"{login.who}: the connection broke while user {login.user!r} logged in: {visible(said)}; "
        f"if that lasts, check {user_set} and {keys_set}, or your agent (ssh-add -l)"
    ]
    if keys.count >= MOST_TRIES:
        by = "by" if login.jump else "under"
        lines.append(
            f"{DETAIL}{keys.count} keys were to be offered, and sshd allows {MOST_TRIES} tries by "
            f"default: name one {by}"
        )
        # A jump host's agent cannot be left out; a key that is named is offered before it.
        no_agent = "" if login.jump else ", and set `connect_kwargs: {allow_agent: false}`"
        lines.append(f"{DETAIL}{keys_set}{no_agent}")
    return lines
