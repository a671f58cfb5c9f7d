"""Who holds an environment's lock, as the hosts show it, and whether that deploy lives. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from deploy.foreign_text import visible
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.progress import Progress, believed
from deploy.hosts.lock.view import View, faulty
from deploy.hosts.lock.watch import Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.survey.facts import Survey

MEANINGS = {Life.ALIVE: "alive", Life.DEAD: "dead", Life.GONE: "ended meanwhile"}


class HolderSeen(NamedTuple):
    """A holder that hosts show.

    Attributes:
        holder: As it wrote itself down.
        hosts: Those that show it, by name.
        is_proven: Whether more hosts show it than may lie.
        life: Whether its heartbeat goes on; None where that was not watched, or not long enough.
        silent_seconds: Since its last heartbeat, each by the host's own clock: the middle one of
            them; None where that is not known. Nothing is decided by it.
        progress: How far its run is; None where most hosts do not show the same.
    """

    holder: Holder
    hosts: tuple[str, ...]
    is_proven: bool
    life: Life | None = None
    silent_seconds: int | None = None
    progress: Progress | None = None

    def __str__(self) -> str:
        where = "" if self.is_proven else f"only on {', '.join(self.hosts)}: "
        far = f"; {in_words(self.progress)}" if self.progress else ""
        return f"{where}{self.holder}{self._life()}{far}"

    def _life(self) -> str:
        """Whether it lives, or what is known of it."""
        if self.life:
            return f", {MEANINGS[self.life]}"
        if self.silent_seconds is None or not self.is_proven:
            return ""
        ttl = self.holder.ttl_seconds
        late = f" (dead if that stays so for {ttl:g} s)" if self.silent_seconds > ttl else ""
        return f", last heartbeat {self.silent_seconds} s ago, not yet seen to go on{late}"

    def as_json(self) -> dict[str, object]:
        """The same for scripts; without the token, by which hosts know the holder."""
        life = self.life.value if self.life else None
        shown = {"hosts": list(self.hosts), "life": life, "majority": self.is_proven}
        far = self.progress.public() if self.progress else None
        more = {"silent_seconds": self.silent_seconds, "progress": far}
        return self.holder.public() | shown | more


def of(
    survey: Survey, life: Callable[[str], Life | None] = lambda _: None
) -> tuple[HolderSeen, ...]:
    """Each holder that a survey's hosts show; life: whether the one with a token lives."""
    view, facts = view_of(survey), {each.host.name: each for each in survey.hosts}
    found = []
    for holder, hosts in view.each():
        token = holder.token
        own = [facts[name] for name in hosts]
        far = believed((Progress.parse(each.progress, token) for each in own), view.size)
        ages = sorted(each.lock_age for each in own if each.lock_age is not None)
        silent = ages[len(ages) // 2] if ages else None
        proven = view.is_proven(token)
        found.append(HolderSeen(holder, hosts, proven, life(token), silent, far))
    return tuple(found)


def in_words(far: Progress) -> str:
    """How far a run is, in one line; its texts may be foreign."""
    return ", ".join(map(visible, (far.what, *numbers(far)) if far.what else numbers(far)))


def numbers(far: Progress) -> list[str]:
    """The numbers of a run, as its own screen has them."""
    found = [f"{far.ended}/{far.hosts} hosts"]
    if far.batch:
        found.append(f"batch {far.batch}/{far.batches}")
    if far.size:
        least = f" (minimum {far.minimum})" if far.minimum else ""
        found.append(f"in service {far.serving} of {far.size}{least}")
    if failed := len(far.failed) + far.more_failed:
        found.append(f"{failed} failed")
    return found


def view_of(survey: Survey) -> View:
    """A survey's look at the lock."""
    parsed = {facts.host.name: Holder.parse(facts.lock) for facts in survey.hosts}
    return View(
        len(survey.hosts) + len(survey.unreachable),
        {name: holder for name, holder in parsed.items() if holder},
    )


@dataclass
class Heartbeats:
    """What one look after the other shows of the lock's holders: whether each lives.

    As `hosts.lock.watch` judges: alive where the beat grew on more hosts than may lie, dead where
    it did not for the holder's own time to live.

    Attributes:
        here: What this machine itself knows of the holder with a token.
    """

    here: Callable[[str], Life | None] = lambda _: None
    _first: dict[tuple[str, str], int] = field(default_factory=dict)
    _grew_at: dict[str, float] = field(default_factory=dict)
    _alive: set[str] = field(default_factory=set)

    def see(self, survey: Survey, now: float) -> tuple[HolderSeen, ...]:
        """Take in a look; now: seconds of a clock that only grows."""
        view, lives = view_of(survey), dict[str, Life | None]()
        for holder, hosts in view.each():
            token = holder.token
            grown = [
                name
                for name in hosts
                if view.holders[name].beat > self._first.get((name, token), MOST)
            ]
            if len(grown) > faulty(view.size):
                self._alive.add(token)
                self._grew_at[token] = now
            since = self._grew_at.setdefault(token, now)
            if now - since > holder.ttl_seconds:
                self._alive.discard(token)
                lives[token] = Life.DEAD
            else:
                lives[token] = Life.ALIVE if token in self._alive else None
            for name in hosts:
                self._first[name, token] = view.holders[name].beat
        return of(survey, lambda token: self.here(token) or lives.get(token))


MOST = 2**60
"""More than any beat: a host that did not show a holder before proves nothing by its first look."""
