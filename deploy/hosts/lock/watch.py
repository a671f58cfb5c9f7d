"""Watches other holders of an environment's lock: whether one is alive, and when it ends."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.clock import CLOCK, Clock
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.lock.view import ASK_SECONDS, View, faulty, read
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploy.hosts.lock.holder import Holder
    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote

BEATS_IN_TTL = 4
NAMED = 5
"""How many hosts of a holder a message names."""


class Life(enum.Enum):
    """Whether a watched holder is alive, dead or gone."""

    ALIVE = "alive"
    DEAD = "dead"
    GONE = "gone"


@dataclass(frozen=True)
class Watched:
    """The result of watching the hosts for a holder's time to live.

    Attributes:
        view: The last look.
        grown: The hosts on which a token's beat has grown, by token.
        unsteady: Hosts that showed one holder after the other.
    """

    view: View
    grown: Mapping[str, frozenset[str]]
    unsteady: frozenset[str] = frozenset()

    def life(self, token: str) -> Life:
        """Return whether this holder lives, as most hosts show it.

        Alive where the beat grew on more hosts than may lie; dead where more than may lie
        answered and it did not. Where too few answer, one growing beat counts as life.
        """
        if not self.view.hosts_of(token):
            return Life.GONE
        grown, most = len(self.grown.get(token, ())), faulty(self.view.size)
        if grown > most or (grown and self.view.answered - grown <= most):
            return Life.ALIVE
        return Life.DEAD

    def alive(self) -> Holder | None:
        """Return the holder that lives; None where none does."""
        alive = (held for held, _ in self.view.each() if self.life(held.token) is Life.ALIVE)
        return next(alive, None)

    def astray(self) -> frozenset[str]:
        """Return the hosts that show a living holder which most hosts do not show."""
        growing = {
            name
            for token, hosts in self.grown.items()
            if self.life(token) is not Life.ALIVE
            for name in hosts
        }
        return (self.unsteady | growing) & self.view.holders.keys()

    def left(self) -> Mapping[str, str]:
        """Return the tokens that a dead deploy left, by host."""
        astray = self.astray()
        return {
            name: holder.token
            for name, holder in self.view.holders.items()
            if name not in astray and self.life(holder.token) is Life.DEAD
        }

    def aside(
        self, stubborn: Iterable[str], before: Mapping[str, str], file: str
    ) -> Mapping[str, str]:
        """Return the hosts to do without: fewer than half, which show what the others do not.

        stubborn: hosts that refused twice for a holder of whom nothing was seen between; before:
        those that were done without so far; file: the lock's path.
        """
        astray = {
            name: f"{name}: {file} names a holder that the majority does not know"
            for name in self.astray() | set(stubborn)
        }
        found = {**before, **astray}
        return found if len(found) <= faulty(self.view.size) else before

    def where(self, token: str) -> str:
        """Return the hosts that show a token, in words; of many, the first ones."""
        hosts = self.view.hosts_of(token)
        return ", ".join(hosts[:NAMED]) + (" …" if len(hosts) > NAMED else "")


def look(environment: str, remotes: Mapping[str, Remote]) -> Watched:
    """Look once: no holder is seen to live, nor proven dead."""
    return Watched(read(environment, remotes), {})


def watch(
    environment: str,
    remotes: Mapping[str, Remote],
    ttl_seconds: float,
    *,
    ignored: Mapping[str, str] | None = None,
    to_the_end: bool = False,
    clock: Clock = CLOCK,
    has_ended: Callable[[str], bool] = lambda _: False,
) -> Watched:
    """Look at the lock again and again until it is known which of its holders live.

    ttl_seconds: how long to watch holders that no majority shows; one that is on more hosts than
    may lie is watched for its own time to live. ignored: hosts not to look at, and why.
    to_the_end: watch on where no host shows a holder any more, and fewer than half did before.
    has_ended: whether the holder with a token is known to have ended; all of them: one look is
    enough.

    Never by clocks or process ids, which two machines do not share. What counts is a change
    after the first look, on each host: a holder that was killed in the middle of a beat left two
    counts. The time runs from a look's end to the last one's beginning, since hosts that do not
    answer make a look long; they are not asked again.
    """
    silent = dict(ignored or {})
    first: dict[tuple[str, str], int] = {}
    tokens: dict[str, set[str]] = {}
    grown: dict[str, set[str]] = {}
    times: dict[str, float] = {}
    end = float("inf")
    while True:
        began = clock.monotonic()
        view = read(environment, remotes, silent)
        silent.update(view.silent)
        for name, holder in view.holders.items():
            tokens.setdefault(name, set()).add(holder.token)
            if holder.beat > first.setdefault((name, holder.token), holder.beat):
                grown.setdefault(holder.token, set()).add(name)
        if end == float("inf"):
            end = clock.monotonic() + ttl_seconds
        for holder, hosts in view.each():
            if len(hosts) > faulty(view.size) and holder.token not in times:
                times[holder.token] = holder.ttl_seconds
                end = max(end, clock.monotonic() + holder.ttl_seconds)
        seen = Watched(
            view,
            {token: frozenset(hosts) for token, hosts in grown.items()},
            frozenset(name for name, shown_there in tokens.items() if len(shown_there) > 1),
        )
        proven = any(len(hosts) > faulty(view.size) for hosts in grown.values())
        proven |= bool(view.holders) and all(has_ended(h.token) for h in view.holders.values())
        if proven or began >= end or not (view.holders or (to_the_end and not times)):
            return seen
        pause = min([ttl_seconds, *times.values()]) / BEATS_IN_TTL / 2
        clock.sleep(min(max(end - clock.monotonic(), 0), pause))


def destroy(
    environment: str, remotes: Mapping[str, Remote], view: View, token: str, note: str
) -> Mapping[str, str]:
    """Take the lock from its holder on every host that answered, and write down why.

    Returns why it failed, by host.
    """
    script = lock.break_lock(environment, token, note)
    return _failures(remotes, dict.fromkeys(remotes.keys() - view.silent.keys(), script))


def clean(
    environment: str, remotes: Mapping[str, Remote], view: View, note: str
) -> Mapping[str, str]:
    """Remove each lock that names no holder, if it is still as it was seen; failures by host."""
    scripts = {
        name: lock.break_unreadable(environment, raw, note) for name, raw in view.unreadable.items()
    }
    return _failures(remotes, scripts)


def _failures(
    remotes: Mapping[str, Remote], scripts: Mapping[str, Script[int]]
) -> Mapping[str, str]:
    """Run each host's script; why it failed, by host."""
    failed: dict[str, str] = {}

    def ask(name: str) -> int:
        return remotes[name].run_beside(scripts[name], ASK_SECONDS)

    for name, answer in answers(scripts, ask, ASK_SECONDS, MOST_HOSTS_AT_ONCE):
        if answer:
            is_code = isinstance(answer, int)
            failed[name] = f"{name}: exit code {answer}" if is_code else str(answer)
    return failed
