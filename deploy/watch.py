"""A run as it goes: plain lines in a CI log, a live table on a terminal."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from deploy.report import BatchBegan, Event, HostEnded, StepBegan, StepEnded, Told
from deploy.tables import health_in_colour

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan import Plan

ROWS_ON_SCREEN = 24
QUIET_SECONDS = 5.0


def clock() -> str:
    """The time of day, to begin a line with."""
    return time.strftime("%H:%M:%S")


class Watch:
    """Plain timestamped lines, one for each step's end; long waits say so every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
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
        self._say(f"{clock()} {text}")


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
                table.add_row(
                    Text(name), Text(step), Text(detail), health_in_colour(health), style=style
                )
            hidden = len(names) - len(shown)
        parts: list[RenderableType] = [self._progress, table]
        if hidden:
            parts.append(Text(f"… and {hidden} more hosts", style="dim"))
        return Group(*parts)
