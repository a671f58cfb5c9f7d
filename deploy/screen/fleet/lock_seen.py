"""Who holds an environment's lock, as the hosts show it, and whether that deploy lives. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from deploy.hosts.lock.holder import Holder
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
    """

    holder: Holder
    hosts: tuple[str, ...]
    is_proven: bool
    life: Life | None = None

    def __str__(self) -> str:
        where = "" if self.is_proven else f"only on {', '.join(self.hosts)}: "
        life = f", {MEANINGS[self.life]}" if self.life else ""
        return f"{where}{self.holder}{life}"

    def as_json(self) -> dict[str, object]:
        """The same for scripts; without the token, by which hosts know the holder."""
        life = self.life.value if self.life else None
        shown = {"hosts": list(self.hosts), "life": life, "majority": self.is_proven}
        return self.holder.public() | shown


def of(
    survey: Survey, life: Callable[[str], Life | None] = lambda _: None
) -> tuple[HolderSeen, ...]:
    """Each holder that a survey's hosts show; life: whether the one with a token lives."""
    view = view_of(survey)
    return tuple(
        HolderSeen(holder, hosts, view.is_proven(holder.token), life(holder.token))
        for holder, hosts in view.each()
    )


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
    """

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
        return of(survey, lives.get)


MOST = 2**60
"""More than any beat: a host that did not show a holder before proves nothing by its first look."""
