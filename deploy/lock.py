"""One deploy at a time: a lock on a majority of an environment's hosts, kept by a heartbeat."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from deploy import commands, fence, rival
from deploy.errors import ConnectionLost, DeployError, Locked, LockLost, Unreachable
from deploy.foreign_text import visible
from deploy.holder import Holder, last_line
from deploy.remote import MOST_AT_ONCE
from deploy.rival import ASK_SECONDS, BEATS_IN_TTL, Life

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploy.remote import Remote

DROP_SECONDS = 5.0


class Lease:
    """The environment's lock, held from `take` until the `with` block ends.

    A majority of all its hosts decides. The first in name order is asked first, so that of two
    that come at once one is refused before it has taken anything. As a Guard it stands before
    every change: `fence` has the host itself refuse a holder of before, `confirm` raises LockLost.
    """

    def __init__(self, environment: str, remotes: Mapping[str, Remote], holder: Holder) -> None:
        """Take nothing yet; `remotes` are those of all the environment's hosts."""
        self._environment = environment
        self._remotes = dict(sorted(remotes.items()))
        self._quorum = len(remotes) // 2 + 1
        self._holder = holder
        self._taken: set[str] = set()
        self._confirmed_at = 0.0
        self._lost = threading.Event()
        self._closed = threading.Event()
        self._beating = threading.Lock()
        self._when_lost: Callable[[], object] = lambda: None
        self.fence = fence.holds_lock(environment, holder.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with self._beating:
            self._drop()

    def when_lost(self, act: Callable[[], object]) -> None:
        """Have `act` called once the lock is known to be another's."""
        self._when_lost = act

    def take(self, wait_seconds: float, tell: Callable[[str], None]) -> None:
        """Take the lock; a dead holder's is taken over, a living one is waited for so long.

        Raises Locked with all that is known of the holder, Unreachable without a majority.
        """
        end, dead = time.monotonic() + wait_seconds, ""
        while (other := self._try(dead)) is not None:
            tell(f"{self._environment} is locked: {other}; watching for its heartbeat")
            life, dead = rival.watch(self._environment, self._remotes, other), ""
            if life is Life.DEAD:
                tell(f"{other} shows no life for {other.ttl_seconds:g} s: taking over")
                dead = other.token
            elif life is Life.ALIVE and time.monotonic() >= end:
                raise Locked(
                    f"{self._environment} is locked: {other}, alive; wait for it with "
                    f"--wait-lock 15m, or look: inv lock.status --env {self._environment}"
                )
        self._confirmed_at = awake_seconds()
        threading.Thread(target=self._keep, daemon=True).start()

    def widen(self) -> None:
        """Take the lock on hosts, too, that did not answer when it was taken."""
        held: dict[str, Holder] = {}
        self._attempt_all(self._remotes.keys() - self._taken, "", held, {})
        self._clear(held)

    def _clear(self, held: Mapping[str, Holder]) -> None:
        """Take what others hold on a few hosts, ours being the majority: they left it behind."""
        for name, left in held.items():
            self._attempt(name, left.token, {}, {})

    def confirm(self) -> None:
        """Raise LockLost when the lock is another's, ConnectionLost when nobody can tell."""
        if self._is_stale():
            with self._beating:
                if self._is_stale():  # of many that ask at once, after a sleep, one is enough
                    self._beat()
        if self._lost.is_set():
            raise LockLost(
                f"another deploy took {self._environment} over; this one changes nothing any more"
            )
        if self._is_stale():
            raise ConnectionLost(
                f"{self._environment}: no word from a majority of its hosts for "
                f"{self._holder.ttl_seconds:g} s, so another deploy may have taken it over"
            )

    def _is_stale(self) -> bool:
        return awake_seconds() - self._confirmed_at > self._holder.ttl_seconds

    def _try(self, dead: str) -> Holder | None:
        """Who holds the lock, or None: it is ours. Without it, nothing of ours is left."""
        held: dict[str, Holder] = {}
        failed: dict[str, str] = {}
        names = list(self._remotes)
        while names and not self._taken and not held:
            self._attempt(names.pop(0), dead, held, failed)
        if not held:
            self._attempt_all(names, dead, held, failed)
            if len(self._taken) >= self._quorum:
                self._clear(held)
                return None
        self._drop()
        if held:
            return next(iter(held.values()))
        raise Unreachable(
            f"{self._environment}: its lock needs {self._quorum} of {len(self._remotes)} hosts: "
            + "; ".join(failed.values())
        )

    def _attempt_all(
        self, names: Iterable[str], dead: str, held: dict[str, Holder], failed: dict[str, str]
    ) -> None:
        with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
            list(pool.map(lambda name: self._attempt(name, dead, held, failed), names))

    def _attempt(
        self, name: str, dead: str, held: dict[str, Holder], failed: dict[str, str]
    ) -> None:
        script = fence.take_lock(
            self._environment, self._holder.token, self._holder.as_line(), dead
        )
        try:
            result = self._remotes[name].ask(script, "taking the lock", ASK_SECONDS)
        except DeployError as error:
            failed[name] = str(error)
            return
        if result.exit_code == 0:
            self._taken.add(name)
        elif result.exit_code == commands.LOCK_HELD:
            holder = Holder.parse(last_line(result.stdout))
            if holder is None:
                raise Locked(
                    f"{name}: {fence.lock_file(self._environment)} cannot be read: "
                    f"{visible(last_line(result.stdout), 200)}; if nobody deploys, remove it there"
                )
            held[name] = holder
        else:
            failed[name] = f"{name}: {visible(result.stderr.strip()) or result.exit_code}"

    def _keep(self) -> None:
        while not self._closed.wait(self._holder.ttl_seconds / BEATS_IN_TTL):
            with self._beating:
                self._beat()

    def _beat(self) -> None:
        """Count on, on all hosts at once, until a majority has answered or all have.

        A host that is dead may take as long as a connection may: the beat goes on without it,
        and each has a thread, so that a zone of dead hosts holds up nobody.
        """
        if self._closed.is_set() or self._lost.is_set() or not self._taken:
            return
        self._holder = replace(self._holder, beat=self._holder.beat + 1)
        began = awake_seconds()
        script = fence.beat_lock(self._environment, self._holder.token, self._holder.as_line())
        pool = ThreadPoolExecutor(max_workers=len(self._taken))
        beats = [pool.submit(self._beat_on, name, script) for name in self._taken]
        pool.shutdown(wait=False)
        kept = 0
        for beat in as_completed(beats):
            kept += beat.result()
            if kept >= self._quorum:
                self._confirmed_at = began
                return

    def _beat_on(self, name: str, script: str) -> bool:
        """Whether the host still knows this holder; one that knows another ends it, late or not."""
        limit_seconds = self._holder.ttl_seconds / BEATS_IN_TTL
        try:
            code = self._remotes[name].aside(script, limit_seconds).exit_code
        except DeployError:
            return False
        if code == commands.LOCK_LOST and not self._closed.is_set():
            self._lost.set()
            self._when_lost()
        return code == 0

    def _drop(self) -> None:
        script = fence.drop_lock(self._environment, self._holder.token)
        rival.ask_aside(self._remotes, self._taken, script, DROP_SECONDS)
        self._taken.clear()


def awake_seconds() -> float:
    """A clock that goes on while the machine sleeps, where the system has one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if boot is None else time.clock_gettime(boot)
