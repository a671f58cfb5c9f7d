"""Whether a run-once command ran for a release, by what all hosts show. Pure."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.hosts.lock.view import faulty, quorum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.once.record import OnceRecord


class Standing(enum.Enum):
    """What a majority of the hosts shows of a command for a release."""

    NOT_RUN = "it was never started"
    STARTED = "it may have been started, and is not known to have ended well"
    DONE = "it ended well, or was skipped"
    UNKNOWN = "too few hosts answer"


@dataclass(frozen=True)
class Evidence:
    """The records that the hosts of an environment have of one app's command for a release.

    Attributes:
        size: How many hosts were asked: all of the environment.
        records: What a host shows, by host.
        blank: Hosts that show none, and never had a release of the app: they cannot know.
        silent: Why a host gave no answer, or one that cannot be read, by host.
    """

    size: int
    records: Mapping[str, OnceRecord] = field(default_factory=dict)
    blank: frozenset[str] = frozenset()
    silent: Mapping[str, str] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """The conclusion from all records.

        Before the command begins, a majority of all hosts has its record. So it never began where
        those that show one, and those that are silent, are no majority. Hosts that are new since
        do not count for that majority, or a release could not be brought to them. One host alone
        proves nothing, unless there are too few for one to be outvoted.
        """
        if self.size - len(self.silent) < quorum(self.size):
            return Standing.UNKNOWN
        majority = quorum(self.size - len(self.blank))
        proof = min(1, faulty(self.size)) + 1
        over = sum(each.state.is_over for each in self.records.values())
        if over >= max(majority, proof):
            return Standing.DONE
        shown, silent = len(self.records), len(self.silent)
        is_hidden = shown and silent and shown + silent >= majority
        if shown >= proof or is_hidden:
            return Standing.STARTED
        return Standing.NOT_RUN

    @property
    def record(self) -> OnceRecord | None:
        """The record that most hosts show, the newest of several; None where none shows one."""
        counted = Counter(self.records.values())
        return max(counted, key=lambda each: (counted[each], each.at), default=None)
