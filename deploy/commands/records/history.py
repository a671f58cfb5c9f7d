"""Shows past runs of an environment from the records of its hosts, or one of them again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy import values
from deploy.errors import BadInput, Unreachable
from deploy.events import file, runs
from deploy.events.event import RunBegan
from deploy.events.text import as_line
from deploy.folding import folded
from deploy.hosts.logbook import run_record, run_records
from deploy.hosts.scripts.history import RUNS
from deploy.run.report import ExitCode
from deploy.screen import tables
from deploy.screen.console import Screen
from deploy.screen.log_lines import LogLines
from deploy.screen.records import runs as runs_view
from deploy.screen.run.story import Story
from deploy.session.arguments import read_settings
from deploy.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.events.event import Entry
    from deploy.hosts.logbook.run_record import RunRecord
    from deploy.session.arguments import CommandOptions
    from deploy.settings.environment import Environment

USUAL = 20


def history(asked: CommandOptions, last: str | None, run: str | None) -> ExitCode:
    """Show the newest runs; or one run again, from its file here, or else as the hosts know it.

    Args:
        asked: The options that other commands have too.
        last: How many runs, as typed.
        run: A run's id or its beginning, as typed.
    """
    screen = Screen()
    most = _count(last)
    wanted = None if run is None else _beginning(run)
    loaded = read_settings(asked, screen)
    if wanted is not None and (kept := _kept(loaded, wanted)):
        _replay(kept, screen, is_json=asked.json)
        return ExitCode.DONE
    records = _remembered(asked, loaded, screen)
    if wanted is not None:
        records = (_chosen(records, wanted, loaded.name),)
    shown = records[:most]
    if asked.json:
        screen.say(runs_view.as_json(loaded.name, shown))
    elif wanted is not None:
        screen.say("\n".join(runs_view.in_full(records[0])))
    elif shown:
        screen.say("\n".join(runs_view.table(shown)))
    else:
        screen.say(f"{loaded.name}: its hosts remember no run.")
    return ExitCode.DONE


def _count(text: str | None) -> int:
    if text is None:
        return USUAL
    found = values.number(text, RUNS)
    if not found:
        raise BadInput(f"--last {text}: is no number of runs from 1 to {RUNS}")
    return found


def _beginning(text: str) -> str:
    """A run's id as typed, or how it begins."""
    if not re.fullmatch(r"[0-9a-f]{1,32}", text, re.ASCII):
        raise BadInput(
            f"--run {text}: is no run's id: these are hexadecimal, as `history` has them"
        )
    return text


def _kept(environment: Environment, wanted: str) -> tuple[Entry, ...]:
    """The events of a run that is kept on this workstation; none where it is not.

    Raises:
        BadInput: Several runs begin so, or the file is not that of a run on this environment.
    """
    folder = environment.path(environment.runs)
    found: dict[str, tuple[RunBegan, tuple[Entry, ...]]] = {}
    for path in sorted(folder.glob(f"*-{wanted[: runs.ID_DIGITS]}*/{runs.NAME}")):
        entries = _loaded(path)
        began = entries[0].event if entries else None
        if not isinstance(began, RunBegan):
            raise BadInput(f"{path}, line 1: is no `run_began`, with which a run begins")
        if began.run.startswith(wanted):
            found[began.run] = (began, entries)
    if len(found) > 1:
        raise BadInput(f"--run {wanted}: begins several runs: {', '.join(found)}; type more of it")
    for began, entries in found.values():
        if began.environment != environment.name:
            raise BadInput(
                f"--run {wanted}: is of a run on {began.environment}: type --env "
                f"{began.environment}"
            )
        return entries
    return ()


def _loaded(path: Path) -> tuple[Entry, ...]:
    try:
        return file.load(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error


def _replay(entries: Sequence[Entry], screen: Screen, *, is_json: bool) -> None:
    """Show a run's events as a log has them, and its report."""
    if is_json:
        for entry in entries:
            screen.say(as_line(entry))
        return
    lines, story = LogLines(screen.say), Story()
    for entry in entries:
        lines(entry)
        story(entry)
    screen.show(tables.render_report(story))


def _remembered(
    asked: CommandOptions, environment: Environment, screen: Screen
) -> tuple[RunRecord, ...]:
    """The runs that the hosts remember, the newest first.

    Raises:
        Unreachable: No host can be read.
    """
    with Session(environment, scope=asked.scope("history"), is_partial=True) as opened:
        found, failed = run_records.read(environment.name, opened.everyone)
        failed |= opened.found.problems
    said = folded({name: (text,) for name, text in failed.items()})
    if not found:
        raise Unreachable(*said)
    for text in said:
        screen.complain(f"Not read: {text}")
    records, unknown = run_record.merged(found.values())
    if unknown:
        screen.complain(f"Lines on the hosts that are no records of runs: {unknown}")
    return records


def _chosen(records: Sequence[RunRecord], wanted: str, environment: str) -> RunRecord:
    """The one run that begins so; BadInput for none and for several."""
    found = [each for each in records if each.run.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.run for each in found)
        raise BadInput(f"--run {wanted}: begins several runs: {ids}; type more of it")
    raise BadInput(
        f"--run {wanted}: no run on {environment} begins so, here or on its hosts; `history` "
        "without --run lists them"
    )
