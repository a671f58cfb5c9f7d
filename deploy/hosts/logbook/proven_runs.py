"""Which records of runs count: those that more hosts show than could be wrong. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.hosts.lock.view import faulty
from deploy.hosts.logbook.run_record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable


def proven(answers: Iterable[Iterable[str]], size: int) -> tuple[RunRecord, ...]:
    """The records that enough hosts show, the newest first.

    Args:
        answers: The lines of each host.
        size: How many hosts took part; less than half of them decide nothing.

    Raises:
        BadInput: A later version of Changeover wrote a line.
    """
    counts = Counter(record for lines in answers for record in {*map(RunRecord.parse, lines)})
    found = (each for each, count in counts.items() if each and count > faulty(max(1, size)))
    return tuple(sorted(found, key=lambda each: (each.at, each.run), reverse=True))
