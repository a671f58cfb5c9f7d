#!/usr/bin/env python3
"""Writes the recordings in docs/recordings: runs on paper, drawn by the screen's own code, as SVG.

Run it in the project's virtual environment, after a change of what a terminal shows, and look at
the files. A picture needs no script, no network and no font of its own; it moves by CSS, and
stands still for readers who want that.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

from rich.console import Console, Group  # noqa: E402 - the clone is on the path only now
from screen import paper_run  # noqa: E402
from screen.paper_run import AT, PaperRun  # noqa: E402
from terminal_picture import Frame, svg  # noqa: E402

from deploy.events.file import Recorder  # noqa: E402
from deploy.events.planned import PlanMade, PlannedChange, PlannedFiles  # noqa: E402
from deploy.screen import question  # noqa: E402
from deploy.screen.plan import text as plan_text  # noqa: E402
from deploy.screen.run import drawing, report  # noqa: E402
from deploy.screen.run.failures import Failures  # noqa: E402
from deploy.screen.run.state import RunState  # noqa: E402
from deploy.screen.run.story import Story  # noqa: E402
from deploy.screen.tables import assembled, words  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from terminal_picture import Row

FOLDER = "docs/recordings"
SIZES = ((80, 24), (120, 40))
MOST_BYTES = 150_000


@dataclass(frozen=True)
class Recording:
    """A run that is recorded.

    Attributes:
        title: What a reader hears who does not see it.
        run: The run.
        every: So many of its seconds are between two frames.
    """

    title: str
    run: PaperRun
    every: float


RECORDINGS = {
    "deploy": Recording(
        "A deploy to 4 hosts: the plan, the table while hosts leave and return, the report",
        PaperRun(paper_run.names(4)),
        4,
    ),
    "failure": Recording(
        "A deploy to 12 hosts on which the third host's release fails: the cause, the host's "
        "return to the old release, the report",
        PaperRun(paper_run.names(12), failing=frozenset({"web-3"})),
        4,
    ),
}
PLAN_SECONDS, FRAME_SECONDS, NEWS_SECONDS, REPORT_SECONDS = 4.0, 0.5, 2.0, 7.0


class Terminal:
    """A terminal of one size, on which rich draws."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._console = Console(
            file=StringIO(),
            width=width,
            height=height,
            force_terminal=True,
            color_system="standard",
            legacy_windows=False,
            _environ={},
        )
        self._printed: list[Row] = []
        self._scrolled = 0

    def say(self, *things: RenderableType) -> None:
        """Print something, for good."""
        self._printed += self._rows(*things)

    def showing(self, seconds: float, *drawn: RenderableType) -> Frame:
        """What is seen with this drawn below: what has left at the top does not come back."""
        rows = [*self._printed, *self._rows(*drawn)]
        self._scrolled = max(self._scrolled, len(rows) - self.height)
        return Frame(tuple(rows[self._scrolled :]), seconds)

    def _rows(self, *things: RenderableType) -> list[Row]:
        drawn = self._console.render_lines(Group(*things), pad=False)
        return [tuple(segment for segment in row if not segment.control) for row in drawn]


def frames(recording: Recording, width: int, height: int) -> Iterator[Frame]:
    """What a terminal of this size shows of a run, from the command to its report."""
    terminal, state, story, failures = Terminal(width, height), RunState(), Story(), Failures()
    plan = shown_plan(recording.run.plan)
    terminal.say(words(f"$ {paper_run.COMMAND}"), words(plan_text.of(plan, width)))
    terminal.say(words(f"{question.wording(plan)} [y/N] y"))
    yield terminal.showing(PLAN_SECONDS)
    entries = recording.run.entries()
    last, due = entries[-1].at, AT + recording.every
    for entry in entries:
        while due < min(entry.at, last):
            yield terminal.showing(FRAME_SECONDS, *_table(state, terminal, due))
            due += recording.every
        state(entry)
        story(entry)
        if news := failures(entry):
            terminal.say(*map(assembled, news))
            yield terminal.showing(NEWS_SECONDS, *_table(state, terminal, entry.at))
    terminal.say(*map(assembled, report.lines(story)))
    terminal.say(words(str(Recorder(Path(".changeover/runs"), "0123abcd", AT))))
    yield terminal.showing(REPORT_SECONDS, words("$ "))


def shown_plan(plan: PlanMade) -> PlanMade:
    """The plan of a run on paper, with what a planner finds out besides."""
    change = PlannedChange(
        *("web", plan.hosts, paper_run.OLD, paper_run.NEW),
        is_sent=True,
        sent_bytes=800_000,
        package_bytes=6_000_000,
        are_files_known=True,
        added=PlannedFiles(2, 1_500_000),
        changed=PlannedFiles(1, 130_000),
        is_unit_known=True,
    )
    waits = [step.seconds for step in plan.batches[0].hosts[0].steps]
    batches = [
        replace(batch, in_service=dict(batch.minimums), seconds=sum(waits))
        for batch in plan.batches
    ]
    return replace(
        plan,
        policy=f"rolling, batch {len(plan.batches[0].hosts)}, drain wait",
        changes=(change,),
        batches=tuple(batches),
        seconds=sum(waits) * len(batches),
        targets={paper_run.GROUP: len(plan.hosts)},
    )


def _table(state: RunState, terminal: Terminal, now: float) -> Iterator[RenderableType]:
    drawn = drawing.lines(state, terminal.width, terminal.height, now)
    return (assembled(each, is_cut=True) for each in drawn)


def written() -> dict[str, str]:
    """Return the text of each file by its path in the project."""
    return {
        f"{FOLDER}/{name}-{width}x{height}.svg": svg(
            recording.title, [*frames(recording, width, height)], width, height
        )
        for name, recording in RECORDINGS.items()
        for width, height in SIZES
    }


if __name__ == "__main__":
    (ROOT / FOLDER).mkdir(exist_ok=True)
    for path, text in written().items():
        (ROOT / path).write_text(text)
