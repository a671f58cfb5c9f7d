"""Builds scripts that read the journals of units. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import Script, as_it_is, program

if TYPE_CHECKING:
    from deploy.command_result import CommandResult


@dataclass(frozen=True)
class Wanted:
    """The lines that are wanted of a host's journals.

    Attributes:
        units: The units, by name.
        while_running: Units that count only on a host on which they run.
        since: From when on, in unix seconds; None for whenever.
        pattern: What a message matches, as `journalctl --grep` reads it; empty for all.
        release: A release's id or version; empty for all.
    """

    units: tuple[str, ...]
    while_running: tuple[str, ...] = ()
    since: float | None = None
    pattern: str = ""
    release: str = ""

    def has(self, release: str) -> bool:
        """Whether a line of this release is wanted."""
        return self.release in {"", release, release.rpartition("-")[0]}


def last(wanted: Wanted, most_lines: int) -> Script[CommandResult]:
    """The last lines, at most so many, each as JSON.

    Facts: `now`, the host's unix seconds before it looked, and `release` where no line is of the
    release that is wanted.
    """
    since = "" if wanted.since is None else f"{wanted.since:.3f}"
    return _show(wanted, "", str(int(most_lines)), since, "", wanted.release)


def following(wanted: Wanted, cursor: str, now: int) -> Script[CommandResult]:
    """The lines that come, without an end; those of all releases, since one may be about to start.

    Args:
        wanted: Which ones.
        cursor: That of the last line that was read; empty where there was none.
        now: The host's unix seconds from which on lines are new, where there is no cursor.
    """
    after = values.checked(values.journal_cursor, cursor) if cursor else ""
    since = "" if cursor else str(int(now))
    return _show(wanted, "follow", "", since, after, "")


def _show(
    wanted: Wanted, follow: str, lines: str, since: str, cursor: str, release: str
) -> Script[CommandResult]:
    while_running = (values.checked(values.unit_name, unit) for unit in wanted.while_running)
    units = (values.checked(values.unit_name, unit) for unit in wanted.units)
    show = program(
        "show_journals",
        *(follow, lines, since, cursor, wanted.pattern, release, " ".join(while_running)),
        *units,
    )
    return Script("reading the journal", (show,), as_it_is)
