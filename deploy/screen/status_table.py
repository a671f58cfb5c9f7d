"""The status of an environment on a screen: its hosts, what else was seen, what to type next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from deploy.durations import age
from deploy.foreign_text import line, visible
from deploy.run.report import STATUS_MEANINGS, ExitCode
from deploy.screen.fleet.in_service import short_zones
from deploy.screen.tables import assembled, cell, health_in_colour, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from deploy.screen.fleet.row import Row
    from deploy.screen.run.line import Line
    from deploy.screen.status import Overview

MARK = "!"
"""The mark before a row in which something is not as it should be."""
NARROWEST = 8
"""How narrow a terminal may make the columns that can break: names and releases, in characters."""


def render_overview(
    overview: Overview, most: int | None = None, *, is_judged: bool = True
) -> RenderableType:
    """The status; 80 columns hold its table. What it comes to is at the end, above the prompt.

    Args:
        overview: The status.
        most: So many rows at most, those first in which not all is well; all of them by default.
        is_judged: Whether it is said who holds the lock, what all comes to, and what to type.
    """
    if not is_judged:
        overview = replace(overview, lock="")
    rows, hidden = _shown(overview.rows, most)
    notes = [*_notes_of_rows(rows), *_notes(overview)]
    if hidden:
        count = sum(row.is_well for row in hidden)
        notes.insert(0, words(f"… and {len(hidden)} more rows, {count} of them well", "dim"))
    if not is_judged:
        return Group(_table(overview, rows), *notes, *_fleet(overview))
    code = overview.exit_code
    style = "green" if code is ExitCode.DONE else "red"
    verdict = cell(f"{overview.environment}: {_meaning(overview)}", style)
    then = [words(f"next: {line(overview.next)}")] if overview.next else []
    return Group(_table(overview, rows), *notes, *_fleet(overview), verdict, *then)


@dataclass(frozen=True)
class Drawn:
    """Environments that are watched, with as many rows as the terminal has lines for.

    Attributes:
        seen: The last look at each.
        problems: Why looks failed, in lines.
        hint: What happens next, below all.
        run: Draws the run that is followed, above all, in a width and at most so many lines; its
            lock is not named again. None where no run is followed.
    """

    seen: tuple[Overview, ...]
    problems: tuple[str, ...]
    hint: str
    run: Callable[[int, int], Sequence[Line]] | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Leave out rows in which all is well, until what is left fits."""
        most = min(options.size.height, max((len(each.rows) for each in self.seen), default=1))
        while True:
            group = self._group(most, options)
            lines_over = len(console.render_lines(group, options, pad=False)) - options.size.height
            if lines_over < 0 or most <= 1:
                break
            most = max(1, most - 1 - lines_over // len(self.seen))
        yield group

    def _group(self, most: int, options: ConsoleOptions) -> Group:
        size = options.size
        drawn = self.run(size.width, max(1, size.height // 2)) if self.run else ()
        run = [assembled(each, is_cut=True) for each in drawn]
        parts = [render_overview(each, most, is_judged=self.run is None) for each in self.seen]
        problems = [words(visible(each), "red") for each in self.problems]
        return Group(*run, *parts, *problems, words(visible(self.hint), "dim"))


def _shown(rows: Sequence[Row], most: int | None) -> tuple[list[Row], list[Row]]:
    """The rows that are shown in their order, and the others."""
    if most is None or len(rows) <= most:
        return list(rows), []
    first = sorted(range(len(rows)), key=lambda number: not _is_odd(rows[number]))[: max(1, most)]
    return (
        [row for number, row in enumerate(rows) if number in first],
        [row for number, row in enumerate(rows) if number not in first],
    )


def _table(overview: Overview, rows: Sequence[Row]) -> Table:
    """A line for each row; a column only where it says something.

    Names and releases break where the terminal is narrow. Their rest is in a line of its own, which
    begins with the blank column of the mark: no name can look like a row.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    zones = short_zones(row.zone for row in rows)
    has_zones = any(zones)
    table.add_column("", no_wrap=True, min_width=1)
    table.add_column("host", overflow="fold", min_width=NARROWEST)
    table.add_column("app", overflow="fold", min_width=NARROWEST)
    if has_zones:
        table.add_column("zone", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("release", overflow="fold", min_width=NARROWEST)
    if overview.at:
        table.add_column("age", no_wrap=True, justify="right")
    table.add_column("state", no_wrap=True)
    for row in rows:
        zone = [cell(zones[row.zone] or "-")] if has_zones else []
        old = [cell(age(overview.age_seconds(row)))] if overview.at else []
        table.add_row(
            cell(MARK if _is_odd(row) else ""),
            cell(row.host),
            cell(f"{row.app}:{row.port}" if row.port else row.app),
            *zone,
            health_in_colour(row.state),
            cell(row.release or row.beside or "-"),
            *old,
            cell(*_verdict(row)),
        )
    return table


def _notes_of_rows(rows: Sequence[Row]) -> list[Text]:
    """A line for each row of which the table does not say all."""
    notes = []
    for row in rows:
        restarts = f"{row.restarts} restarts" if row.restarts else ""
        # Why hosts cannot be read stands below, once for all.
        note = row.note if row.is_readable else ""
        drift = [each for each in row.drift if each not in note]
        said = [visible(each) for each in (row.reason, restarts, row.taken_out, *drift, note)]
        if any(said):
            name = f"{visible(row.host)} {visible(row.app)}"
            notes.append(words(f"{name}: {'; '.join(filter(None, said))}"))
    return notes


def _notes(overview: Overview) -> list[Text]:
    """What is about several hosts, or none."""
    notes = [words(line(each), "red") for each in overview.unread]
    notes += [words(line(each), "yellow") for each in (*overview.foreign, *overview.notes)]
    if overview.lock:
        notes.append(words(f"locked: {line(overview.lock)}", "yellow"))
    return notes


def _fleet(overview: Overview) -> list[Text]:
    """A line for each app: what is expected, and how many hosts run what; its groups below it."""
    found = []
    expected = overview.expected()
    for app, counts in overview.running().items():
        total = sum(row.app == app for row in overview.rows)
        wanted = expected.get(app, "")
        parts = [f"{visible(wanted)} expected, on {counts.get(wanted, 0)} of {total}"]
        others = [(name, count) for name, count in counts.items() if name != wanted]
        parts = (parts if wanted else []) + [f"{visible(name)} on {n}" for name, n in others]
        found.append(words(f"{visible(app)}: {'; '.join(parts) or 'nothing runs'}"))
        found += [words(f"  {each}") for each in overview.services if each.app == app]
    return found


def _meaning(overview: Overview) -> str:
    """Return the verdict of a status: its exit code's meaning, or what is known more exactly."""
    unread = {row.host for row in overview.rows if not row.is_readable}
    if unread and overview.serves:
        hosts = f"{len(unread)} host{'s' * (len(unread) > 1)}"
        return f"all targets are in service, and {hosts} cannot be read"
    first = [row for row in overview.rows if row.is_before_first]
    if first and all(row.is_well or row.is_before_first for row in overview.rows):
        units = ", ".join(dict.fromkeys(row.beside for row in first))
        return f"{units} serves, and nothing was deployed in its place yet"
    return STATUS_MEANINGS[overview.exit_code]


def _is_odd(row: Row) -> bool:
    """Whether a row is worth a look."""
    return not row.is_well or row.is_behind or bool(row.drift)


def _verdict(row: Row) -> tuple[str, str]:
    if not row.is_readable:
        return ("not readable", "red")
    if row.is_before_first:
        return ("not deployed yet", "yellow")
    if row.unit_state != "active":
        return (row.unit_state, "red")
    if not row.current:
        return ("not current", "yellow")
    return ("old release", "yellow") if row.is_behind else ("current", "green")
