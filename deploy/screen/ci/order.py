"""A run's entries in an order in which what is known of a failure follows its line at once. Pure.

Hosts fail while others work, whose entries would come between a failure and its journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events.event import StepEnded

if TYPE_CHECKING:
    from deploy.events.event import Entry

MOST_SECONDS = 1.0
"""How long the entries of others wait: a host that does not answer has no journal to wait for."""


@dataclass
class Order:
    """Takes entries one after the other, and passes them on, none of them lost.

    After a step that failed the host's own next entry is the cause, which is put before what was
    heard meanwhile.
    """

    _failed: str = ""
    _since: float = 0.0
    _held: list[Entry] = field(default_factory=list)

    def __call__(self, entry: Entry) -> list[Entry]:
        """Return the entries that are due, in order."""
        if not self._failed:
            return self._passed(entry)
        if getattr(entry.event, "host", "") == self._failed:
            held = self._taken()
            return [*self._passed(entry), *self._again(held)]
        if entry.at - self._since > MOST_SECONDS:
            return self._again([*self._taken(), entry])
        self._held.append(entry)
        return []

    def rest(self) -> list[Entry]:
        """Return what still waits, at the end of a run."""
        return self._taken()

    def _passed(self, entry: Entry) -> list[Entry]:
        event = entry.event
        if isinstance(event, StepEnded) and event.error:
            self._failed, self._since = event.host, entry.at
        return [entry]

    def _taken(self) -> list[Entry]:
        held, self._failed, self._held = self._held, "", []
        return held

    def _again(self, held: list[Entry]) -> list[Entry]:
        return [due for each in held for due in self(each)]
