"""A line of a service's journal, as `journalctl` prints it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from deploy import values
from deploy.foreign_text import visible

MOST_MICROSECONDS = 16_725_225_600_000_000
"""The year 2500: what comes later is no time of a line."""

DEFAULT_PRIORITY = 6


@dataclass(frozen=True)
class JournalLine:
    """One line.

    Attributes:
        at: Microseconds since 1970, by the host's clock.
        host: By name.
        unit: The unit that it is of; empty where the journal does not say it.
        message: One line that is safe to show.
        priority: As syslog has it, from 0 (emergency) to 7 (debug).
        release: The release whose process wrote it, as its unit says; empty where it does not.
        cursor: Its place in the host's journal; empty where that cannot be read.
    """

    at: int
    host: str
    unit: str
    message: str
    priority: int = DEFAULT_PRIORITY
    release: str = ""
    cursor: str = ""

    @classmethod
    def parse(cls, text: str, host: str) -> JournalLine | None:
        """Parse a line of `journalctl --output=json`; None for anything else."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(given, dict):
            return None
        at = values.number(_text(given.get("__REALTIME_TIMESTAMP")), MOST_MICROSECONDS)
        if at is None:
            return None
        # What systemd says of a unit names that as UNIT; its own unit is init.scope.
        unit = _text(given.get("UNIT")) or _text(given.get("_SYSTEMD_UNIT"))
        priority = values.number(_text(given.get("PRIORITY")), 7)
        return cls(
            at=at,
            host=host,
            unit=values.unit_name(unit) or "",
            message=visible(_text(given.get("MESSAGE")).rstrip("\n")),
            priority=DEFAULT_PRIORITY if priority is None else priority,
            release=values.release_id(_text(given.get("CHANGEOVER_RELEASE"))) or "",
            cursor=values.journal_cursor(_text(given.get("__CURSOR"))) or "",
        )


def _text(field: object) -> str:
    """A field's text: itself, its bytes as numbers where it is not printable, or several of them.

    systemd.journal-fields(7) and "Journal JSON Format" of systemd.io.
    """
    if isinstance(field, str):
        return field
    if not isinstance(field, list):
        return ""
    if all(isinstance(each, int) and 0 <= each <= 255 for each in field):  # noqa: PLR2004 - a byte
        return bytes(field).decode(errors="replace")
    return " ".join(_text(each) for each in field if isinstance(each, str))
