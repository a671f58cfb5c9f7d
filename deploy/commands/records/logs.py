"""Shows the journals of all services of an environment, of all hosts in one order."""

from __future__ import annotations

import signal
import threading
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from deploy import values
from deploy.clock import CLOCK
from deploy.commands.records.moments import moment
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import BadInput, DeployError
from deploy.folding import folded
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.logbook.merge import Merge, Newest
from deploy.hosts.logbook.reader import LAST_SECONDS, Reader
from deploy.hosts.scripts.journals import Wanted
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.screen.records import journals
from deploy.screen.records.journals import JournalView
from deploy.screen.tables import cell
from deploy.session.arguments import read_settings, split
from deploy.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.hosts.logbook.journal_line import JournalLine
    from deploy.session.arguments import CommandOptions
    from deploy.settings.environment import Environment

USUAL_LINES = 100
MOST_LINES = 10_000
LOOK_SECONDS = 0.2


def logs(
    asked: CommandOptions,
    lines: str | None,
    since: str | None,
    grep: str | None,
    release: str | None,
    *,
    follow: bool,
) -> ExitCode:
    """Show the last lines of all hosts by time, and with `follow` those that come, until Ctrl-C.

    Args:
        asked: The options that other commands have too.
        lines: How many of the last lines, as typed.
        since: From when on, as typed.
        grep: What messages match, as `journalctl --grep` reads it.
        release: A release's id or version.
        follow: Whether to go on.
    """
    screen = Screen()
    now = datetime.now().astimezone()
    start = None if since is None else moment(since, "--since", now)
    most_lines = _count(lines, USUAL_LINES if start is None else MOST_LINES)
    if release is not None and not _is_release(release):
        raise BadInput(f"--release {release}: is no version, such as 2.0.0, and no release's id")
    only = split(asked.hosts, "--hosts")
    loaded = read_settings(asked, screen)
    wanted = _wanted(loaded, start, grep or "", release or "")
    scope = asked.scope("logs")
    with Session(loaded, only=only, scope=scope, is_partial=True) as opened:
        newest = Newest(most_lines)
        readers = {
            name: Reader(remote, wanted, newest.add, screen.complain, screen.note)
            for name, remote in opened.remotes.items()
        }
        show = _shower(asked, loaded, tuple(readers), screen)
        failed = _last(readers, most_lines, release or "", is_followed=follow)
        failed |= {} if only else opened.found.problems  # listed machines that are no hosts
        for text in folded({name: (why,) for name, why in failed.items()}):
            screen.complain(f"Not shown: {text}")
        for line in newest.in_order():
            show(line)
        if not follow:
            return ExitCode.FAILED if failed else ExitCode.DONE
        return _follow(readers, show, lambda: screen.has_reader)


def _count(text: str | None, usual: int) -> int:
    """How many lines `--lines` wants; BadInput for what is no number."""
    if text is None:
        return usual
    found = values.number(text, MOST_LINES)
    if found is None:
        raise BadInput(f"--lines {text}: is no number of lines from 0 to {MOST_LINES:,}")
    return found


def _is_release(text: str) -> bool:
    """Whether a text is a release's id, or its version: an id is one with any digest."""
    return (
        values.release_id(text) is not None or values.release_id(f"{text}-{'0' * 12}") is not None
    )


def _wanted(environment: Environment, since: float | None, grep: str, release: str) -> Wanted:
    """Which lines of the apps that are asked for."""
    apps = environment.asked_apps
    units = tuple(slot.unit_name for app in apps for slot in app.slots)
    previous = tuple(dict.fromkeys(app.replaces for app in apps if app.replaces))
    return Wanted(units, previous, since, grep, release)


def _shower(
    asked: CommandOptions, environment: Environment, hosts: tuple[str, ...], screen: Screen
) -> Callable[[JournalLine], None]:
    """What shows a line: in colours, or as JSON."""
    apps = {slot.unit_name: app.name for app in environment.apps for slot in app.slots}
    apps |= {app.replaces: app.name for app in environment.apps if app.replaces}
    labels = journals.labels(environment.asked_apps)
    view = JournalView(hosts, labels, is_terminal=screen.is_terminal)

    def show(line: JournalLine) -> None:
        if asked.json:
            screen.say(journals.as_json(line, apps))
        else:
            head, colour = view.head(line)
            # The first part gives all of it its style, and the colour is of the head alone.
            screen.show(cell("") + cell(head, colour) + cell(line.message))

    return show


def _last(
    readers: Mapping[str, Reader], most_lines: int, release: str, *, is_followed: bool
) -> dict[str, str]:
    """Read the last lines of all hosts; by name, why some could not be read.

    Raises:
        BadInput: None could be, or none has the release; where lines are followed, one of them may
            start it yet.
    """
    failed: dict[str, str] = {}
    has_release = is_followed

    def read(name: str) -> bool:
        return readers[name].last(most_lines)

    for name, answer in answers(readers, read, LAST_SECONDS, MOST_HOSTS_AT_ONCE):
        if isinstance(answer, DeployError):
            failed[name] = str(answer)
        else:
            has_release = has_release or answer
    failed = {name: failed[name] for name in readers if name in failed}
    if len(failed) == len(readers):
        raise BadInput(*folded({name: (why,) for name, why in failed.items()}))
    if not has_release:
        raise BadInput(
            f"--release {release}: no journal has lines of it. A line has the release of its "
            "process where the unit is one that this version of Changeover wrote"
        )
    return failed


def _follow(
    readers: Mapping[str, Reader],
    show: Callable[[JournalLine], None],
    is_read: Callable[[], bool],
) -> ExitCode:
    """Show lines as they come, until Ctrl-C, or until the reader of the output has gone."""
    stop, merge = threading.Event(), Merge()
    arrived: SimpleQueue[JournalLine] = SimpleQueue()
    # Where a script starts it in the background it ignores the signal by which it is ended.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for reader in readers.values():
            reader.heard = arrived.put
            # A thread that waits for a host that is silent may not hold up the end.
            threading.Thread(target=partial(reader.follow, stop), daemon=True).start()
        while is_read():
            _take(arrived, merge)
            for line in merge.due(CLOCK.monotonic()):
                show(line)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        stop.set()
        signal.signal(signal.SIGINT, before)
    return ExitCode.DONE


def _take(arrived: SimpleQueue[JournalLine], merge: Merge) -> None:
    """Take the lines that have arrived; a moment's wait where there is none."""
    try:
        merge.add(arrived.get(timeout=LOOK_SECONDS), CLOCK.monotonic())
        while True:
            merge.add(arrived.get_nowait(), CLOCK.monotonic())
    except Empty:
        return
