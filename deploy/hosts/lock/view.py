"""What all hosts show of an environment's lock at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.lock.holder import Holder, parsed
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.ssh.remote import Remote


ASK_SECONDS = 40.0


LOOK_SECONDS = 15.0
"""How long one look waits for a host, its connection included."""


def faulty(size: int) -> int:
    """Return how many of so many hosts may lie without deciding anything: less than half."""
    return (size - 1) // 2


def quorum(size: int) -> int:
    """Return how many of so many hosts are a majority."""
    return size // 2 + 1


@dataclass(frozen=True)
class View:
    """The lock as all hosts showed it in one reading.

    Attributes:
        size: How many hosts the environment has.
        holders: The holder that a host shows, by host.
        files: The bytes of the lock that names that holder, by host.
        free: Hosts that show none.
        unreadable: The bytes of a lock that names no holder, by host.
        silent: Why a host gave no answer, by host.
    """

    size: int
    holders: Mapping[str, Holder] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    unreadable: Mapping[str, bytes] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many hosts gave an answer, readable or not."""
        return self.size - len(self.silent)

    def hosts_of(self, token: str) -> tuple[str, ...]:
        """Return the hosts that show this token, sorted."""
        return tuple(sorted(name for name, each in self.holders.items() if each.token == token))

    def is_proven(self, token: str) -> bool:
        """Whether more hosts show the token than may lie."""
        return len(self.hosts_of(token)) > faulty(self.size)

    def each(self) -> tuple[tuple[Holder, tuple[str, ...]], ...]:
        """Return every holder with its hosts, the one on most hosts first.

        Where hosts show different texts with one token, the text on most hosts counts; of beats,
        the middle one.
        """
        found = []
        for token in {holder.token for holder in self.holders.values()}:
            hosts = self.hosts_of(token)
            beats = sorted(self.holders[name].beat for name in hosts)
            texts = Counter(self._as_at(name, beats[len(beats) // 2]) for name in hosts)
            found.append((texts.most_common(1)[0][0], hosts))
        return tuple(sorted(found, key=lambda each: (-len(each[1]), each[1])))

    def _as_at(self, name: str, beat: int) -> Holder:
        return replace(self.holders[name], beat=beat)


def read(
    environment: str, remotes: Mapping[str, Remote], silent: Mapping[str, str] | None = None
) -> View:
    """Look once at the lock on each host; `silent` are not asked, and why."""
    script = lock.show_lock(environment)
    holders: dict[str, Holder] = {}
    files: dict[str, bytes] = {}
    free: set[str] = set()
    unreadable: dict[str, bytes] = {}
    mute = dict(silent or {})

    def ask(name: str) -> bytes | None:
        return remotes[name].run_beside(script, LOOK_SECONDS)

    asked = [name for name in remotes if name not in mute]
    for name, answer in answers(asked, ask, LOOK_SECONDS, MOST_HOSTS_AT_ONCE):
        raw = None if isinstance(answer, DeployError) else answer
        if raw is None:
            missing = f"{name}: no answer about {lock.lock_file(environment)}"
            mute[name] = str(answer) if isinstance(answer, DeployError) else missing
        elif not raw:
            free.add(name)
        elif (holder := parsed(raw)) is None:
            unreadable[name] = raw
        else:
            holders[name], files[name] = holder, raw
    return View(len(remotes), holders, frozenset(free), unreadable, mute, files)
