"""One attempt to take an environment's lock on its hosts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.clock import CLOCK, Clock
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.lock.holder import parsed, why_unreadable
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.lock.view import ASK_SECONDS, quorum
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import LOCK_HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.hosts.lock.holder import Holder
    from deploy.hosts.ssh.remote import Remote

FIRST_SECONDS = 5.0
"""How long a host is asked alone, so that of two deploys at once one has taken nothing yet."""

DROP_SECONDS = 5.0


@dataclass
class Claim:
    """A try to take the lock for a holder on all hosts.

    Attributes:
        environment: Whose lock.
        remotes: All the environment's hosts, in the order in which they are asked.
        holder: For whom.
        left: Tokens of dead holders that may be taken over, by host.
        files: The lock files of these, as they were when their holders were found dead.
        aside: Hosts that are not asked, and why.
        taken: Hosts that hold the lock for us.
        others: Another holder, by host that shows one.
        unreadable: Hosts whose lock file names no holder, and what it is.
        failed: Why a host did not answer.
        ended: Hosts that are no more: their instances never come back.
        is_over: Whether it was withdrawn.
        clock: By which its hosts' time is counted.
    """

    environment: str
    remotes: Mapping[str, Remote]
    holder: Holder
    left: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    aside: Mapping[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    others: dict[str, Holder] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    is_over: bool = False
    clock: Clock = CLOCK
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def quorum(self) -> int:
        """How many hosts make a majority, of those that are there."""
        return quorum(len(self.remotes) - len(self.ended))

    @property
    def is_won(self) -> bool:
        """Whether a majority is ours, and no host shows another.

        With another on a single host, a host that lies might show each of two deploys its own
        token, and both would count a majority. So neither has the lock before it is known whether
        the other lives.
        """
        return len(self.taken) >= self.quorum and not self.others

    def make(self) -> None:
        """Ask the hosts: the first alone, then all others at once."""
        names = [name for name in self.remotes if name not in self.aside]
        end = self.clock.monotonic() + 2 * FIRST_SECONDS
        while names and not (self.taken or self.others) and self.clock.monotonic() < end:
            self._ask_all([names.pop(0)], FIRST_SECONDS)
        if not self.others:
            self._ask_all(names, ASK_SECONDS)

    def withdraw(self) -> None:
        """Release whatever was taken; what an answer still to come took, too."""
        with self._lock:
            self.is_over = True
            taken = list(self.taken)
            self.taken.clear()
        for _ in answers(taken, self._drop, DROP_SECONDS, len(taken), clock=self.clock):
            pass

    def ours(self) -> tuple[str, ...]:
        """Return the hosts that hold the lock for us."""
        with self._lock:
            return tuple(self.taken)

    def lose(self, name: str) -> None:
        """Note a host that is no more: it counts neither for us nor against us."""
        with self._lock:
            self.ended.add(name)
            self.taken.discard(name)

    def add(self, name: str) -> None:
        """Note a host that took the lock for us later; after the end it is released there."""
        with self._lock:
            is_late = self.is_over
            if not is_late:
                self.taken.add(name)
                self.failed.pop(name, None)
        if is_late:
            self._drop(name)

    def problems(self) -> str:
        """Return why hosts are not ours, each with its host."""
        with self._lock:
            held = {
                name: f"{name}: {lock.lock_file(self.environment)} is held by {other}"
                for name, other in self.others.items()
            }
            found = {**self.aside, **self.failed, **self.unreadable, **held}
        return "; ".join(found[name] for name in sorted(found))

    def _ask_all(self, names: Iterable[str], deadline_seconds: float) -> None:
        asked = answers(
            names, self._ask, deadline_seconds, MOST_HOSTS_AT_ONCE, self._is_settled, self.clock
        )
        for name, answer in asked:
            if isinstance(answer, DeployError):
                with self._lock:
                    self.failed[name] = str(answer)

    def _is_settled(self) -> bool:
        """Whether no answer still to come can change the result.

        Hosts that showed a dead deploy answered a moment ago. Each is awaited: one of them may
        show that the deploy lives after all.
        """
        with self._lock:
            answered = self.taken | {*self.others, *self.unreadable, *self.failed}
        return self.is_won and self.left.keys() <= answered

    def _ask(self, name: str) -> None:
        """Take the lock on one host; what came of it is written down, late or not."""
        dead, seen = self.left.get(name, ""), self.files.get(name, b"")
        line = self.holder.as_line()
        script = lock.take_lock(self.environment, self.holder.token, line, dead, seen)
        result = self.remotes[name].ask(script, ASK_SECONDS)
        if result.exit_code == 0:
            self.add(name)
        elif result.exit_code == LOCK_HELD:
            self._write_down(name, lock.shown(result.stdout))
        else:
            said = ascii(result.stderr.strip()[-200:]) if result.stderr.strip() else ""
            code = f"exit code {result.exit_code}"
            with self._lock:
                self.failed[name] = f"{name}: the lock could not be taken: {said or code}"

    def _write_down(self, name: str, raw: bytes | None) -> None:
        """Note what a host shows that refused us."""
        other = None if raw is None else parsed(raw)
        why = why_unreadable(raw) if raw else "is taken, and cannot be read"
        if other and other.token == self.left.get(name) and raw == self.files.get(name):
            other, why = None, f"shows a dead deploy and does not give it up: {other}"
        with self._lock:
            if other:
                self.others[name] = other
            else:
                file = lock.lock_file(self.environment)
                self.unreadable[name] = f"{name}: {file} {why}"

    def _drop(self, name: str) -> None:
        script = lock.drop_lock(self.environment, self.holder.token)
        self.remotes[name].run_beside(script, DROP_SECONDS)
