"""What to say of a login that a machine refused, or that could not be tried for lack of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.folding import DETAIL
from deploy.foreign_text import visible, word
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


def refusal(who: str, user: str, keys: Keys, *, is_own_name: bool, allowed: str = "") -> list[str]:
    """Return the lines for a login that was refused.

    who: the machine, as the message begins; is_own_name: whether the user is called as the one who
    types here; allowed: how the machine lets users in, where that is not by a key.
    """
    why = [f"{DETAIL}not offered: {each}" for each in keys.kept_back]
    if not keys.asks_agent:
        why.append(f"{DETAIL}no agent is asked: `allow_agent: false` under `connect_kwargs:`")
    elif keys.in_agent is None:
        why.append(f"{DETAIL}no agent runs: SSH_AUTH_SOCK names none")
    if not keys.offered:
        remedy = "name one under `ssh: key_files:`, or add one to your agent: ssh-add FILE"
        return [f"{who}: no key to log in with as user {user!r}", *why, f"{DETAIL}{remedy}"]
    name = " (your own name on this machine)" if is_own_name else ""
    lines = [
        f"{who}: refuses user {user!r}{name} with the keys offered: {', '.join(keys.offered)}",
        f"{DETAIL}check `ssh: user:` ({USERS}), and that one of",
        f"{DETAIL}these keys is in that user's ~/.ssh/authorized_keys",
    ]
    if allowed:
        lines.append(f"{DETAIL}it lets users in by {visible(allowed)} alone, and not by a key")
    return [*lines, *why]


def broken_off(who: str, user: str, keys: Keys, said: str) -> list[str]:
    """Return the lines for a connection that ended while the user logged in.

    sshd ends it as well after some refused keys: by default six (sshd_config(5), MaxAuthTries).
    """
    lines = [
        f"{who}: the connection broke while user {user!r} logged in: {visible(said)}; if that "
        "lasts, check `ssh: user:` and `ssh: key_files:`, or your agent (ssh-add -l)"
    ]
    if keys.count >= MOST_TRIES:
        lines.append(
            f"{DETAIL}{keys.count} keys were to be offered, and sshd allows {MOST_TRIES} tries by "
            "default: name one under"
        )
        lines.append(f"{DETAIL}`ssh: key_files:`, and set `connect_kwargs: {{allow_agent: false}}`")
    return lines


def not_passed_on(who: str, jump_host: str, place: str, said: str) -> str:
    """Return the sentence for a jump host that makes no connection to the machine behind it."""
    return (
        f"{who}: jump host {jump_host} makes no connection to {place}: {visible(said)}; check "
        f"that {word(place)} can be reached from there, and that its sshd allows it "
        "(AllowTcpForwarding, PermitOpen)"
    )
