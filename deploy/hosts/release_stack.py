"""The releases that a rollback can return to, in turn: a stack of deploys and rollbacks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.hosts.records import Kind, Record

if TYPE_CHECKING:
    from collections.abc import Sequence


def standing_releases(history: Sequence[Record]) -> tuple[Record, ...]:
    """Return the deploys that were not rolled back, oldest first: a rollback can return to these.

    A deploy is put on top. A rollback takes off all that lies above the release it returned to, so
    that the next rollback goes further back, and not forth again. Where that release is not on the
    stack, it was named by hand and is put on top; where the history does not reach back to it at
    all, nothing that is known lies below it. What is recorded twice is there once: a repair writes
    down again what runs, and lines of format 0 do not distinguish one run of a release from the
    next.
    """
    standing: list[Record] = []
    seen: set[str] = set()
    for record in history:
        if record.kind is Kind.ROLLBACK:
            place = _place(standing, record)
            if place is not None:
                del standing[place + 1 :]
            elif record.release in seen:
                standing.append(record)
            else:
                standing = [record]
        elif standing and _is_same(standing[-1], record):
            if not (standing[-1].run and record.run):
                standing[-1] = record
        else:
            standing.append(record)
        seen.add(record.release)
    return tuple(standing)


def kind_of(history: Sequence[Record], release: str, unit_digest: str) -> Kind:
    """Why a release that runs without a record of it was put in service.

    It was to go back where it is on the stack, below what was deployed last.
    """
    below = [(each.release, each.unit_digest) for each in standing_releases(history)[:-1]]
    return Kind.ROLLBACK if (release, unit_digest) in below else Kind.DEPLOY


def _place(standing: Sequence[Record], back: Record) -> int | None:
    """Where on the stack a rollback returned to: under this unit, or else to this release."""
    for names in ("release", "unit_digest"), ("release",):
        wanted = [getattr(back, name) for name in names]
        for place in range(len(standing) - 1, -1, -1):
            if [getattr(standing[place], name) for name in names] == wanted:
                return place
    return None


def _is_same(last: Record, record: Record) -> bool:
    """Whether a record says again what lies on top of the standing_releases."""
    is_untold = not (last.run and record.run)
    return last.release == record.release and (is_untold or last.unit_digest == record.unit_digest)
