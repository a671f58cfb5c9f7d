"""The screen: everything that a command shows, on a terminal or in a CI log."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.segment import Segment
from rich.spinner import Spinner

from deploy.events.text import as_line
from deploy.foreign_text import lines
from deploy.screen import question, streams
from deploy.screen.ci import dialects, summary
from deploy.screen.ci.groups import Groups
from deploy.screen.live import FailureLines, LiveTable
from deploy.screen.log_lines import LogLines, clock
from deploy.screen.plan import text as plan_text
from deploy.screen.region import Region
from deploy.screen.run import schedule
from deploy.screen.run.failures import CHOICES
from deploy.screen.tables import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import ConsoleOptions, RenderableType

    from deploy.events.event import Entry
    from deploy.events.planned import PlanMade
    from deploy.events.question import QuestionAsked
    from deploy.screen.run.story import Story
    from deploy.screen.streams import Guarded


# As long as `| tee log` may take to show the plan, which must stand above the question.
READER_SECONDS = 0.3
UNLIMITED_COLUMNS = 100_000
"""Where no terminal has an edge, rich would cut tables at 80 columns."""


class _Console(Console):
    """Rich's own, without markup; whatever it draws is guarded, piece by piece.

    Its colours and cursor movements must reach a terminal, so it writes past the guarded stream.
    """

    def __init__(self, stream: Guarded) -> None:
        is_terminal = stream.is_terminal
        super().__init__(
            file=cast("IO[str]", stream.direct if is_terminal else stream),
            force_terminal=is_terminal,
            force_interactive=is_terminal,
            width=None if is_terminal else UNLIMITED_COLUMNS,
            color_system="auto" if is_terminal else None,
            markup=False,
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Everything that rich draws comes through here, before it is cut to its place."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(lines(segment.text), segment.style)


class Screen:
    """Shows everything that a command prints. A dead terminal (EIO, EPIPE) never raises.

    is_json: whether a run's events alone go to standard output, for scripts; is_quiet: whether
    only failures and the verdict do.
    """

    def __init__(self, *, is_json: bool = False, is_quiet: bool = False) -> None:
        self._is_json, self.is_quiet = is_json, is_quiet
        out, err = streams.guard()
        self._out = out
        self._dialect = dialects.PLAIN if is_json else dialects.of(os.environ)
        self._console, self._errors = _Console(out), _Console(err)
        self.is_terminal = out.is_terminal and not self._console.is_dumb_terminal
        self._shows_errors = err.is_terminal
        self._region: Region | LiveTable | None = None
        self.is_asking = False

    def say(self, text: str, style: str = "") -> None:
        """One or more lines on standard output."""
        if not self.is_quiet:
            self.conclude(text, style)

    def conclude(self, text: str, style: str = "") -> None:
        """The same for what a quiet command says too: how it ended."""
        if not self._is_json:
            self._console.print(words(text, style))

    def note(self, text: str) -> None:
        """Show a remark about the result on standard error, so that it is no part of it."""
        self._errors.print(words(text))

    def complain(self, text: str) -> None:
        """An error, on standard error; above what is drawn again and again, which would erase it.

        From any thread, but never from a signal handler: rich takes locks.
        """
        drawn = self._region is not None and self._region.is_drawn
        console = self._console if drawn and self._shows_errors else self._errors
        console.print(words(text, "red"))

    def show(self, thing: RenderableType) -> None:
        """A table or group."""
        if not self._is_json:
            self._console.print(thing)

    def write(self, entry: Entry) -> None:
        """An event of a run as a line of JSON, where a script reads them."""
        if self._is_json:
            self._console.print(words(as_line(entry)))

    @property
    def has_reader(self) -> bool:
        """Whether what goes to standard output may still be read."""
        return self._out.direct.has_reader

    def show_plan(self, plan: PlanMade, *, is_full: bool = False) -> None:
        """Show a plan; is_full: with every step, and all that changes."""
        width = self._console.width if self.is_terminal else None
        self.say(plan_text.of(plan, width, is_full=is_full))
        if estimate := schedule.in_all(plan):
            self.say(estimate)

    def agrees(self, plan: PlanMade) -> bool:
        """Whether the person at the terminal wants this plan; see `confirm`."""
        return self.confirm(question.wording(plan))

    def confirm(self, text: str) -> bool:
        """Ask the person at the terminal; without one, the command itself is the decision.

        Raises BadInput where a person must be asked and cannot be.
        """
        if not question.is_due(os.environ):
            return True
        self.is_asking = True
        if not self.is_terminal:
            time.sleep(READER_SECONDS)
        try:
            return question.ask(lines(text), question.LIMIT_SECONDS)
        finally:
            self.is_asking = False

    @property
    def can_choose(self) -> bool:
        """Whether a person is there who can be asked about a host that failed."""
        return not self._is_json and question.may_choose(os.environ)

    def choose(self, asked: QuestionAsked, is_over: Callable[[], bool]) -> question.Choice:
        """Ask the person at the terminal what to do about a host; what was shown has the evidence.

        is_over: whether the run ends meanwhile.
        """
        keys = {CHOICES[option][0]: option for option in asked.options}
        self.is_asking = True
        try:
            return question.choose(asked.host, keys, asked.seconds, is_over)
        finally:
            self.is_asking = False

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Something that takes more than a moment."""
        if self._is_json or self.is_quiet or not self.is_terminal:
            self.say(f"{clock()} {text}")
            yield
            return
        spinner = Spinner("dots", words(text))
        self._region = Region(lambda: spinner, self._console, 12)
        with self._region:
            yield

    def progress(self) -> LogLines | LiveTable | FailureLines:
        """Return the listener to a run's events: a live table here, plain lines elsewhere."""
        if self.is_quiet and not self._is_json:
            return FailureLines(self._console)
        if self._is_json or not self.is_terminal:
            return LogLines(self.say, Groups(self._dialect, self._out.command))
        self._region = LiveTable(self._console)
        return self._region

    def redrawn(self, render: Callable[[], RenderableType]) -> Region:
        """A part of the terminal that is drawn again while a `with` block runs."""
        self._region = Region(render, self._console)
        return self._region

    def summarize(self, story: Story) -> None:
        """Show a CI system how a run ended: an error beside the log, and the job's summary."""
        began, ended = story.began, story.ended
        if began is None or ended is None:
            return
        if ended.exit_code and not story.failures:
            title = f"{began.verb} {began.environment}: exit code {ended.exit_code}"
            said = f"{ended.meaning}\nnext: {ended.next}"
            if command := self._dialect.error(title, said):
                self._out.command(command)
        page = summary.text(began, ended, story.releases, story.failures)
        if problem := summary.write(os.environ, page):
            self.complain(problem)
