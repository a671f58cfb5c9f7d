"""A run as it goes: plain lines in a CI log, a live table on a terminal."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.events.event import (
    BatchBegan,
    HostEnded,
    HostSaid,
    StepBegan,
    StepEnded,
)
from deploy.events.planned import PlanMade
from deploy.screen.region import Region
from deploy.screen.tables import cell, health_in_colour, words

if TYPE_CHECKING:
    from deploy.events.event import Entry, Event

ROWS_ON_SCREEN = 24
ROWS_FOR_OTHERS = 9  # bar, header, banner, and what was said above: it must not scroll away


class LiveTable:
    """A table of hosts that is drawn anew four times a second, over one bar for all steps.

    banner: what the operator must know meanwhile, above it; empty for nothing.
    """

    def __init__(self, console: Console) -> None:
        self._lock = threading.RLock()
        self.banner = ""
        self._rows: dict[str, tuple[str, str, str]] = {}
        self._active: set[str] = set()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("steps", markup=False),
            TimeElapsedColumn(),
            console=console,
        )
        self._total = 0
        self._task = self._progress.add_task("", total=None)
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

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        with self._lock:
            self._hear(entry.event)
        if isinstance(entry.event, PlanMade):
            self._region.refresh()  # not under our lock, which drawing takes while it holds its own

    def _hear(self, event: Event) -> None:
        match event:
            case PlanMade():
                self._begin(event)
            case BatchBegan(number, total):
                self._progress.update(self._task, description=f"batch {number} of {total}")
            case StepBegan(host, _, step):
                if not event.is_planned:  # of a recovery: more to do than was planned
                    self._total += 1
                    self._progress.update(self._task, total=self._total)
                self._active.add(host)
                self._rows[host] = (step, "", self._rows[host][2])
            case StepEnded(host, _, step):
                detail = "stopped" if event.is_stopped else "done"
                detail = f"failed: {event.error}" if event.error else detail
                self._rows[host] = (step, detail, event.health)
                self._progress.advance(self._task)
            case HostSaid(host, text):
                step, _, health = self._rows[host]
                self._rows[host] = (step, text, health)
            case HostEnded(host, outcome):
                self._active.discard(host)
                self._rows[host] = (outcome, "", self._rows[host][2])

    def _begin(self, plan: PlanMade) -> None:
        """A row for each host, and a bar for all steps."""
        self._rows = dict.fromkeys(plan.hosts, ("waiting", "", ""))
        self._active.clear()
        parts = [*plan.staging, *(host for batch in plan.batches for host in batch.hosts)]
        self._total = sum(len(part.steps) + len(part.after) for part in parts)
        self._progress.reset(self._task, total=self._total, description=plan.verb.lower())

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
