"""The mark of a failed release on a host: which, under which unit, when, by whom, why. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from deploy import values
from deploy.foreign_text import visible
from deploy.hosts.file_format import FORMAT, refuse_newer

MOST_WHY = 300
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Mark:
    """The mark on a host of a release that failed there.

    Attributes:
        release: The release's id.
        unit_digest: The digest of the unit it ran under; empty where unknown, as in format 0.
        at: ISO time, by the clock of the workstation.
        by: Who set the mark, from where.
        run: The id of the command that did; empty in format 0.
        why: What failed, in one line; empty in format 0.
    """

    release: str
    unit_digest: str = ""
    at: str = ""
    by: str = ""
    run: str = ""
    why: str = ""

    def as_line(self) -> str:
        """One line of JSON; of `why` as much as fits, without anything that acts."""
        why = visible(" ".join(self.why.split()), MOST_WHY)
        return json.dumps({"format": FORMAT, **asdict(self), "why": why})

    @classmethod
    def parse(cls, release: str, text: str) -> Mark | None:
        """Parse a line of `as_line`, or a mark of format 0: `<time> <who>`.

        None for anything else. That a mark is there counts, whatever it says.

        Raises:
            BadInput: A later version of Changeover wrote it.
        """
        given = values.json_object(text)
        if given is None:
            at, _, by = text.strip().partition(" ")
            is_plain = values.printable(text.strip()) is not None and not at.startswith("{")
            return cls(release, at=at, by=by) if at and is_plain else None
        refuse_newer(given, "the mark of a release that failed")
        names = ("release", "unit_digest", "at", "by", "run", "why")
        found = {name: given.get(name, "") for name in names}
        texts = {key: text for key, text in found.items() if isinstance(text, str)}
        is_known = (
            len(texts) == len(found)
            and all(values.printable(each) is not None for each in texts.values())
            and texts["release"] == release
            and (not texts["unit_digest"] or values.unit_digest(texts["unit_digest"]))
        )
        return cls(**texts) if is_known else None

    def __str__(self) -> str:
        parts = [f"marked {self.at}" if self.at else "marked"]
        parts += [f"by {self.by}"] if self.by else []
        parts += [f"under unit {self.unit_digest[:_SHOWN_DIGITS]}"] if self.unit_digest else []
        return " ".join(parts) + (f": {self.why}" if self.why else "")
