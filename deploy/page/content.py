"""Everything that the page of a run shows, made from the run's entries alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.events.event import RunBegan
from deploy.events.text import name_of
from deploy.page import summary
from deploy.page.bars import look, state
from deploy.page.difference import differences
from deploy.page.facts import facts
from deploy.page.failures import failures
from deploy.page.lanes import Bar, End, Lane, Timeline
from deploy.page.scale import PERCENT_OF_A_LETTER, Scale
from deploy.page.timeline import timeline
from deploy.page.wording import without_domain
from deploy.screen.run.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.events.event import Entry
    from deploy.page.difference import Difference
    from deploy.page.facts import Fact
    from deploy.page.failures import Failed
    from deploy.page.summary import Subject, Verdict

MOST_STOPS = 200
"""How many bars the Tab key stops at. In a larger run it stops at those that failed; each lane
opens a table of its steps, so that nothing is out of reach."""

LEGEND = (
    ("work", "work", False),
    ("wait", "waiting", False),
    ("work recovery", "recovery", False),
    ("work failed", "failed", False),
    ("work stopped", "stopped", False),
    ("work unknown", "end not known", False),
    ("ok", "target healthy", True),
    ("change", "draining or initial", True),
    ("bad", "unhealthy", True),
    ("off", "not registered", True),
)


@dataclass(frozen=True)
class Page:
    """A run, as a page shows it.

    Attributes:
        verb: What it did.
        subjects: The apps, and what they were to run.
        environment: Of the settings.
        verdict: How it ended.
        runs: What runs where now; empty where nothing showed it.
        next: What to type; empty where nothing is left to do.
        facts: About it.
        plan: The plan's title; empty where none was made.
        failures: What failed, in order.
        differences: What its plans change.
        timeline: Its lanes and marks.
        outcomes: How many hosts ended how, with the tone.
        notes: What the plan warned of, and what was remarked.
        run: Its id.
        tool: The version of Changeover.
        source: The events file.
    """

    verb: str
    subjects: tuple[Subject, ...]
    environment: str
    verdict: Verdict
    runs: str
    next: str
    facts: tuple[Fact, ...]
    plan: str
    failures: tuple[Failed, ...]
    differences: tuple[Difference, ...]
    timeline: Timeline
    outcomes: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    run: str
    tool: str
    source: str

    @property
    def title(self) -> str:
        """For the browser's tab: the verdict first, as tabs are narrow."""
        what = ", ".join(f"{each.app} {each.version}" for each in self.subjects)
        words = f"{self.verb} {what} {self.preposition} {self.environment}"
        return f"{self.verdict.word}: {' '.join(words.split())}"

    @property
    def preposition(self) -> str:
        """What joins the apps to the environment."""
        return "to" if self.verb == "Deploy" else "on"

    @property
    def legend(self) -> tuple[tuple[str, str, bool], ...]:
        """What the colours mean that are there: CSS classes, words, and whether it is a state's."""
        bars = [bar for lane in self.timeline.lanes for bar in lane.bars]
        looks = {word for bar in bars for word in look(bar).split()}
        states = {state(each.health) for lane in self.timeline.lanes for each in lane.states}
        return tuple(
            (classes, words, is_state)
            for classes, words, is_state in LEGEND
            if classes.split()[-1] in (states if is_state else looks)
        )

    @property
    def worst_first(self) -> tuple[Lane, ...]:
        """The lanes by their outcomes, those of one tone in their order."""
        order = {tone: number for number, tone in enumerate(summary.ORDER)}
        return tuple(sorted(self.timeline.lanes, key=lambda lane: order[summary.tone(lane)]))

    @property
    def scale(self) -> Scale:
        """The time axis."""
        return Scale(self.timeline.seconds)

    @cached_property
    def short_names(self) -> dict[str, str]:
        """The hosts' names as they stand beside the lanes, by name."""
        return without_domain([lane.host for lane in self.timeline.lanes])

    @cached_property
    def has_few_bars(self) -> bool:
        """Whether the Tab key may stop at each of them."""
        return sum(len(lane.bars) for lane in self.timeline.lanes) <= MOST_STOPS

    def ending(self, lane: Lane) -> str:
        """How a host's part ended, in words."""
        return summary.ending(lane)

    def mark_before(self, number: int) -> float:
        """From when on, in seconds, nothing is written before a mark; number: its own, from 0."""
        marks = self.timeline.marks[:number]
        if not marks:
            return 0.0
        letters = self.timeline.seconds * PERCENT_OF_A_LETTER / 100 * (len(marks[-1].name) + 3)
        return marks[-1].at + letters

    def is_stop(self, bar: Bar) -> bool:
        """Whether the Tab key stops at a bar."""
        return self.has_few_bars or bar.how is End.FAILED


def page(entries: Sequence[Entry], source: str) -> Page:
    """The page of a run.

    Args:
        entries: Those of its events file.
        source: The file, for messages and for the page's end.

    Raises:
        BadInput: They are not of a run, or not from its beginning.
    """
    if not entries:
        raise BadInput(f"{source}, line 1: holds no event; give the events.jsonl of a run")
    began = entries[0].event
    if not isinstance(began, RunBegan):
        raise BadInput(
            f"{source}, line 1: begins with {name_of(type(began))}, and a run's events begin with "
            "run_began; give the events.jsonl of a run"
        )
    story = Story()
    for entry in entries:
        story(entry)
    drawn = timeline(entries)
    return Page(
        verb=summary.verb(story),
        subjects=summary.subjects(story),
        environment=began.environment,
        verdict=summary.verdict(story),
        runs=summary.runs_now(story),
        next=summary.next_command(story),
        facts=facts(story, drawn, entries[0].at),
        plan=story.plans[0].title if story.plans else "",
        failures=failures(entries),
        differences=differences(story.plans),
        timeline=drawn,
        outcomes=summary.outcomes(drawn),
        notes=summary.notes(story, drawn),
        run=began.run,
        tool=began.tool,
        source=source,
    )
