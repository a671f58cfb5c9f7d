"""How far the run of a lock's holder is, as a line of JSON beside the lock. Pure.

It lies in a file of its own, so that versions that do not know it read the lock as before. It is
for people to see: nothing is decided by it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from deploy import values
from deploy.hosts.lock.holder import MOST_BEATS
from deploy.hosts.lock.view import faulty
from deploy.hosts.scripts.lock import LINE_BYTES, head

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = 1
MOST_BYTES = 3_500
"""Of a line: with every heartbeat it goes to each host, and LINE_BYTES of it are read."""
MOST_HOSTS = 12
"""How many hosts at work, and how many that failed, are named; the others are counted."""
MOST_CHARACTERS = {"what": 300, "note": 300, "host": 100, "state": 20, "doing": 120}
MOST_COUNT = 1_000_000
MOST_SECONDS = 10**9


@dataclass(frozen=True)
class HostNow:
    """A host that is at work, or where something failed.

    Attributes:
        host: By name.
        state: What it is to those who send requests: `draining`, `FAILED`.
        doing: What is done there, or what it failed with.
    """

    host: str
    state: str
    doing: str


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        token: Of the lock's holder.
        beat: The heartbeat with which it was written.
        run: The command's id, which the record of the run names too.
        what: What each app runs and shall run: `web 1.0.0 → 2.0.0`.
        note: What else a person should know, such as what it waits for; empty for nothing.
        batch: The number of the batch, from 1; 0 before the first.
        batches: How many the plan has.
        ended: The hosts whose part is over.
        hosts: All hosts of the plan.
        serving: How many targets serve, of the group with the least above its minimum.
        size: How many targets that group has; 0 where there is none.
        minimum: How many of them must stay.
        seconds: Since the run began.
        seconds_left: An estimate; 0 where nothing is known.
        at_work: Hosts where a step runs, at most MOST_HOSTS of them.
        failed: Hosts where something failed, at most MOST_HOSTS of them.
        more_at_work: How many more of them are at work.
        more_failed: On how many more of them something failed.
    """

    token: str
    beat: int
    run: str
    what: str = ""
    note: str = ""
    batch: int = 0
    batches: int = 0
    ended: int = 0
    hosts: int = 0
    serving: int = 0
    size: int = 0
    minimum: int = 0
    seconds: float = 0.0
    seconds_left: float = 0.0
    at_work: tuple[HostNow, ...] = ()
    failed: tuple[HostNow, ...] = ()
    more_at_work: int = 0
    more_failed: int = 0

    def as_line(self) -> str:
        """One line of ASCII JSON that starts with the token; hosts are left out until it fits."""
        shown = self._cut()
        while len(line := json.dumps({**shown.public(), "format": FORMAT})) > MOST_BYTES - 50:
            shown = shown.with_fewer_hosts()
        return f"{head(self.token)}, {line.removeprefix('{')}"

    def public(self) -> dict[str, object]:
        """All but the token, for scripts."""
        found: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            is_list = isinstance(value, tuple)
            found[field.name] = [vars(each) for each in value] if is_list else value
        del found["token"]
        return found

    def _cut(self) -> Progress:
        """The same with texts and lists of a size that `parse` takes."""
        at_work, failed = self.at_work[:MOST_HOSTS], self.failed[:MOST_HOSTS]
        return replace(
            self,
            what=_fitted(self.what, "what"),
            note=_fitted(self.note, "note"),
            seconds=round(self.seconds, 1),
            seconds_left=round(self.seconds_left, 1),
            at_work=tuple(map(_fitted_host, at_work)),
            failed=tuple(map(_fitted_host, failed)),
            more_at_work=self.more_at_work + len(self.at_work) - len(at_work),
            more_failed=self.more_failed + len(self.failed) - len(failed),
        )

    def with_fewer_hosts(self) -> Progress:
        """The same without the last host that is named, which is counted; or without its texts."""
        if self.at_work:
            return replace(self, at_work=self.at_work[:-1], more_at_work=self.more_at_work + 1)
        if self.failed:
            return replace(self, failed=self.failed[:-1], more_failed=self.more_failed + 1)
        return replace(self, what="", note="")

    @classmethod
    def parse(cls, text: str, token: str) -> Progress | None:
        """Parse what the holder with this token wrote; None for anything else. Never raises.

        Fields that a later version adds are passed over.
        """
        if len(text) > LINE_BYTES or not text.startswith(head(token)):
            return None
        given = values.json_object(text)
        if given is None or given.get("format") != FORMAT or given.get("token") != token:
            return None
        try:
            return cls(**{field.name: _checked(field.name, given) for field in fields(cls)})
        except ValueError:
            return None


def believed(shown: Iterable[Progress | None], size: int) -> Progress | None:
    """The newest that more hosts show than may lie; None where there is none.

    Args:
        shown: What each host shows.
        size: How many hosts the environment has.
    """
    counts = Counter(each for each in shown if each)
    proven = (each for each, count in counts.items() if count > faulty(size))
    return max(proven, key=lambda each: each.beat, default=None)


def _checked(name: str, given: Mapping[str, object]) -> Any:
    """A field's value; ValueError for one outside its grammar."""
    value = given.get(name)
    if name in {"token", "run"}:
        return _text(value, 32, is_token=True)
    if name in {"what", "note"}:
        return _text(value, MOST_CHARACTERS[name])
    if name in {"at_work", "failed"}:
        return _hosts(value)
    is_time = name in {"seconds", "seconds_left"}
    most = MOST_SECONDS if is_time else MOST_BEATS if name == "beat" else MOST_COUNT
    is_number = type(value) is int or (is_time and type(value) is float)
    if not is_number or not isinstance(value, int | float):
        raise ValueError(name)
    if not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError(name)
    return float(value) if is_time else value


def _text(value: object, most: int, *, is_token: bool = False) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > most:
        raise ValueError(value)
    if is_token and values.token(value) is None:
        raise ValueError(value)
    return value


def _hosts(value: object) -> tuple[HostNow, ...]:
    if not isinstance(value, list) or len(value) > MOST_HOSTS:
        raise ValueError(value)
    found = []
    for each in value:
        if not isinstance(each, dict):
            raise ValueError(each)  # noqa: TRY004 - the caller refuses all kinds of wrong alike
        texts = {
            field.name: _text(each.get(field.name), MOST_CHARACTERS[field.name])
            for field in fields(HostNow)
        }
        found.append(HostNow(**texts))
    return tuple(found)


def _fitted_host(now: HostNow) -> HostNow:
    return HostNow(*(_fitted(getattr(now, each.name), each.name) for each in fields(now)))


def _fitted(text: str, name: str) -> str:
    """A text as one line of printable characters, cut with an ellipsis where it is too long."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    most = MOST_CHARACTERS[name]
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
