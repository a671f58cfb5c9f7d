"""A run as it goes: plain lines in a CI log, a live table on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Self, cast

from rich.console import Console, Group, RenderableType
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.foreign_text import line, visible
from deploy.run.report import BatchBegan, Event, HostEnded, StepBegan, StepEnded, Told
from deploy.screen.streams import Guarded
from deploy.screen.tables import cell, health_in_colour, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.plan import Plan

ROWS_ON_SCREEN = 24
ROWS_FOR_OTHERS = 9  # bar, header, banner, and what was said above: it must not scroll away
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
                hosts = ", ".join(visible(host) for host in event.hosts)
                self._line(f"batch {event.number} of {event.total}: {hosts}")
            case StepBegan():
                self._said[event.step.host.name] = time.monotonic()
            case StepEnded():
                end = "stopped" if event.stopped else f"{event.seconds:.1f} s"
                end = f"FAILED: {event.error}" if event.error else end
                health = f" [{visible(event.health)}]" if event.health else ""
                self._line(f"{visible(event.step.host)}: {event.step}: {end}{health}")
            case Told():
                now = time.monotonic()
                due = now - self._said.get(event.host, 0) >= QUIET_SECONDS
                if due or event.text.startswith("|"):
                    self._said[event.host] = now
                    self._line(f"{visible(event.host)}: {visible(event.text)}")
            case HostEnded():
                self._line(f"{visible(event.host)}: {event.outcome}")

    def _line(self, text: str) -> None:
        self._say(f"{clock()} {line(text)}")


class Region:
    """The part of a terminal that is drawn again and again; whatever is printed goes above it."""

    def __init__(
        self, render: Callable[[], RenderableType], console: Console, times_a_second: float = 4
    ) -> None:
        self._console = console
        # Rich's own redirection would read foreign escapes as styles: ours guards before.
        self._live = Live(
            get_renderable=render,
            console=console,
            refresh_per_second=times_a_second,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def is_drawn(self) -> bool:
        """Whether it is on the screen."""
        return self._live.is_started

    def __enter__(self) -> Self:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Guarded) and stream.is_terminal:
                stream.target = FileProxy(self._console, cast("IO[str]", stream.direct))
        try:
            self._live.start(refresh=True)
        except BaseException:  # Ctrl-C, while it is drawn first
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Guarded):
                stream.target = stream.direct


class LiveWatch(Watch):
    """A table of hosts that is drawn anew four times a second, over one bar for all steps.

    banner: what the operator must know meanwhile, above it; empty for nothing.
    """

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._lock = threading.RLock()
        self.banner = ""
        self._rows: dict[str, tuple[str, str, str]] = {
            host.name: ("waiting", "", "") for host in plan.hosts
        }
        self._active: dict[str, float] = {}
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("steps", markup=False),
            TimeElapsedColumn(),
            console=console,
        )
        self._planned = {id(step) for step in plan.steps}
        self._total = len(plan.steps)
        self._task = self._progress.add_task(plan.verb.lower(), total=self._total)
        self._console = console
        self._region = Region(self._render, console)

    def __enter__(self) -> Self:
        self._region.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._region.__exit__()

    @property
    def is_drawn(self) -> bool:
        """Whether the table is on the screen."""
        return self._region.is_drawn

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
            most = min(ROWS_ON_SCREEN, self._console.size.height - ROWS_FOR_OTHERS)
            shown = names[: max(1, most)]
            for name in sorted(shown):
                step, detail, health = self._rows[name]
                style = "" if name in self._active else "dim"
                table.add_row(
                    cell(name), cell(step), cell(detail), health_in_colour(health), style=style
                )
            hidden = len(names) - len(shown)
        parts: list[RenderableType] = [self._progress, table]
        if self.banner:
            parts.insert(0, words(self.banner, "bold yellow"))
        if hidden:
            parts.append(words(f"… and {hidden} more hosts", "dim"))
        return Group(*parts)
