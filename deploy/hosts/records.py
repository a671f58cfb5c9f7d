"""What a host remembers of an app: what was deployed, in which run, and what it stands on. Pure."""

from __future__ import annotations

import enum
import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy import __version__, values
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1
"""The format of the lines that this version writes; lines without a format have format 0."""


class Kind(enum.StrEnum):
    """Why a release was put in service.

    DEPLOY: by a package, or by a repair of a deploy. ROLLBACK: it took the place of a later one.
    """

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Record:
    """A release that was deployed on a slot: proven, and found healthy by the load balancer.

    Attributes:
        release: The release's id.
        unit_digest: The digest of the unit it ran under.
        at: ISO time, by the clock of the workstation.
        by: Who deployed it, from where.
        run: The id of the command that did it, 32 hex digits; empty in lines of format 0.
        kind: Why it was put in service.
        tool_version: The version of Changeover that did it; empty in older lines.
    """

    release: str
    unit_digest: str
    at: str = ""
    by: str = ""
    run: str = ""
    kind: Kind = Kind.DEPLOY
    tool_version: str = __version__

    @property
    def version(self) -> str:
        """The release's version, without its digest."""
        return self.release.rpartition("-")[0]

    @property
    def kept(self) -> str:
        """The name under which the host keeps the unit, beside those of other releases."""
        return f"{self.release}.{self.unit_digest}"

    def as_line(self) -> str:
        """One line of JSON."""
        body = {
            "format": FORMAT,
            "release": self.release,
            "unit": self.unit_digest,
            "at": self.at,
            "by": self.by,
            "run": self.run,
            "kind": str(self.kind),
            "tool_version": self.tool_version,
        }
        return json.dumps(body)

    @classmethod
    def parse(cls, line: str) -> Record | None:
        """What `as_line` wrote; None for anything else, such as a line cut short by a crash.

        Raises:
            BadInput: A later version of Changeover wrote the line.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "a record of its deploys")
        names = ("release", "unit", "at", "by", "run", "kind", "tool_version")
        texts = {key: given.get(key, "") for key in names}
        if not all(isinstance(text, str) for text in texts.values()):
            return None
        found = {key: str(text) for key, text in texts.items()}
        is_known = (
            values.release_id(found["release"])
            and values.unit_digest(found["unit"])
            and values.printable(found["at"]) is not None
            and values.printable(found["by"]) is not None
            and values.printable(found["tool_version"]) is not None
            and (not found["run"] or values.token(found["run"]))
            and (not found["kind"] or found["kind"] in set(Kind))
        )
        if not is_known:
            return None
        kind = Kind(found.pop("kind") or Kind.DEPLOY)
        return cls(unit_digest=found.pop("unit"), **found, kind=kind)


@dataclass(frozen=True)
class Note:
    """That a target was taken out, as it is written down before it is done.

    Attributes:
        group: The target group's name.
        target: The target, as `id:port`.
        at: ISO time, by the clock of the workstation.
        by: Who took it out, from where.
        run: The id of the command that did; empty in notes of format 0.
    """

    group: str
    target: str
    at: str = ""
    by: str = ""
    run: str = ""

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, line: str) -> Note | None:
        """What `as_line` wrote; None for anything else.

        Raises:
            BadInput: A later version of Changeover wrote it.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "the note that its target is out")
        names = ("group", "target", "at", "by", "run")
        return cls(*(str(given.get(name, "")) for name in names)) if given.get("target") else None


def refuse_newer(given: Any, what: str) -> None:
    """Raise BadInput where a file of a host has a format that this version does not know.

    given: what its JSON says; what: the file, for the message.
    """
    form = given.get("format", 0) if isinstance(given, dict) else 0
    if isinstance(form, int) and form > FORMAT:
        raise BadInput(
            f"{what} has a later format than this version knows ({FORMAT}): upgrade Changeover"
        )


def stack(history: Sequence[Record]) -> tuple[Record, ...]:
    """What an app stands on: the deploys that were not taken back, oldest first.

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


def _place(standing: Sequence[Record], back: Record) -> int | None:
    """Where on the stack a rollback returned to: under this unit, or else to this release."""
    for names in ("release", "unit_digest"), ("release",):
        wanted = [getattr(back, name) for name in names]
        for place in range(len(standing) - 1, -1, -1):
            if [getattr(standing[place], name) for name in names] == wanted:
                return place
    return None


def _is_same(last: Record, record: Record) -> bool:
    """Whether a record says again what lies on top of the stack."""
    is_untold = not (last.run and record.run)
    return last.release == record.release and (is_untold or last.unit_digest == record.unit_digest)


def new_run() -> str:
    """An id for a command, 32 hex digits."""
    return uuid.uuid4().hex


def now() -> str:
    """The time for a record, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
