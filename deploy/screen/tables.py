"""What stays on the screen: the status table, and how a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.aws.targets import State
from deploy.foreign_text import line, lines, visible
from deploy.run.report import STATUS_MEANINGS, ExitCode
from deploy.screen.run import report
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.screen.run.line import Line
    from deploy.screen.run.story import Story
    from deploy.screen.status import Overview, Row
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


def render_overview(overview: Overview) -> RenderableType:
    """The status table; 80 columns hold it."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("host", "app", "target", "release", "since", "state"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    notes: list[Text] = []
    for row in overview.rows:
        table.add_row(
            cell(row.host),
            cell(row.app),
            health_in_colour(row.state),
            cell(row.release or row.beside or "-"),
            cell(_since(row.since)),
            cell(*_verdict(row)),
        )
        restarts = f"{row.restarts} restarts" if row.restarts else ""
        # Why hosts cannot be read stands below, once for all.
        note = row.note if row.is_readable else ""
        said = "; ".join(visible(text) for text in (row.reason, restarts, note) if text)
        if said:
            notes.append(words(f"{visible(row.host)} {visible(row.app)}: {said}"))
    notes += [words(line(each), "red") for each in overview.unread]
    notes += [words(line(each), "yellow") for each in (*overview.foreign, *overview.notes)]
    if overview.lock:
        notes.append(words(f"locked: {line(overview.lock)}", "yellow"))
    code = overview.exit_code
    style = "green" if code is ExitCode.DONE else "red"
    said = f"{overview.environment}: {_meaning(overview)}"
    return Group(table, *notes, cell(said, style))


def _meaning(overview: Overview) -> str:
    """What a status comes to: the meaning of its exit code, or what is known more exactly."""
    unread = {row.host for row in overview.rows if not row.is_readable}
    if unread and overview.serves:
        hosts = f"{len(unread)} host{'s' * (len(unread) > 1)}"
        return f"all targets are in service, and {hosts} cannot be read"
    first = [row for row in overview.rows if row.is_before_first]
    if first and all(row.is_well or row.is_before_first for row in overview.rows):
        units = ", ".join(dict.fromkeys(row.beside for row in first))
        return f"{units} serves, and nothing was deployed in its place yet"
    return STATUS_MEANINGS[overview.exit_code]


def _verdict(row: Row) -> tuple[str, str]:
    if not row.is_readable:
        return ("not readable", "red")
    if row.is_before_first:
        return ("not deployed yet", "yellow")
    if row.unit_state != "active":
        return (row.unit_state, "red")
    return ("current", "green") if row.current else ("not current", "yellow")


def _since(text: str) -> str:
    """`11-22 21:20:01` of `Sun 2026-11-22 21:20:01 UTC`."""
    found = text.split()
    if len(found) < 3:  # noqa: PLR2004 - day, date, time
        return "-"
    return f"{found[1].partition('-')[2]} {found[2]}"


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
