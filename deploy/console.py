"""Plan, live progress, report and status: on a terminal, or as plain lines in a CI log."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Self, TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deploy.balancer import State
from deploy.report import (
    MEANINGS,
    BatchBegan,
    Event,
    ExitCode,
    HostEnded,
    Outcome,
    Report,
    StepBegan,
    StepEnded,
    Told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.overview import Overview, Row
    from deploy.plan import Plan
    from deploy.report import Failure

ROWS_ON_SCREEN = 24
QUIET_SECONDS = 5.0
COLOURS = {
    Outcome.DONE: "green",
    Outcome.CURRENT: "green",
    Outcome.BACK: "yellow",
    Outcome.OUT: "bold red",
    Outcome.LEFT: "bold red",
    Outcome.WAITING: "dim",
}


class _Unbreakable:
    """A standard stream whose reader may vanish (EIO, EPIPE): writing to it never raises.

    Rich would end the process on a broken pipe, and draws from threads that nobody guards.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding = file.encoding or "utf-8"

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except UnicodeEncodeError:
            return self.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()

    def isatty(self) -> bool:
        return self._file.isatty()

    def fileno(self) -> int:
        return self._file.fileno()


def _console(file: TextIO) -> Console:
    return Console(file=cast("IO[str]", _Unbreakable(file)), highlight=False, soft_wrap=True)


class Screen:
    """Where everything is said. A dead terminal (EIO, EPIPE) never raises: work goes on unseen."""

    def __init__(self) -> None:
        self._console = _console(sys.stdout)
        self._errors = _console(sys.stderr)
        self.is_terminal = self._console.is_terminal and not self._console.is_dumb_terminal

    def say(self, text: str, style: str = "") -> None:
        """One or more lines on standard output."""
        self._console.print(Text(text, style=style))

    def complain(self, text: str) -> None:
        """An error, on standard error."""
        self._errors.print(Text(text, style="red"))

    def show(self, thing: RenderableType) -> None:
        """A table or group."""
        self._console.print(thing)

    def confirm(self, question: str) -> bool:
        """Ask on a terminal; anywhere else the command itself is the decision."""
        if not (self.is_terminal and sys.stdin.isatty()):
            return True
        try:
            return self._console.input(f"{escape(question)} ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Something that takes more than a moment."""
        if not self.is_terminal:
            self.say(f"{_clock()} {text}")
            yield
            return
        with self._console.status(text):
            yield

    def progress(self, plan: Plan) -> Watch:
        """What listens to a run's events: a live table here, plain lines elsewhere."""
        return LiveWatch(plan, self._console) if self.is_terminal else Watch(self)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


class Watch:
    """Plain timestamped lines, one for each step's end; long waits say so every few seconds."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Hear one event; called from every host's thread."""
        match event:
            case BatchBegan():
                hosts = ", ".join(event.hosts)
                self._line(f"batch {event.number} of {event.total}: {hosts}")
            case StepBegan():
                self._said[event.step.host.name] = time.monotonic()
            case StepEnded():
                end = "stopped" if event.stopped else f"{event.seconds:.1f} s"
                end = f"FAILED: {event.error}" if event.error else end
                health = f" [{event.health}]" if event.health else ""
                self._line(f"{event.step.host.name}: {event.step}: {end}{health}")
            case Told():
                now = time.monotonic()
                due = now - self._said.get(event.host, 0) >= QUIET_SECONDS
                if due or event.text.startswith("|"):
                    self._said[event.host] = now
                    self._line(f"{event.host}: {event.text}")
            case HostEnded():
                self._line(f"{event.host}: {event.outcome}")

    def _line(self, text: str) -> None:
        self._screen.say(f"{_clock()} {text}")


class LiveWatch(Watch):
    """A table of hosts that is drawn anew four times a second, over one bar for the whole."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._rows: dict[str, tuple[str, str, str]] = {
            host.name: ("waiting", "", "") for host in plan.hosts
        }
        self._active: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            console=console,
        )
        self._planned = {id(step) for step in plan.steps}
        self._total = len(plan.steps)
        self._task = self._progress.add_task(plan.verb.lower(), total=self._total)
        self._console = console
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Hear one event; called from every host's thread."""
        with self._lock:
            self._hear(event)

    def _hear(self, event: Event) -> None:
        match event:
            case BatchBegan():
                text = f"batch {event.number} of {event.total}"
                self._progress.update(self._task, description=text)
            case StepBegan():
                host = event.step.host.name
                if id(event.step) not in self._planned:  # a way back: more to do than was planned
                    self._total += 1
                    self._progress.update(self._task, total=self._total)
                self._active[host] = time.monotonic()
                self._rows[host] = (str(event.step), "", self._rows[host][2])
            case StepEnded():
                host = event.step.host.name
                detail = "stopped" if event.stopped else "done"
                detail = f"failed: {event.error}" if event.error else detail
                self._rows[host] = (str(event.step), detail, event.health)
                self._progress.advance(self._task)
            case Told():
                step, _, health = self._rows[event.host]
                self._rows[event.host] = (step, event.text, health)
            case HostEnded():
                self._active.pop(event.host, None)
                health = self._rows[event.host][2]
                self._rows[event.host] = (str(event.outcome), "", health)

    def _render(self) -> RenderableType:
        table = Table(box=None, padding=(0, 1), expand=True, show_header=True, header_style="dim")
        table.add_column("host", no_wrap=True)
        table.add_column("step", ratio=3, no_wrap=True, overflow="ellipsis")
        table.add_column("", ratio=2, no_wrap=True, overflow="ellipsis")
        table.add_column("target", ratio=1, no_wrap=True, overflow="ellipsis")
        with self._lock:
            names = sorted(self._rows, key=lambda name: name not in self._active)
            shown = names[:ROWS_ON_SCREEN]
            for name in sorted(shown):
                step, detail, health = self._rows[name]
                style = "" if name in self._active else "dim"
                table.add_row(Text(name), Text(step), Text(detail), _health(health), style=style)
            hidden = len(names) - len(shown)
        parts: list[RenderableType] = [self._progress, table]
        if hidden:
            parts.append(Text(f"… and {hidden} more hosts", style="dim"))
        return Group(*parts)


def _health(text: str) -> Text:
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
            _health(row.state),
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
