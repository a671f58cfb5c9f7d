"""Lines of services' journals as they are shown: for people, and as JSON. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.foreign_text import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.hosts.logbook.journal_line import JournalLine
    from deploy.settings.app import App

COLOURS = (
    *("cyan", "green", "yellow", "magenta", "blue"),
    *("bright_cyan", "bright_green", "bright_yellow", "bright_magenta", "bright_blue"),
)
"""Of hosts, in their order; red is for errors."""


@dataclass(frozen=True)
class JournalView:
    """How lines are shown.

    Attributes:
        hosts: All of them, by name, in order.
        labels: By unit, what stands behind the host's name; see `labels`.
        is_terminal: Whether a person reads them; a log gets the date and the zone with each.
    """

    hosts: tuple[str, ...]
    labels: Mapping[str, str]
    is_terminal: bool

    def head(self, line: JournalLine) -> tuple[str, str]:
        """What stands before a line's message, and the colour of its host."""
        name = " ".join(filter(None, (visible(line.host), self.labels.get(line.unit, ""))))
        return f"{self._time(line.at)} {name:{self._width}} | ", self._colour(line.host)

    def _time(self, microseconds: int) -> str:
        at = datetime.fromtimestamp(microseconds / 1e6, UTC)
        if not self.is_terminal:
            return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
        own = at.astimezone()
        return own.strftime("%m-%d %H:%M:%S.") + f"{own.microsecond // 1000:03}"

    @property
    def _width(self) -> int:
        hosts = max((len(visible(host)) for host in self.hosts), default=0)
        labels = max(map(len, self.labels.values()), default=0)
        return hosts + (labels + 1 if labels else 0)

    def _colour(self, host: str) -> str:
        place = self.hosts.index(host) if host in self.hosts else 0
        return COLOURS[place % len(COLOURS)]


def labels(apps: Iterable[App]) -> dict[str, str]:
    """By unit, what distinguishes it from the others: nothing where there is one alone.

    That is the app's name where there are several, the port where it has two slots, and the name
    of a unit that an app replaces.
    """
    given = tuple(apps)
    found: dict[str, str] = {}
    for app in given:
        name = app.name if len(given) > 1 else ""
        for slot in app.slots:
            found[slot.unit_name] = f"{name}{slot.slot_mark.rstrip()}"
        if app.replaces:
            found[app.replaces] = app.replaces
    return found


def as_json(line: JournalLine, apps: Mapping[str, str]) -> str:
    """A line for scripts; apps: by unit, the app's name."""
    at = datetime.fromtimestamp(line.at / 1e6, UTC).isoformat(timespec="microseconds")
    body = {
        "at": at.replace("+00:00", "Z"),
        "host": line.host,
        "app": apps.get(line.unit, ""),
        "unit": line.unit,
        "release": line.release,
        "priority": line.priority,
        "message": line.message,
    }
    return json_text(body, indent=None)
