"""The heartbeat of a held lock, which also counts on how many hosts the lock is ours."""

from __future__ import annotations

import enum
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.errors import ConnectionLost, DeployError
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.lock.view import ASK_SECONDS
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import LOCK_LOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.hosts.lock.claim import Claim
    from deploy.hosts.scripts.script import Script


class Vote(enum.Enum):
    """One host's answer to a heartbeat."""

    OURS = "this deploy's"
    GONE = "gone"
    OTHER = "another's"


@dataclass
class _Round:
    """One heartbeat: what it writes, how many hosts are ours, and which are not."""

    began: float
    line: str
    script: Script[int]
    ours: int = 0
    others: list[str] = field(default_factory=list)


class Heartbeat:
    """Counts on, on the hosts of a claim that was won, and knows whether the lock is lost.

    Attributes:
        confirmed_at: When the last heartbeat began that a majority confirmed, in awake seconds.
        lost: Set once a majority of all hosts is not ours.
        progress: Makes the line that says how far the run is, of the number of a heartbeat.
    """

    def __init__(self, claim: Claim, confirmed_at: float, lose: Callable[[], object]) -> None:
        """Begin with a claim that was won at that time; `lose` is called when the lock is lost."""
        self.confirmed_at = confirmed_at
        self.lost = threading.Event()
        self.progress: Callable[[int], str] = lambda _: ""
        self._claim = claim
        self._holder = claim.holder
        self._lose = lose
        self._votes = dict.fromkeys(claim.ours(), Vote.OURS)
        self._heard = dict.fromkeys(claim.remotes, confirmed_at)
        self._busy: set[str] = set()
        self._counting = threading.Lock()
        self._limit_seconds = min(claim.holder.ttl_seconds, ASK_SECONDS)

    def beat(self, names: Iterable[str]) -> None:
        """Count on, on these hosts at once, until a majority has answered or all have.

        A host that is dead may take as long as a connection may: the beat goes on without it,
        and each has a thread, so that a zone of dead hosts does not hold up the others.
        """
        if self.lost.is_set():
            return
        self._holder = replace(self._holder, beat=self._holder.beat + 1)
        line = self._holder.as_line()
        now = _Round(self._claim.clock.awake(), line, self._script(line))
        asked = tuple(names)
        votes = answers(
            asked,
            lambda name: self._ask(name, now),
            self._limit_seconds,
            len(asked),
            clock=self._claim.clock,
        )
        for _ in votes:
            if self.confirmed_at >= now.began:
                return

    def _script(self, line: str) -> Script[int]:
        """A heartbeat with how far the run is; without that where it fails: the lock must beat."""
        environment, token = self._claim.environment, self._holder.token
        with suppress(Exception):
            return lock.beat_lock(environment, token, line, self.progress(self._holder.beat))
        return lock.beat_lock(environment, token, line)

    def without_ended(self, has_ended: Callable[[str], bool]) -> tuple[str, ...]:
        """Count without the silent hosts that are no more, and return them.

        has_ended: asked for each host that did not confirm us for the lock's time to live. No other
        deploy counts those that ended either: they are in no list of running instances, and never
        come back.
        """
        since = self._claim.clock.awake() - self._holder.ttl_seconds
        with self._counting:
            silent = [name for name, at in self._heard.items() if at < since]
        ended = tuple(name for name in silent if has_ended(name))
        for name in ended:
            self._claim.lose(name)
            with self._counting:
                self._votes.pop(name, None)
                del self._heard[name]
        if ended:
            self.beat(self._claim.ours())
        return ended

    def against(self) -> str:
        """Return which hosts are not ours, for a message; empty where none is known."""
        with self._counting:
            known = sorted(self._votes.items())
        found = [f"{name}: {vote.value}" for name, vote in known if vote is not Vote.OURS]
        return "; ".join(found)

    def _ask(self, name: str, now: _Round) -> None:
        """One host's part of a heartbeat; its vote counts, late or not."""
        with self._counting:
            if name in self._busy:
                raise ConnectionLost(f"{name}: the last heartbeat there has not ended")
            self._busy.add(name)
        try:
            code = self._claim.remotes[name].run_beside(now.script, self._limit_seconds)
        finally:
            with self._counting:
                self._busy.discard(name)
        votes = {0: Vote.OURS, lock.LOCK_GONE: Vote.GONE, LOCK_LOST: Vote.OTHER}
        if code in votes and not self._claim.is_over:
            self._count(name, votes[code], now)

    def _count(self, name: str, vote: Vote, now: _Round) -> None:
        """Count a vote; the lock is lost once a majority of all hosts is not ours.

        Only a majority that confirms us in this very heartbeat lets us write the lock where there
        is none: a lock that was broken, or taken and released by another, stays lost.
        """
        again: list[str] = []
        with self._counting:
            self._votes[name] = vote
            if vote is Vote.OURS:
                self._heard[name] = max(self._heard.get(name, now.began), now.began)
            now.ours += vote is Vote.OURS
            now.others += [name] if vote is not Vote.OURS else []
            if now.ours >= self._claim.quorum:
                self.confirmed_at = max(self.confirmed_at, now.began)
                again, now.others = now.others, []
            against = sum(each is not Vote.OURS for each in self._votes.values())
            is_lost = against >= self._claim.quorum and not self.lost.is_set()
            if is_lost:
                self.lost.set()
        for each in again:
            threading.Thread(target=self._write_again, args=(each, now.line), daemon=True).start()
        if is_lost:
            self._lose()

    def _write_again(self, name: str, line: str) -> None:
        """Write the lock on a host that has none, or a dead deploy's that we took over."""
        for dead in ("", *set(self._claim.left.values())):
            script = lock.take_lock(self._claim.environment, self._holder.token, line, dead)
            try:
                code = self._claim.remotes[name].run_beside(script, ASK_SECONDS).exit_code
            except DeployError:
                return
            if code == 0:
                self._claim.add(name)
                with self._counting:
                    self._votes[name] = Vote.OURS
                return
