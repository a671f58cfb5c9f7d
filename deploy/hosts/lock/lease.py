"""Holds an environment's lock on a majority of its hosts, by a heartbeat, until a command ends."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from deploy.clock import CLOCK, Clock
from deploy.errors import ConnectionLost, DeployError, LockDisputed, Locked, LockLost, Unreachable
from deploy.hosts.lock import watch
from deploy.hosts.lock.claim import DROP_SECONDS, Claim
from deploy.hosts.lock.heartbeat import Heartbeat
from deploy.hosts.lock.watch import BEATS_IN_TTL
from deploy.hosts.lock.witness import NOWHERE, Witness
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.hosts.lock.holder import Holder
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.scope import Scope

FRESH_SECONDS = 1.0
"""A try that took longer is confirmed once more: meanwhile another may have thought it dead.
Shorter than any time to live, which is how long another watches first."""
MOST_TRIES = 5
"""How often the lock is tried while others come and go, and the time to wait is over."""
LATE_SECONDS = 2.0
"""How long what a killed process had sent to AWS may take to show there: 1 s was seen."""


class Lease:
    """The environment's lock, held from `take` until the `with` block ends.

    A majority of all its hosts decides, in taking it and in losing it: what fewer than half of
    them show is their own failure. As a Guard it stands before every change: `fence` has the
    host itself refuse a previous holder, `confirm` raises LockLost, and `refused` decides what
    a host's refusal means.
    """

    def __init__(
        self,
        scope: Scope,
        remotes: Mapping[str, Remote],
        holder: Holder,
        clock: Clock = CLOCK,
        has_ended: Callable[[str], bool] = lambda _: False,
        witness: Witness | None = None,
    ) -> None:
        """Take nothing yet.

        scope: what the command was asked for, which names the environment. remotes: those of all
        its hosts. has_ended: whether a host, by name, never comes back. witness: of this machine.
        """
        self._has_ended, self._witness = has_ended, witness or Witness(NOWHERE)
        self._scope = scope
        self._look = scope.command("lock.status")
        environment = self._environment = scope.environment
        self._remotes = dict(sorted(remotes.items()))
        self.holder = holder
        self._clock = clock
        self._claim = Claim(environment, self._remotes, holder, clock=clock)
        self.heartbeat = Heartbeat(self._claim, float("-inf"), lambda: None)
        self._closed = threading.Event()
        self._beating = threading.Lock()
        self._when_lost: Callable[[], object] = lambda: None
        self._tell: Callable[[str], None] = lambda _: None
        self._reported: set[str] = set()
        self._file = lock.lock_file(environment)
        self.fence = lock.holds_lock(environment, holder.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        # A heartbeat never makes a lock file, so one that is under way may go on.
        if self._beating.acquire(timeout=DROP_SECONDS):
            self._beating.release()
        self._claim.withdraw()
        self._witness.end()

    def abandon(self) -> None:
        """Release the lock of a process that ends at once, whatever its threads do meanwhile.

        Hosts refuse what those still send, and `confirm` what they would ask of AWS.
        """
        self._closed.set()
        self.heartbeat.lost.set()
        self._claim.withdraw()

    def when_lost(self, act: Callable[[], object]) -> None:
        """Have `act` called once the lock is known to be lost."""
        self._when_lost = act

    def take(self, wait_seconds: float, tell: Callable[[str], None]) -> None:
        """Take the lock; a dead holder's is taken over, a living one is waited for so long.

        Raises Locked with all that is known of the holder, or with each host that stands against
        a majority; Unreachable where too few hosts answer.
        """
        self._tell = tell
        self._witness.begin(self.holder.token)
        end, tries = self._clock.monotonic() + wait_seconds, 0
        left: Mapping[str, str] = {}
        files: Mapping[str, bytes] = {}
        aside: Mapping[str, str] = {}
        refused, known = frozenset[str](), set[str]()
        while (other := self._try(left, files, aside)) is not None:
            tries, claim = tries + 1, self._claim
            tell(f"{self._environment} is locked: {other}; watching for its heartbeat")
            # Of two that refuse each other, one waits for so long that the other is through.
            yields = other.token not in known and (tries > 1 or other.token < self.holder.token)
            seen = watch.watch(
                self._environment,
                self._remotes,
                self.holder.ttl_seconds,
                ignored=aside,
                to_the_end=yields,
                clock=self._clock,
                has_ended=self._witness.has_ended,
            )
            alive = seen.alive()
            if self._clock.monotonic() >= end and (alive or tries >= MOST_TRIES):
                raise Locked(self._refusal(seen, alive or other))
            if alive:
                known.add(alive.token)
            stubborn = refused & claim.others.keys() if tries > 1 and not alive else ()
            left, files = seen.left(), seen.view.files
            aside = seen.aside(stubborn, aside, self._file)
            refused = frozenset(claim.others)
            if other.token in left.values():
                has_ended = self._witness.has_ended(other.token)
                silent = f"shows no life for {other.ttl_seconds:g} s"
                tell(f"{other} {'has ended here' if has_ended else silent}: taking over")
                self._clock.sleep(LATE_SECONDS * has_ended)
            elif not alive:
                self._clock.sleep(random.uniform(0, min(tries, 4) / 4))  # noqa: S311
        if problems := self._claim.problems():
            tell(f"{self._environment}: the lock is held without these hosts: {problems}")
        threading.Thread(target=self._keep, daemon=True).start()

    def _try(
        self, left: Mapping[str, str], files: Mapping[str, bytes], aside: Mapping[str, str]
    ) -> Holder | None:
        """Return another holder, or None: the lock is ours. Without it, nothing of ours is left."""
        began = self._clock.awake()
        claim = Claim(
            self._environment, self._remotes, self.holder, left, files, aside, clock=self._clock
        )
        self._claim = claim
        claim.make()
        if claim.is_won:
            self.heartbeat = Heartbeat(claim, began, lambda: self._when_lost())  # noqa: PLW0108 - set later
            if self._clock.awake() - began > FRESH_SECONDS:
                self.heartbeat.confirmed_at = float("-inf")
                self.confirm()
            return None
        claim.withdraw()
        if claim.others:
            return next(iter(claim.others.values()))
        needs = f"{self._environment}: its lock needs {claim.quorum} of {len(self._remotes)} hosts"
        if claim.unreadable or aside:
            raise Locked(
                f"{needs}: {claim.problems()}; if no deploy runs: "
                f"{self._scope.command('lock.break', '--reason', '…')}"
            )
        raise Unreachable(f"{needs}: {claim.problems()}")

    def _refusal(self, seen: watch.Watched, holder: Holder) -> str:
        where = f"alive ({self._file} on {seen.where(holder.token)})"
        wait = f"wait for it with --wait-lock 15m, or look: {self._look}"
        return f"{self._environment} is locked: {holder}, {where}; {wait}"

    def widen(self) -> None:
        """Keep the lock on hosts, too, that did not answer when it was taken."""
        with self._beating:
            self.heartbeat.beat(self._remotes)

    def confirm(self) -> None:
        """Raise LockLost when the lock is not ours, ConnectionLost when no majority answers."""
        if self._is_stale():
            with self._beating:
                if self._is_stale():  # of many that ask at once, after a sleep, one is enough
                    self.heartbeat.beat(self._claim.ours())
            # A fleet of two could not go on without one that was terminated.
            with self._beating:
                for name in self.heartbeat.without_ended(self._has_ended):
                    self._report(f"{self._environment}: {name} was terminated; its vote is none")
        if self.heartbeat.lost.is_set():
            raise LockLost(self._loss())
        if self._is_stale():
            raise ConnectionLost(
                f"{self._environment}: no word from a majority of its hosts for "
                f"{self.holder.ttl_seconds:g} s, so another deploy may have taken it over"
                f"{self._against()}"
            )

    def refused(self, where: str) -> DeployError:
        """Return what a host's refusal of a change means; LockLost only if a majority says so.

        where: host and intention. The majority is asked now; where it is ours, the lock is
        written again on a host that has none, and the same may work a moment later.
        """
        asked = self._clock.awake()
        with self._beating:
            if self.heartbeat.confirmed_at < asked:
                self.heartbeat.beat(self._remotes)
        if self.heartbeat.lost.is_set():
            return LockLost(f"{where}: {self._loss()}")
        if self.heartbeat.confirmed_at < asked:
            return ConnectionLost(f"{where}: the lock is not ours there{self._against()}")
        return LockDisputed(
            f"{where}: {self._file} there is not this deploy's, though it is on a majority of "
            f"the hosts; look: {self._look}"
        )

    def _is_stale(self) -> bool:
        age_seconds = self._clock.awake() - self.heartbeat.confirmed_at
        return age_seconds > self.holder.ttl_seconds

    def _against(self) -> str:
        against = self.heartbeat.against()
        return f"; {self._file} is not ours on {against}" if against else ""

    def _loss(self) -> str:
        return (
            f"another deploy took {self._environment} over, or its lock was broken; this one "
            f"changes nothing any more{self._against()}"
        )

    def _keep(self) -> None:
        while not self._clock.wait(self._closed, self.holder.ttl_seconds / BEATS_IN_TTL):
            try:
                with self._beating:
                    self.heartbeat.beat(self._claim.ours())
            except Exception as error:  # noqa: BLE001 - without a heartbeat the lock is lost
                self._report(
                    f"{self._environment}: a heartbeat failed: {error!r}; the next goes on"
                )

    def _report(self, text: str) -> None:
        """Report a text once; a screen that fails may not end the heartbeat."""
        if text not in self._reported:
            self._reported.add(text)
            with suppress(Exception):
                self._tell(text)
