"""What a host remembers of an app: what was deployed, what turned out bad, who is out. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Record:
    """A release that was deployed on a slot: proven, and found healthy by the load balancer.

    release: its id; unit: the digest of the unit it ran under; at: ISO time; by: who, from where.
    """

    release: str
    unit: str
    at: str = ""
    by: str = ""

    @property
    def version(self) -> str:
        """The release's version, without its digest."""
        return self.release.rpartition("-")[0]

    @property
    def kept(self) -> str:
        """The name under which the host keeps the unit, beside those of other releases."""
        return f"{self.release}.{self.unit}"

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Record | None:
        """What `as_line` wrote; None for anything else, such as a line cut short by a crash."""
        try:
            given = json.loads(line)
            return cls(*(str(given[key]) for key in ("release", "unit", "at", "by")))
        except (ValueError, KeyError, TypeError):
            return None


def now() -> str:
    """The time for a record, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
