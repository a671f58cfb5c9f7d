"""What stays on the screen: the status table, and how a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy import __version__
from deploy.aws.targets import State
from deploy.foreign_text import line, lines, visible
from deploy.run.report import MEANINGS, ExitCode, Outcome
from deploy.screen import verdict
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.run.report import Failure, Report
    from deploy.screen.status import Overview, Row
    from deploy.steps.observation import Observation

COLOURS = {
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
    said = f"{overview.environment}: {verdict.of(overview)}"
    return Group(table, *notes, cell(said, style))


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


def render_report(report: Report, next_command: str) -> RenderableType:
    """How it ended, once: each failure whole, each host's outcome, and what to type next."""
    parts: list[RenderableType] = [_failure(failure) for failure in report.failures]
    parts += [cell(f"{host}: {end}", COLOURS[end]) for host, end in report.outcomes.items()]
    parts += [words(line(each), "yellow") for each in report.remarks]
    parts += [cell(defect, "bold red") for defect in report.defects]
    parts += [cell(target, "yellow") for target in sorted(report.plan.foreign)]
    parts += [cell(f"{target} (since this command began)", "yellow") for target in report.appeared]
    code, tool = report.exit_code, f"Changeover {__version__}"
    releases = ", ".join(
        visible(f"{app} {release}") for app, release in report.plan.releases.items()
    )
    if code is ExitCode.DONE:
        said = "is everywhere already" if report.plan.changes_nothing else "is everywhere"
        text = f"{releases} {said}"
        if report.plan.verb == "Repair":
            text = f"{report.plan.environment} is as it was last deployed"
        elif report.plan.verb == "Observe":
            text = f"{releases} serves as before"
        parts.append(words(f"{text}, {report.seconds:.1f} s ({tool})", "bold green"))
    else:
        parts.append(words(f"{MEANINGS[code]} (exit code {int(code)}; {tool})", "bold red"))
        parts.append(words(f"next: {next_command}"))
    return Group(*parts)


def _failure(failure: Failure) -> RenderableType:
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
