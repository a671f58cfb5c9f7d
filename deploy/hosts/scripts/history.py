"""Builds scripts that record a deploy on its host: history, marks, notes. Pure.

Builders of scripts, as in `base`.
"""

from __future__ import annotations

from deploy import values
from deploy.hosts.scripts.base import hold_lock
from deploy.hosts.scripts.lock import lock_file
from deploy.hosts.scripts.script import Script, nothing, program

HISTORY = 50
RUNS = 100
"""How many runs of an environment a host remembers."""


def record_out(app: str, port: int, note: str) -> Script[None]:
    """Write down, on the host, that its target is about to go out, or a worker to stop."""
    act = program("record_out", values.checked(values.name, app), int(port), note)
    return Script("writing down what is about to go out", (act,), nothing)


def record_deployed(app: str, port: int, record: str, release: str) -> Script[None]:
    """Write down what was deployed; the note that the target is out falls, and a bad mark too.

    The history's new text replaces the old one by rename; its last lines are kept. release: its
    id, or the name of a previous unit, which has no mark.
    """
    parse = values.service_name if values.service_name(release) else values.release_id
    name, marked = values.checked(values.name, app), values.checked(parse, release)
    act = program("record_deployed", name, int(port), record, marked, HISTORY - 1)
    return Script("recording the deploy", (act,), nothing)


def mark_bad(app: str, release: str, mark: str) -> Script[None]:
    """Write down that a release failed; the mark says under which unit, when, who, and why."""
    name, release_id = values.checked(values.name, app), values.checked(values.release_id, release)
    return Script("marking the release", (program("mark_bad", name, release_id, mark),), nothing)


def forget_out(app: str, port: int) -> Script[None]:
    """The target is back: the note that it is out falls."""
    act = program("forget_out", values.checked(values.name, app), int(port))
    return Script("forgetting the note", (act,), nothing)


def record_run(environment: str, name: str, line: str) -> Script[None]:
    """Write down how a run on the environment ended; the oldest of more than RUNS fall.

    name: of its file, which sorts by time; line: one line of text.
    """
    file = f"{values.checked(values.name, name)}.json"
    act = program("record_run", _runs(environment), file, line, RUNS)
    # One at a time on this host: two commands may end at once, on other hosts of one environment.
    return Script("recording the run", (hold_lock(None, 30), act), nothing, must_succeed=True)


def show_runs(environment: str) -> Script[tuple[str, ...]]:
    """What is written down of the environment's runs, a line for each, oldest first."""
    show = program("show_runs", _runs(environment))
    return Script("reading the runs", (show,), lambda result: tuple(result.stdout.splitlines()))


def _runs(environment: str) -> str:
    """The folder of an environment's runs, the same on each of its hosts."""
    return f"{lock_file(environment).removesuffix('.lock')}.runs"
