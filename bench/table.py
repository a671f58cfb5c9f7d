"""What a bench found: as tables on the terminal, in docs/performance.md, and as JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.contestants import CONTESTANTS
from bench.figures import FEW, MANY, Figure, Runs
from lab.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.contestants import Contestant
    from bench.job import Run
    from bench.scale import Scale

PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench" / "results"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shown:
    """One table: a title, the columns' heads, and its rows."""

    title: str
    heads: tuple[str, ...]
    rows: Rows

    def markdown(self) -> str:
        """As GitHub reads tables."""
        lines = [self.heads, tuple("---" for _ in self.heads), *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"### {self.title}\n\n{table}\n"

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(*self.heads, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table


@dataclass(frozen=True)
class Found:
    """All that one bench found; machine: a line on what it ran on."""

    machine: str
    runs: Runs
    figures: tuple[Figure, ...]
    scales: tuple[Scale, ...]

    def tables(self) -> tuple[Shown, ...]:
        """What is shown; a table without rows is left out."""
        made = (
            Shown("Figures and limits", ("figure", "measured", "limit", ""), _figures(self)),
            _job(self.runs, FEW),
            _job(self.runs, MANY),
            Shown("Not measured, or not to the end", ("", ""), _missing(self.runs)),
            Shown("What the others do not do", ("", ""), _lacks(self.runs)),
            _paper(self.scales),
        )
        return tuple(table for table in made if table.rows)


def show(found: Found) -> None:
    """On the terminal."""
    console = Console()
    console.print(found.machine)
    for table in found.tables():
        console.print(table.rich())


def write(found: Found) -> None:
    """Into docs/performance.md, between its marks, and as JSON."""
    text = "\n".join((found.machine + "\n", *(table.markdown() for table in found.tables())))
    PAGE.write_text(marked(PAGE.read_text(), text))
    RESULTS.mkdir(exist_ok=True)
    runs = [
        asdict(run) | {"limit_seconds": run.limit.seconds if run.limit else None}
        for run in found.runs.runs
    ]
    others = {"refused": dict(found.runs.refused), "broken": dict(found.runs.broken)}
    _write(RESULTS / "runs.json", {"runs": runs, **others})
    figures = [asdict(figure) | {"verdict": figure.verdict} for figure in found.figures]
    _write(RESULTS / "figures.json", {"machine": found.machine, "figures": figures})
    _write(RESULTS / "scale.json", [asdict(scale) for scale in found.scales])


def marked(page: str, text: str) -> str:
    """The page with what stands between its marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}{END}{after}"


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


def number(value: float, unit: str) -> str:
    """Two digits behind the point for a ratio, one for a time, none for a count."""
    if unit:
        return f"{value:.1f} {unit}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


def _figures(found: Found) -> Rows:
    return tuple(
        (
            each.name,
            "" if each.measured is None else number(each.measured, each.unit),
            number(each.limit, each.unit) if each.unit or not each.limit else f"{each.limit:.2f}",
            each.verdict,
        )
        for each in found.figures
    )


def _job(runs: Runs, hosts: int) -> Shown:
    heads = ("who", "runs", "wall, s", "all new, s", "least", "requests", "failed", "p99", "calls")
    rows = (_contestant(runs, each, hosts) for each in CONTESTANTS)
    return Shown(f"The job at {hosts} hosts", heads, tuple(row for row in rows if row))


def _contestant(runs: Runs, who: Contestant, hosts: int) -> tuple[str, ...] | None:
    own = runs.of(who.name, hosts)
    if not own:
        return None

    def middle(value: Callable[[Run], float]) -> float:
        return statistics.median(value(run) for run in own)

    walls = [run.wall_seconds for run in own]
    spread = f" ({min(walls):.1f} to {max(walls):.1f})" if len(own) > 1 else ""
    return (
        who.name,
        str(len(own)),
        f"{middle(lambda run: run.wall_seconds):.1f}{spread}",
        f"{middle(lambda run: run.until_new_seconds):.1f}",
        str(min(run.least for run in own)),
        str(sum(run.requests for run in own)),
        str(sum(run.failed for run in own)),
        f"{middle(lambda run: run.p99_ms):.0f}",
        f"{middle(lambda run: run.calls):.0f}",
    )


def _missing(runs: Runs) -> Rows:
    return tuple((name, runs.said(name)) for name in {**runs.refused, **runs.broken})


def _lacks(runs: Runs) -> Rows:
    ran = {run.contestant for run in runs.runs}
    return tuple(
        (each.name, each.cannot) for each in CONTESTANTS if each.cannot and each.name in ran
    )


def _paper(scales: tuple[Scale, ...]) -> Shown:
    """A column for each size."""
    kinds = ("DescribeTargetHealth", "RegisterTargets", "DeregisterTargets")
    values: tuple[tuple[str, Callable[[Scale], str]], ...] = (
        ("steps", lambda scale: str(scale.steps)),
        ("plan made and printed, s", lambda scale: f"{scale.plan_seconds:.2f}"),
        ("wall, s", lambda scale: f"{scale.wall_seconds:.1f}"),
        ("waits that the settings ask for, s", lambda scale: f"{scale.wait_seconds:.1f}"),
        ("wall beside the waits, ms a step", lambda scale: f"{scale.wall_ms:.2f}"),
        ("own work, ms a step", lambda scale: f"{scale.cpu_ms:.2f}"),
        ("events: their share of it, %", lambda scale: f"{scale.event_percent:.1f}"),
        ("memory at most, MB", lambda scale: f"{scale.peak_mb:.0f}"),
        *((kind, partial(_calls, kind)) for kind in kinds),
        ("DescribeTargetHealth a tick", lambda scale: f"{scale.looks_per_tick:.2f}"),
        ("calls that were throttled", lambda scale: str(scale.throttled)),
    )
    rows = tuple((what, *(value(scale) for scale in scales)) for what, value in values)
    heads = ("", *(f"{scale.hosts} hosts" for scale in scales))
    return Shown("Planner and executor on a fleet of paper", heads, rows if scales else ())


def _calls(kind: str, scale: Scale) -> str:
    return str(scale.calls.get(kind, 0))
