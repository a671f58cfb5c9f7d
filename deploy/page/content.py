"""All that a page of a run shows, from its entries alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.events.event import RunBegan
from deploy.events.text import name_of
from deploy.page import summary
from deploy.page.lanes import Bar, End, Lane, Timeline
from deploy.page.scale import Scale
from deploy.page.timeline import timeline
from deploy.page.wording import duration, offset
from deploy.screen.run.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.events.event import Entry
    from deploy.page.summary import Fact, Failed, Subject, Verdict

MOST_STOPS = 200
"""How many bars the Tab key stops at. In a larger run it stops at those that failed; each lane
opens a table of its steps, so that nothing is out of reach."""

STATES = {
    "healthy": "ok",
    "initial": "change",
    "draining": "change",
    "unhealthy.draining": "bad",
    "unhealthy": "bad",
}
"""How a target's state is drawn; all others as `off`: no requests come."""

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
        verb: What the command did.
        subjects: The apps, and what they were to run.
        environment: Of the settings.
        verdict: How it ended.
        next: What to type; empty where nothing is left to do.
        facts: About it.
        plan: The plan's title; empty where none was made.
        failures: What failed, in order.
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
    next: str
    facts: tuple[Fact, ...]
    plan: str
    failures: tuple[Failed, ...]
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
        return tuple(
            sorted(self.timeline.lanes, key=lambda lane: order[summary.tone(lane.outcome)])
        )

    @property
    def scale(self) -> Scale:
        """The time axis."""
        return Scale(self.timeline.seconds)

    @cached_property
    def has_few_bars(self) -> bool:
        """Whether the Tab key may stop at each of them."""
        return sum(len(lane.bars) for lane in self.timeline.lanes) <= MOST_STOPS

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
        next=story.ended.next if story.ended else "",
        facts=summary.facts(story, drawn, entries[0].at),
        plan=story.plans[0].title if story.plans else "",
        failures=summary.failures(story),
        timeline=drawn,
        outcomes=summary.outcomes(drawn),
        notes=summary.notes(story),
        run=began.run,
        tool=began.tool,
        source=source,
    )


def look(bar: Bar) -> str:
    """How a bar is drawn, as CSS classes."""
    kinds = ["wait" if bar.is_waiting else "work"]
    kinds += ["recovery"] if bar.is_recovery else []
    kinds += [] if bar.how is End.DONE else [bar.how.name.lower()]
    return " ".join(kinds)


def kind(bar: Bar) -> str:
    """What a step's time was for, in a word or two."""
    what = "waiting" if bar.is_waiting else "work"
    return f"recovery, {what}" if bar.is_recovery else what


def name(bar: Bar) -> str:
    """Describe a bar in one sentence, to be heard or to be pointed at."""
    ended = "" if bar.how is End.DONE else f", {bar.how}"
    when = f"{offset(bar.start)} to {offset(bar.end)}"
    target = f"; target {bar.health}" if bar.health else ""
    error = f"; {' '.join(bar.error.split())}" if bar.error else ""
    return f"{bar.step}: {kind(bar)}, {duration(bar.seconds)}{ended}, {when}{target}{error}"


def state(health: str) -> str:
    """How a target's state is drawn, as a CSS class."""
    return STATES.get(health.partition(" ")[0], "off")
