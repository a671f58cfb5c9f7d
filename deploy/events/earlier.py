"""How long the steps of a plan took in an earlier run, to estimate the time left from the start.

Only kinds of steps that have not ended yet in this run are estimated by it. On another workstation,
and for a first deploy, no earlier run is kept: then the waits of the settings count.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.events import runs, text
from deploy.events.event import RunBegan, StepEnded
from deploy.events.planned import PlanMade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from deploy.events.event import Event

Kinds = dict[tuple[str, str], float]
"""Seconds by app and kind of step."""

MOST_RUNS, MOST_BYTES = 5, 4_000_000
"""So many of the last runs are read, and no file that is larger."""
_MARKS = tuple(f'"event": "{name}"' for name in ("run_began", "plan_made", "step_ended"))


def took(folder: Path, plan: PlanMade) -> dict[str, dict[str, float]]:
    """Seconds by app and kind of step, from the last run of the environment that had such a step.

    A step that the settings, or its target groups, had wait for another time does not count, and
    neither does one that failed. A file that cannot be read is passed over.

    folder: of the workstation's runs.
    """
    due, found = _waits(plan), Kinds()
    for file in reversed(runs.kept([folder])[-MOST_RUNS:]):
        for key, seconds in _of_run(file, plan.environment, due).items():
            found.setdefault(key, seconds)
        if len(found) == len(due):
            break
    by_app: dict[str, dict[str, float]] = {}
    for (app, kind), seconds in found.items():
        by_app.setdefault(app, {})[kind] = round(seconds, 1)
    return by_app


def _of_run(file: Path, environment: str, due: Kinds) -> Kinds:
    try:
        if file.stat().st_size > MOST_BYTES:
            return {}
        with file.open(encoding="utf-8", errors="replace") as lines:
            return mean_seconds(_events(lines, str(file)), environment, due)
    except (OSError, BadInput):
        return {}


def _events(lines: Iterable[str], name: str) -> Iterator[Event]:
    for number, line in enumerate(lines, start=1):
        if any(mark in line for mark in _MARKS):
            yield text.parse(line, f"{name}:{number}").event


def mean_seconds(events: Iterable[Event], environment: str, due: Kinds) -> Kinds:
    """Return the mean seconds of each kind of step in an earlier run of this environment. Pure.

    due: how long the settings have each kind of step wait that counts.
    """
    same, seen = set[tuple[str, str]](), dict[tuple[str, str], list[float]]()
    for event in events:
        match event:
            case RunBegan() if event.environment != environment:
                return {}
            case PlanMade():
                waits = _waits(event)
                same |= {key for key, seconds in waits.items() if due.get(key) == seconds}
            case StepEnded() if event.is_planned and not (event.error or event.is_stopped):
                seen.setdefault((event.app, event.kind), []).append(event.seconds)
            case _:
                pass
    return {key: fmean(seen[key]) for key in same & seen.keys()}


def _waits(plan: PlanMade) -> Kinds:
    """How long each kind of step waits by the settings: the longest, where they differ by host."""
    hosts = (*plan.staging, *(host for batch in plan.batches for host in batch.hosts))
    waits = Kinds()
    for host in hosts:
        for step in (*host.steps, *host.after):
            key = step.app, step.kind
            waits[key] = max(step.seconds, waits.get(key, 0.0))
    return waits
