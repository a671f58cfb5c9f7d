"""The hosts and releases of the last runs on this workstation. Cheap to import and to read.

Shell completion waits for it: a run's first lines are read, and not as its types.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy import path_checks
from deploy.events import runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_RUNS, MOST_FILES = 5, 100
"""How many runs of an environment are read, and how many files to find them."""
FIRST_LINES = 20
"""A plan is among so many lines."""
MOST_BYTES = 16 * 1024 * 1024
"""Of a line: a plan for a thousand hosts has a quarter of it."""


@dataclass(frozen=True)
class Names:
    """The hosts and releases of runs, the newest first.

    Attributes:
        hosts: By name.
        releases: By id: what was deployed, and what ran before.
    """

    hosts: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()


def of_last_runs(folder: Path, environment: str) -> Names:
    """Return the names in an environment's last runs; a file that cannot be read has none."""
    hosts: dict[str, None] = {}
    releases: dict[str, None] = {}
    found = 0
    for file in reversed(runs.kept((folder,))[-MOST_FILES:]):
        plan = _plan(file, environment)
        hosts |= dict.fromkeys(_texts(plan.get("hosts")))
        for key in ("releases", "before"):
            releases |= dict.fromkeys(_texts(plan.get(key)))
        found += bool(plan)
        if found == MOST_RUNS:
            break
    return Names(tuple(hosts), tuple(releases))


def _plan(file: Path, environment: str) -> dict[str, Any]:
    """The plan of a run on the environment, as it is written; empty without one."""
    for number, event in enumerate(_first(file)):
        if number == 0 and event.get("environment") != environment:
            break
        if event.get("event") == "plan_made":
            return event
    return {}


def _first(file: Path) -> Iterator[dict[str, Any]]:
    """The events that a file begins with, as they are written."""
    if not path_checks.is_file(file):  # a pipe would never end
        return
    with suppress(OSError, ValueError, RecursionError), file.open(encoding="utf-8") as lines:
        for _ in range(FIRST_LINES):
            event = json.loads(lines.readline(MOST_BYTES))
            if not isinstance(event, dict):
                return
            yield event


def _texts(values: object) -> tuple[str, ...]:
    """The texts of a list or mapping; foreign files may hold anything."""
    listed = [*values.values()] if isinstance(values, dict) else values
    if not isinstance(listed, list):
        return ()
    return tuple(each for each in listed if isinstance(each, str) and each)
