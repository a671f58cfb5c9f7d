"""What stays on the screen: the status table, and how a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.balancer import State
from deploy.report import MEANINGS, ExitCode, Outcome

if TYPE_CHECKING:
    from deploy.overview import Overview, Row
    from deploy.report import Failure, Report

COLOURS = {
    Outcome.DONE: "green",
    Outcome.CURRENT: "green",
    Outcome.PARTLY: "yellow",
    Outcome.BACK: "yellow",
    Outcome.OUT: "bold red",
    Outcome.LEFT_OUT: "bold red",
    Outcome.LEFT: "bold red",
    Outcome.UNKNOWN: "bold red",
    Outcome.CUT_SHORT: "yellow",
    Outcome.WAITING: "dim",
}


def health_in_colour(text: str) -> Text:
    """A target's state, with the reason that may stand behind it."""
    state = text.partition(" ")[0]
    colours = {State.HEALTHY: "green", State.UNHEALTHY: "red", State.DRAINING: "yellow"}
    return Text(text, style=colours.get(State(state), "") if state in set(State) else "")


def render_overview(overview: Overview) -> RenderableType:
    """The status table; 80 columns hold it."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("host", "app", "target", "release", "since", "state"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    notes: list[Text] = []
    for row in overview.rows:
        table.add_row(
            row.host,
            row.app,
            health_in_colour(row.state),
            row.release or "-",
            _since(row.since),
            Text(*_verdict(row)),
        )
        restarts = f"{row.restarts} restarts" if row.restarts else ""
        said = "; ".join(text for text in (row.reason, restarts, row.note) if text)
        if said:
            notes.append(Text(f"{row.host} {row.app}: {said}"))
    if overview.lock:
        notes.append(Text(f"locked: {overview.lock}", style="yellow"))
    code = overview.exit_code
    style = "green" if code is ExitCode.DONE else "red"
    words = "all is well" if code is ExitCode.DONE else MEANINGS[code]
    return Group(table, *notes, Text(f"{overview.environment}: {words}", style=style))


def _verdict(row: Row) -> tuple[str, str]:
    if row.unit != "active":
        return (row.unit, "red")
    return ("current", "green") if row.current else ("not current", "yellow")


def _since(text: str) -> str:
    """`11-22 21:20:01` of `Sun 2026-11-22 21:20:01 UTC`."""
    words = text.split()
    if len(words) < 3:  # noqa: PLR2004 - day, date, time
        return "-"
    return f"{words[1].partition('-')[2]} {words[2]}"


def render_report(report: Report, next_command: str) -> RenderableType:
    """How it ended, once: each failure whole, each host's outcome, and what to type next."""
    parts: list[RenderableType] = [_failure(failure) for failure in report.failures]
    parts += [Text(f"{host}: {end}", style=COLOURS[end]) for host, end in report.outcomes.items()]
    parts += [Text(defect, style="bold red") for defect in report.defects]
    code = report.exit_code
    releases = ", ".join(f"{app} {release}" for app, release in report.plan.releases.items())
    if code is ExitCode.DONE:
        said = "is everywhere already" if report.plan.changes_nothing else "is everywhere"
        text = f"{releases} {said}"
        if report.plan.verb == "Repair":
            text = f"{report.plan.environment} is as it was last deployed"
        parts.append(Text(f"{text}, {report.seconds:.1f} s", style="bold green"))
    else:
        parts.append(Text(f"{MEANINGS[code]} (exit code {int(code)})", style="bold red"))
        parts.append(Text(f"next: {next_command}"))
    return Group(*parts)


def _failure(failure: Failure) -> RenderableType:
    lines = [Text(f"{failure.host}: {failure.step} failed", style="bold red"), Text(failure.error)]
    if failure.exit_code is not None:
        lines.append(Text(f"  exit code {failure.exit_code} of: {_short(failure.command)}"))
    lines += [Text(f"  | {line}", style="dim") for line in failure.journal]
    if failure.health:
        lines.append(Text(f"  load balancer: {failure.health}"))
    lines += [Text(f"  then: {step}") for step in failure.undone]
    return Group(*lines)


def _short(command: str, most: int = 200) -> str:
    text = " ".join(command.split())
    return text if len(text) <= most else text[: most - 1] + "…"
