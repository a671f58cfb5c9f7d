"""`inv watch`: follows a deploy that someone else runs, until it ends."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.commands.looking import endings
from deploy.commands.looking.endings import Ending, Memory
from deploy.commands.looking.watching import Watched
from deploy.errors import Unreachable
from deploy.foreign_text import json_text
from deploy.hosts.lock.view import faulty
from deploy.hosts.lock.watch import Life
from deploy.run.report import ExitCode
from deploy.screen import status_table
from deploy.screen.console import Screen
from deploy.screen.fleet.changes_seen import Changes
from deploy.screen.log_lines import clock
from deploy.screen.watched import view
from deploy.session import session
from deploy.session.arguments import read_settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from deploy.hosts.lock.progress import Progress
    from deploy.screen.fleet.changes_seen import Change
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.screen.run.line import Line
    from deploy.session.arguments import CommandOptions
    from deploy.settings.scope import Scope

SECONDS = 5.0
"""From one look to the next; each is one command on a host, and one call for a group."""
LOST_SECONDS = 300.0
"""After how long without a look that shows who holds the lock there is no use in going on."""
ABOVE = frozenset({"holder", "failed", "problem"})
"""What stays above what is drawn again and again."""


def watch(asked: CommandOptions) -> ExitCode:
    """Follow the deploy that holds the lock until it ends; its exit code, or what became of it.

    Raises:
        BadInput: The settings or the account do not allow a look.
        Unreachable: It was not known for long who holds the lock.
    """
    screen = Screen()
    loaded, scope = read_settings(asked, screen), asked.scope("watch")
    is_drawn = screen.is_terminal and not asked.json
    with ExitStack() as stack:
        with screen.busy(f"connecting to {loaded.name}") if is_drawn else nullcontext():
            opening = session.Session(loaded, scope=scope, is_partial=True)
            opened = stack.enter_context(opening)
            before = Memory.of(opened).runs()
        run = Followed(Watched(loaded.name, opened), scope, _Said(screen, asked.json, is_drawn))
        try:
            with _interruptible():
                region = screen.redrawn(run.drawn) if is_drawn else nullcontext()
                with region:
                    ending = _until_end(run, screen, opened, before)
        except KeyboardInterrupt:  # how it is ended
            return ExitCode.INTERRUPTED
    if ending is None:
        return ExitCode.DONE
    run.said.end(ending)
    return ending.code


def _until_end(
    run: Followed, screen: Screen, opened: session.Session, before: Collection[str]
) -> Ending | None:
    """Look again and again; None where the output has no reader any more.

    before: the ids of the runs that the hosts remembered at the beginning.
    """
    while screen.has_reader:
        if run.look():
            if run.held is None:
                return endings.none(run.scope, Memory.of(opened).last())
            if run.is_dead:
                return endings.died(run.scope, run.held)
            if run.has_ended:
                record = Memory.of(opened).of_run(run.far, before)
                if record:
                    return endings.over(run.scope, record, run.successor)
                if run.successor is None:
                    return endings.unrecorded(run.scope, run.held, run.far)
                run.go_over()
            run.report()
        CLOCK.sleep(SECONDS)
    return None


@dataclass
class Followed:
    """The run that is followed, and what was seen of it.

    Attributes:
        watched: Its environment.
        scope: What the command is about.
        said: Where it is said what is new.
        held: The holder that is followed, as it was seen last; None before there was one.
        successor: Another holder that has the lock now; None where there is none.
        far: How far its run was; None where its hosts did not show that.
    """

    watched: Watched
    scope: Scope
    said: _Said
    held: HolderSeen | None = None
    successor: HolderSeen | None = None
    far: Progress | None = None
    has_ended: bool = False
    _far_at: float = 0.0
    _known_at: float = field(default_factory=CLOCK.monotonic)
    _changes: Changes = field(default_factory=Changes)

    def look(self) -> bool:
        """Look once; whether it is known who holds the lock.

        Raises:
            Unreachable: That was not known for LOST_SECONDS.
        """
        self.watched.look()
        now, why = CLOCK.monotonic(), self._problem()
        if why:
            self.said.changes(self._changes.problem(why))
            if now - self._known_at > LOST_SECONDS:
                raise Unreachable(why)
            return False
        self._known_at = now
        found = self._proven()
        self.successor = found if found and self._is_other(found) else None
        self.has_ended = self.held is not None and (found is None or self.successor is not None)
        if found and self.successor is None:
            self._take(found, now)
        return True

    @property
    def is_dead(self) -> bool:
        """Whether the holder that is followed shows no life any more."""
        return not self.has_ended and self.held is not None and self.held.life is Life.DEAD

    def go_over(self) -> None:
        """Follow the deploy that took the lock over from the one that was followed."""
        assert self.successor  # noqa: S101 - there is one where this is called
        self.held, self.far, self.has_ended = self.successor, None, False

    def report(self) -> None:
        """Say what is new."""
        if self.held and self.watched.seen:
            self.said.changes(self._changes.see(self.held, self.watched.seen.rows))

    def drawn(self) -> status_table.Drawn:
        """What is on a terminal between two looks."""
        seen, held = self.watched.seen, self.held
        hint = "Ctrl-C ends the watching, not the deploy"
        if seen is None or held is None:
            return status_table.Drawn((), (), f"looking at {self.watched.name}; {hint}")
        problem = self._problem()
        shown = replace(seen, next="")
        then = f"looked at {clock(seen.at)}; {hint}"
        return status_table.Drawn((shown,), (problem,) if problem else (), then, self._run)

    def _run(self, width: int, most: int) -> Sequence[Line]:
        assert self.held  # noqa: S101 - there is one where this is called
        held = self.held._replace(progress=self.far)
        return view.lines(held, width, most, CLOCK.monotonic() - self._far_at)

    def _take(self, found: HolderSeen, now: float) -> None:
        if found.progress and found.progress != self.far:
            self.far, self._far_at = found.progress, now
        self.held = found

    def _proven(self) -> HolderSeen | None:
        seen = self.watched.seen
        return next((each for each in seen.holders if each.is_proven), None) if seen else None

    def _is_other(self, found: HolderSeen) -> bool:
        return self.held is not None and self.held.holder.token != found.holder.token

    def _problem(self) -> str:
        """Why it is not known who holds the lock; empty where it is."""
        seen = self.watched.seen
        if self.watched.problem or seen is None:
            return self.watched.problem or f"{self.watched.name} was not looked at yet"
        size = len({row.host for row in seen.rows})
        answered = len({row.host for row in seen.rows if row.is_readable})
        if answered > faulty(size):
            return ""
        return f"{self.watched.name}: its lock cannot be read: {answered} of {size} hosts answered"


@dataclass(frozen=True)
class _Said:
    """Where it is said what is new.

    Attributes:
        screen: The screen.
        is_json: Whether as lines of JSON.
        is_drawn: Whether it stands above what is drawn again and again.
    """

    screen: Screen
    is_json: bool
    is_drawn: bool

    def changes(self, changes: Iterable[Change]) -> None:
        """Say what is new."""
        for each in changes:
            if self.is_json:
                self._object(each.kind, each.body)
            elif each.kind in ABOVE or not self.is_drawn:
                style = "red" if self.is_drawn and each.kind != "holder" else ""
                self.screen.say(f"{clock()} {each.text}", style)

    def end(self, ending: Ending) -> None:
        """Say how it ended."""
        if self.is_json:
            self._object("ended", ending.as_json())
            return
        for each in ending.said:
            self.screen.say(each if self.is_drawn else f"{clock()} {each}")

    def _object(self, kind: str, body: Mapping[str, object]) -> None:
        self.screen.say(json_text({"at": clock(), "watch": kind, **body}, indent=None))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C's signal end it, also where a script started it in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
