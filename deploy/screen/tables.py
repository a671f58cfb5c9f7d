"""What stays on the screen of a run: how it ended, and what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.aws.targets import State
from deploy.foreign_text import line, lines, visible
from deploy.run.report import ExitCode, Outcome
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.events.event import HostFailed
    from deploy.screen.story import Story
    from deploy.steps.observation import Observation

COLOURS: dict[str, str] = {
    Outcome.DONE: "green",
    Outcome.OBSERVED: "green",
    Outcome.CURRENT: "green",
    Outcome.PARTLY: "yellow",
    Outcome.BACK: "yellow",
    Outcome.OUT: "bold red",
    Outcome.LEFT_OUT: "bold red",
    Outcome.GONE: "yellow",
    Outcome.LEFT: "bold red",
    Outcome.UNKNOWN: "bold red",
    Outcome.CUT_SHORT: "yellow",
    Outcome.WAITING: "dim",
}

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


def render_report(story: Story) -> RenderableType:
    """How a run ended, once: each failure whole, each host's outcome, and what to type next."""
    began, ended = story.began, story.ended
    parts: list[RenderableType] = [_failure(failure) for failure in story.failures]
    if began is None or ended is None:
        return Group(*parts, words("it was cut off: how it ended is not in its events", "bold red"))
    parts += [cell(f"{host}: {end}", COLOURS.get(end, "")) for host, end in ended.outcomes.items()]
    parts += [words(line(each), "yellow") for each in ended.remarks]
    parts += [cell(defect, "bold red") for defect in ended.defects]
    parts += [cell(target, "yellow") for target in ended.foreign]
    parts += [cell(f"{target} (since this command began)", "yellow") for target in ended.appeared]
    code, tool = ended.exit_code, f"Changeover {visible(began.tool)}"
    releases = ", ".join(visible(f"{app} {release}") for app, release in story.releases.items())
    if code == ExitCode.DONE:
        said = "is everywhere already" if story.changed_nothing else "is everywhere"
        text = f"{releases} {said}"
        if began.verb == "repair":
            text = f"{visible(began.environment)} is as it was last deployed"
        elif began.verb == "observe":
            text = f"{releases} serves as before"
        parts.append(words(f"{text}, {ended.seconds:.1f} s ({tool})", "bold green"))
    else:
        parts.append(words(f"{line(ended.meaning)} (exit code {code}; {tool})", "bold red"))
        parts.append(words(f"next: {line(ended.next)}"))
    return Group(*parts)


def _failure(failure: HostFailed) -> RenderableType:
    parts = [
        cell(
            f"{failure.step}: not done"
            if failure.is_stop
            else f"{failure.host}: {failure.step} failed",
            "bold red",
        ),
        words(failure.error),
    ]
    if failure.exit_code is not None:
        parts.append(cell(f"  exit code {failure.exit_code} of: {_short(failure.command)}"))
    parts += [cell(f"  | {entry}", "dim") for entry in failure.journal]
    if failure.health:
        parts.append(cell(f"  load balancer: {failure.health}"))
    parts += [cell(f"  then: {step}") for step in failure.undone]
    return Group(*parts)


def _short(command: str, most: int = 200) -> str:
    text = " ".join(command.split())
    return text if len(text) <= most else text[: most - 1] + "…"


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
