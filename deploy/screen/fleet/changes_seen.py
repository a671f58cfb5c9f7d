"""The news of a followed run since the last look: lines for people, JSON for scripts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from deploy.foreign_text import line, visible
from deploy.screen.fleet.lock_seen import MEANINGS, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploy.hosts.lock.progress import HostNow, Progress
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.screen.fleet.row import Row


class Change(NamedTuple):
    """Something that is new.

    Attributes:
        kind: `holder`, `life`, `progress`, `note`, `host`, `failed`, `target` or `problem`.
        text: In one line.
        body: For scripts.
    """

    kind: str
    text: str
    body: Mapping[str, object]


@dataclass
class Changes:
    """Compares each look with the one before it."""

    _said: dict[tuple[str, ...], object] = field(default_factory=dict)

    def see(self, held: HolderSeen, rows: Sequence[Row]) -> list[Change]:
        """Take in a look that could be made: the holder that is followed, and the fleet's rows."""
        self._is_new(("problem",), "")
        found = [*self._of_holder(held)]
        if held.progress:
            found += self._of_run(held.progress)
        return [*found, *self._of_targets(rows)]

    def problem(self, text: str) -> list[Change]:
        """Take in why a look could not be made."""
        is_new = self._is_new(("problem",), text)
        return (
            [Change("problem", line(" ".join(text.split())), {"problem": text})] if is_new else []
        )

    def _is_new(self, key: tuple[str, ...], value: object) -> bool:
        """Whether this was not so at the look before; and note it."""
        is_new = self._said.get(key) != value
        self._said[key] = value
        return is_new

    def _of_holder(self, held: HolderSeen) -> Iterator[Change]:
        holder, life = held.holder, held.life
        is_first = ("holder",) not in self._said
        if self._is_new(("holder",), holder.token):
            text = str(holder) if is_first else f"another deploy took the lock over: {holder}"
            yield Change("holder", text, holder.public() | {"hosts": list(held.hosts)})
            self._said.pop(("life",), None)
        if life and self._is_new(("life",), life):
            yield Change("life", f"that deploy is {MEANINGS[life]}", {"life": life.value})

    def _of_run(self, far: Progress) -> Iterator[Change]:
        if self._is_new(("run",), in_words(far)):
            yield Change("progress", in_words(far), far.public())
        if self._is_new(("note",), far.note) and far.note:
            yield Change("note", visible(far.note), {"note": far.note})
        yield from self._of_hosts("host", far.at_work)
        yield from self._of_hosts("failed", far.failed)

    def _of_hosts(self, kind: str, hosts: Iterable[HostNow]) -> Iterator[Change]:
        for each in hosts:
            now = each.state if kind == "host" else each.doing
            if self._is_new((kind, each.host), now):
                doing = f": {visible(each.doing)}" if each.doing else ""
                text = f"{visible(each.host)}: {visible(each.state)}{doing}"
                yield Change(kind, text, dict(vars(each)))

    def _of_targets(self, rows: Iterable[Row]) -> Iterator[Change]:
        for row in rows:
            key = ("target", row.host, row.app)
            before = self._said.get(key)
            if self._is_new(key, (row.state, row.release)) and before is not None:
                release = f", runs {visible(row.release)}" if row.release else ""
                text = f"{visible(row.host)} {visible(row.app)}: target {visible(row.state)}"
                body = {"host": row.host, "app": row.app, "state": row.state}
                yield Change("target", f"{text}{release}", body | {"release": row.release})
