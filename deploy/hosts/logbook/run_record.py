"""The record that each host keeps of a run: how it ended. Pure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import __version__, values
from deploy.hosts.file_format import FORMAT, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_NAMES = 8_000
"""Characters of host names in one record; all of it has to stay within values.MOST_JSON."""
MOST_SECONDS = 10**9


@dataclass(frozen=True)
class Moved:
    """An app's part of a run.

    Attributes:
        app: By name.
        before: What hosts ran, several with commas; empty where nothing is known.
        after: What they were to run.
    """

    app: str
    before: str
    after: str

    def __str__(self) -> str:
        names = [_version(each) for each in (self.before, self.after)]
        return f"{self.app} {' → '.join(filter(None, dict.fromkeys(names)))}"


@dataclass(frozen=True)
class Ended:
    """Hosts whose part ended in one way.

    Attributes:
        outcome: `deployed`, `out of service`, …
        count: How many hosts.
        hosts: Their names, as many as the record has place for.
    """

    outcome: str
    count: int
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class RunRecord:
    """A run that is over.

    Attributes:
        run: The command's id, 32 hex digits.
        verb: The command: `deploy`, `rollback`, `repair`, `restart`.
        command: The command as it would be typed again.
        by: Who typed it, from where.
        at: When it ended: ISO time in UTC, by the clock of the workstation.
        seconds: Of wall time.
        exit_code: Of the command.
        moved: What it was about, by app.
        ended: How it ended for the hosts.
        tool_version: The version of Changeover.
    """

    run: str
    verb: str
    command: str
    by: str
    at: str
    seconds: float
    exit_code: int
    moved: tuple[Moved, ...] = ()
    ended: tuple[Ended, ...] = ()
    tool_version: str = __version__

    @property
    def file_name(self) -> str:
        """A name that sorts by time."""
        stamp = "".join(character for character in self.at[:19] if character.isalnum())
        return f"{stamp}Z-{self.run}"

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "format": FORMAT,
            "run": self.run,
            "verb": self.verb,
            "command": self.command,
            "by": self.by,
            "at": self.at,
            "seconds": round(self.seconds, 1),
            "exit_code": self.exit_code,
            "apps": [[each.app, each.before, each.after] for each in self.moved],
            "hosts": [[each.outcome, each.count, [*each.hosts]] for each in self.ended],
            "tool_version": self.tool_version,
        }

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(self.as_json())

    @classmethod
    def parse(cls, line: str) -> RunRecord | None:
        """Parse a line of `as_line`; None for anything else.

        Raises:
            BadInput: A later version of Changeover wrote the line.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "a record of its runs")
        texts = [given.get(name) for name in ("verb", "command", "by", "at", "tool_version")]
        run, seconds, code = given.get("run"), given.get("seconds"), given.get("exit_code")
        if not (
            isinstance(run, str)
            and values.token(run)
            and isinstance(seconds, int | float)
            and 0 <= seconds <= MOST_SECONDS
            and isinstance(code, int)
            and 0 <= code <= 255  # noqa: PLR2004 - what a process can end with
        ):
            return None
        try:
            verb, command, by, at, tool = (_printable(each) for each in texts)
            moved = tuple(Moved(*map(_printable, each)) for each in _lists(given.get("apps"), 3))
            ended = tuple(
                Ended(_printable(outcome), _count(count), tuple(map(_printable, _list(names))))
                for outcome, count, names in _lists(given.get("hosts"), 3)
            )
        except ValueError:
            return None
        return cls(run, verb, command, by, at, float(seconds), code, moved, ended, tool)


def ends_of(outcomes: Mapping[str, str]) -> tuple[Ended, ...]:
    """How a run ended for its hosts; outcomes: by host name. What few hosts share comes first."""
    hosts: dict[str, list[str]] = {}
    for host, outcome in outcomes.items():
        hosts.setdefault(outcome, []).append(host)
    found: list[Ended] = []
    left = MOST_NAMES
    for outcome, names in sorted(hosts.items(), key=lambda each: len(each[1])):
        kept: list[str] = []
        for name in names:
            left -= len(name)
            if left < 0:
                break
            kept.append(name)
        found.append(Ended(outcome, len(names), tuple(kept)))
    return tuple(found)


def merged(answers: Iterable[Iterable[str]]) -> tuple[tuple[RunRecord, ...], int]:
    """The runs that hosts remember, the newest first, and how many lines are no record.

    What most hosts say of a run is shown.

    Args:
        answers: The lines of each host.

    Raises:
        BadInput: A later version of Changeover wrote a line.
    """
    votes: dict[str, Counter[RunRecord]] = {}
    unknown = 0
    for lines in answers:
        for line in dict.fromkeys(lines):
            record = RunRecord.parse(line)
            if record is None:
                unknown += 1
            else:
                votes.setdefault(record.run, Counter())[record] += 1
    found = [counted.most_common(1)[0][0] for counted in votes.values()]
    return tuple(sorted(found, key=lambda each: (each.at, each.run), reverse=True)), unknown


def _version(release: str) -> str:
    """A release's version, without its digest; of several releases each one's."""
    names = (each.strip() for each in release.split(","))
    shown = (each.rpartition("-")[0] if values.release_id(each) else each for each in names)
    return ", ".join(dict.fromkeys(shown))


def _printable(given: object) -> str:
    """A text of one line; ValueError for anything else."""
    if not isinstance(given, str) or values.printable(given) is None:
        raise ValueError(given)
    return given


def _count(given: object) -> int:
    """A number of hosts; ValueError for anything else."""
    if not isinstance(given, int) or given < 0:
        raise ValueError(given)
    return given


def _list(given: object) -> list[object]:
    """A list; ValueError for anything else."""
    if not isinstance(given, list):
        raise ValueError(given)  # noqa: TRY004 - the caller refuses all kinds of wrong alike
    return given


def _lists(given: object, size: int) -> list[list[object]]:
    """A list of lists of this size; ValueError for anything else."""
    found = [_list(each) for each in _list(given)]
    if any(len(each) != size for each in found):
        raise ValueError(given)
    return found
