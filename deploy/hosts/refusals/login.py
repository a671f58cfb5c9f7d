"""Explains a login that a machine refused, or that could not be tried for lack of a key."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.folding import DETAIL
from deploy.foreign_text import visible

MOST_TRIES = 6
"""The keys after which sshd ends a connection, by default (sshd_config(5), MaxAuthTries)."""
MANY = 5
"""From so many keys on, a connection that ends may have had too many."""
MOST_SHOWN = 6
USERS = "ec2-user on Amazon Linux, ubuntu on Ubuntu, admin on Debian"
"""The login users of images (EC2 user guide, "Manage system users on your Linux instance")."""


@dataclass(frozen=True)
class Keys:
    """The keys that there were for a login, as far as it came.

    Attributes:
        offered: Those that were offered, in words, in their order; a certificate is one of them.
        kept_back: The files that could not be offered, each with the reason.
        agent: Why there was none of an agent's, if that is so.
        has_password: Whether the settings hold a password.
        wanted: What the server wants besides the key that it accepted, the one in `offered`.
    """

    offered: tuple[str, ...] = ()
    kept_back: tuple[str, ...] = ()
    agent: str = ""
    has_password: bool = False
    wanted: str = ""

    @property
    def shown(self) -> str:
        """What was offered, in words; empty for nothing."""
        more = len(self.offered) - MOST_SHOWN
        words = [*map(visible, self.offered[:MOST_SHOWN]), *([f"{more} more"] if more > 0 else [])]
        return ", ".join([*words, *(["a password"] if self.has_password else [])])


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
    if keys.wanted:
        return [
            f"{login.who}: accepts a key of user {login.user!r} and wants {keys.wanted} besides",
            f"{DETAIL}accepted: {keys.shown}",
            f"{DETAIL}nothing is asked here: let this user in by a key alone, for example by",
            f"{DETAIL}`AuthenticationMethods publickey` below `Match User {visible(login.user)}`",
            f"{DETAIL}in its sshd_config",
        ]
    why = [f"{DETAIL}not offered: {visible(each)}" for each in keys.kept_back]
    why += [f"{DETAIL}{visible(keys.agent)}"] if keys.agent else []
    user_set, keys_set = where_set(login.jump)
    if not keys.shown:
        by = "by" if login.jump else "under"
        first = f"{login.who}: no key to log in with as user {login.user!r}"
        last = f"{DETAIL}name one {by} {keys_set}, or add one to your agent: ssh-add FILE"
        return [first, *why, last]
    user = f"{login.user!r}{' (your own name on this machine)' * login.is_own_name}"
    lines = [
        f"{login.who}: refuses user {user} with the keys offered: {keys.shown}",
        f"{DETAIL}check {user_set} ({USERS}), and that one of",
        f"{DETAIL}these keys is in that user's ~/.ssh/authorized_keys",
    ]
    if login.allowed:
        allowed = visible(login.allowed)
        lines.append(f"{DETAIL}it lets users in by {allowed} alone, and not by a key")
    return [*lines, *why]


def broken_off(login: Login, keys: Keys, said: str) -> list[str]:
    """Return the lines for a connection that ended while the user logged in.

    sshd ends it as well after some refused keys.
    """
    user_set, keys_set = where_set(login.jump)
    lines = [
        f"{login.who}: the connection broke while user {login.user!r} logged in: {visible(said)}; "
        f"if that lasts, check {user_set} and {keys_set}, or your agent (ssh-add -l)"
    ]
    if len(keys.offered) >= MANY:
        by = "by" if login.jump else "under"
        lines.append(
            f"{DETAIL}{len(keys.offered)} keys were offered, and sshd allows {MOST_TRIES} tries by "
            f"default: name one {by}"
        )
        # A key that is named is offered before the agent's; more are named by ssh's configuration.
        alone = "`IdentitiesOnly yes`" if login.jump else "`connect_kwargs: {allow_agent: false}`"
        lines.append(f"{DETAIL}{keys_set}, and set {alone}")
    return lines
