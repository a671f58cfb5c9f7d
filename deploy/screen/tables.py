"""What stays on the screen of a run: how it ended, and what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.aws.targets import State
from deploy.foreign_text import lines, visible
from deploy.screen.run import report
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.screen.run.line import Line
    from deploy.screen.run.story import Story
    from deploy.steps.observation import Observation

STATE_COLOURS: dict[str, str] = {
    State.HEALTHY: "green",
    State.UNHEALTHY: "red",
    State.DRAINING: "yellow",
    WorkerState.RUNNING: "green",
    WorkerState.STOPPED: "red",
}


def cell(value: object, style: str = "") -> Text:
    """One value, which may be foreign, as one line without markup."""
    return Text(visible(value), style=style)


def words(text: str, style: str = "") -> Text:
    """A text of ours, which keeps its line breaks; without markup."""
    return Text(lines(text), style=style)


def health_in_colour(text: str) -> Text:
    """A target's state, with the reason that may stand behind it."""
    state = text.partition(" ")[0]
    return cell(text, STATE_COLOURS.get(state, ""))


def assembled(pieces: Line, *, is_cut: bool = False) -> Text:
    """A line of a screen; is_cut: whether it never goes on in a second one."""
    text = words("")
    for piece, style in pieces:
        text.append_text(words(piece, style))
    text.no_wrap, text.overflow = is_cut, "ellipsis" if is_cut else None
    return text


def render_report(story: Story, *, is_brief: bool = False) -> RenderableType:
    """How a run ended; is_brief: its failures and its verdict alone."""
    return Group(*map(assembled, report.lines(story, is_brief=is_brief)))


OBSERVED: dict[str, Callable[[Observation], str]] = {
    "connections with requests before, from addresses": lambda each: (
        f"{each.arrivals} from {each.peers} in {each.watched_seconds:g} s"
    ),
    "from the deregistration until draining": lambda each: f"{each.draining_seconds:.1f} s",
    "until the last request": lambda each: f"{each.last_request_seconds:.1f} s",
    "from the registration until healthy": lambda each: f"{each.healthy_seconds:.1f} s",
}


def render_observations(seen: Sequence[Observation], found: Sequence[str]) -> RenderableType:
    """The rounds side by side; below them, a line for each finding."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for number in range(1, len(seen) + 1):
        table.add_column(f"round {number}", justify="right")
    for name, shown in OBSERVED.items():
        table.add_row(cell(name), *(cell(shown(each)) for each in seen))
    return Group(table, words("What follows:", "bold"), *(words(f"- {each}") for each in found))
