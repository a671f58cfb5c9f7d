"""A run on a terminal: a header and rows that are drawn again and again; failures stay above."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType

from deploy.events.event import LockTaken, StopAsked
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.screen.region import Region
from deploy.screen.run import drawing
from deploy.screen.run.failures import Failures
from deploy.screen.run.state import RunState
from deploy.screen.tables import assembled

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Entry


class FailureLines:
    """A run of which only failures are shown, the moment they happen."""

    def __init__(self, console: Console) -> None:
        self._console, self._failures = console, Failures()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        self.shows(entry)

    def shows(self, entry: Entry) -> bool:
        """Hear one entry; whether something was shown."""
        news = self._failures(entry)
        if news:
            self._console.print(Group(*map(assembled, news)))
        return bool(news)


class LiveTable:
    """The screen of a run, drawn four times a second from its events alone."""

    def __init__(self, console: Console, now: Callable[[], float] = time.time) -> None:
        """Draw nothing yet; now: unix seconds."""
        self._lock = threading.RLock()
        self._console, self._now = console, now
        self._state, self._failures = RunState(), FailureLines(console)
        self._region = Region(self._render, console)

    def __enter__(self) -> Self:
        self._region.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._region.__exit__()

    @property
    def is_drawn(self) -> bool:
        """Whether the table is on the screen."""
        return self._region.is_drawn

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        with self._lock:
            self._state(entry)
        if isinstance(entry.event, QuestionAsked):
            self._region.__exit__()  # the question's line is the terminal's last, for the answer
        # Not under our lock, which drawing takes while it holds its own.
        has_news = self._failures.shows(entry)
        if has_news or isinstance(entry.event, PlanMade | StopAsked | LockTaken):
            self._region.refresh()
        if isinstance(entry.event, QuestionAnswered) and not self._region.is_drawn:
            self._region = Region(self._render, self._console)
            self._region.__enter__()

    def _render(self) -> RenderableType:
        size = self._console.size
        with self._lock:
            drawn = drawing.lines(self._state, size.width, size.height, self._now())
        return Group(*(assembled(each, is_cut=True) for each in drawn))
