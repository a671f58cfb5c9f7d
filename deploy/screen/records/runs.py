"""The history of an environment: a line for each run, and one run in full. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from deploy.durations import clock_time
from deploy.foreign_text import json_text, visible
from deploy.run.report import MEANINGS, ExitCode, Outcome
from deploy.screen.plan.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.hosts.logbook.run_record import RunRecord

COLUMNS = 80
ID_DIGITS = 8
MOST_BY, LEAST_BY = 12, 6
HEADER = ("id", "ended", "by", "what", "took", "how it ended")
ENDS: dict[int, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.BAD_INPUT: "refused",
    ExitCode.LOCKED: "lock lost",
    ExitCode.MIXED: "mixed",
    ExitCode.OUT_OF_SERVICE: "hosts out",
    ExitCode.HANGUP: "SIGHUP",
    ExitCode.INTERRUPTED: "Ctrl-C",
    ExitCode.TERMINATED: "SIGTERM",
}
"""Exit codes in a word or two; MEANINGS has them in full."""


def table(records: Sequence[RunRecord]) -> list[str]:
    """A line for each run below the columns' names, within 80 columns; newest first as given."""
    rows = [HEADER, *map(_row, records)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADER))]
    by, what = 2, 3
    widths[by] = min(widths[by], MOST_BY)
    excess = sum(widths) + len(widths) - 1 - COLUMNS
    widths[by] -= max(0, min(excess, widths[by] - LEAST_BY))  # a release is cut after a name
    others = sum(widths) - widths[what] + len(widths) - 1
    widths[what] = min(widths[what], max(len(HEADER[what]), COLUMNS - others))
    return [
        " ".join(_cut(value, width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(record: RunRecord) -> tuple[str, ...]:
    what = " ".join((record.verb, ", ".join(map(str, record.moved))))
    return (
        record.run[:ID_DIGITS],
        _short_time(record.at),
        visible(record.by),
        visible(what),
        clock_time(round(record.seconds)),
        "; ".join(_how(record)),
    )


def _how(record: RunRecord) -> list[str]:
    """How a run ended, and how many hosts otherwise than wanted, the most important part of it."""
    words = {"back on what it ran": "back", "out of service": "out", "left out": "left out"}
    counts = [
        f"{each.count} {words[each.outcome]}" for each in record.ended if each.outcome in words
    ]
    is_counted = any(each.outcome == Outcome.OUT for each in record.ended)
    end = ENDS.get(record.exit_code, f"exit {record.exit_code}")
    is_said = is_counted and record.exit_code == ExitCode.OUT_OF_SERVICE
    return counts if is_said else [end, *counts]


def in_full(record: RunRecord) -> list[str]:
    """All that the hosts know of a run."""
    meaning = MEANINGS.get(ExitCode(record.exit_code)) if record.exit_code in ENDS else None
    lines = [
        f"run       {record.run}",
        f"command   {visible(record.command)}",
        f"by        {visible(record.by)}",
        f"ended     {_full_time(record.at)}, after {clock_time(round(record.seconds))}",
        f"result    {meaning or 'not known'} (exit code {record.exit_code})",
    ]
    lines += [
        f"app       {visible(_releases(each.before, each.after, each.app))}"
        for each in record.moved
    ]
    for each in record.ended:
        more = each.count - len(each.hosts)
        rest = f"{more} more" if each.hosts else number(more, "host")
        names = [*each.hosts, *([rest] if more else [])]
        lines.append(f"hosts     {visible(each.outcome)}: {visible(', '.join(names))}")
    return [*lines, f"tool      Changeover {visible(record.tool_version)}"]


def _releases(before: str, after: str, app: str) -> str:
    return f"{app} {' → '.join(filter(None, dict.fromkeys((before, after))))}"


def as_json(environment: str, records: Sequence[RunRecord]) -> str:
    """The runs for scripts."""
    return json_text({"environment": environment, "runs": [each.as_json() for each in records]})


def _cut(value: str, width: int) -> str:
    """A value padded to a width, or cut to it with an ellipsis."""
    return f"{value:{width}}" if len(value) <= width else f"{value[: width - 1]}…"


def _short_time(text: str) -> str:
    """`11-29 15:04`, in the workstation's zone; of a text that is no time its beginning."""
    at = _parsed(text)
    return at.strftime("%m-%d %H:%M") if at else visible(text)[:11]


def _full_time(text: str) -> str:
    at = _parsed(text)
    return at.isoformat(sep=" ", timespec="seconds") if at else visible(text)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
