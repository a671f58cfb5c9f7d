"""The figures that have a limit, from the runs of one bench."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import uploads
from bench.contestants import ANSIBLE, CONTESTANTS, QUICK, SURGE, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bench.job import Run
    from bench.scale import Scale
    from bench.uploads import Uploads

FEW, MANY, STATUS_HOSTS = 4, 16, 20
STATUS = f"inv status, {STATUS_HOSTS} hosts, after connecting"
UPLOADS = "uploads"
LARGEST, LESS = 1000, 100
SURGE_OVER_LIMIT = {FEW: 1.5, MANY: 2.0}
"""By the size of the fleet: what is over the waits is the two cores' work for all hosts at once."""
MANY_LAB = f"a lab of {MANY} hosts"
NOT_RUN = "not among the parts that were run"


@dataclass(frozen=True)
class Figure:
    """One figure and the most it may be; without `measured`, `why` there is none.

    A figure without a unit is a ratio or a count.
    """

    name: str
    limit: float
    measured: float | None
    unit: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        """ok, MISS, or why it was not measured."""
        if self.measured is None:
            return f"not measured: {self.why}"
        return "ok" if self.measured <= self.limit else "MISS"

    @property
    def is_missed(self) -> bool:
        """Whether it was measured and is over the limit."""
        return self.verdict == "MISS"


@dataclass(frozen=True)
class Runs:
    """All runs of a bench.

    refused: why a contestant cannot be measured here, by its name; broken: how something failed,
    by the contestant's name or by what it was.
    """

    runs: tuple[Run, ...]
    refused: Mapping[str, str]
    broken: Mapping[str, str] = field(default_factory=dict)

    def of(self, contestant: str, hosts: int) -> tuple[Run, ...]:
        """One contestant's runs at one size, in their order."""
        return tuple(r for r in self.runs if (r.contestant, r.hosts) == (contestant, hosts))

    def median(
        self, contestant: str, hosts: int, value: Callable[[Run], float | None]
    ) -> float | None:
        """The median of a value; None where there is no run."""
        found = [v for run in self.of(contestant, hosts) if (v := value(run)) is not None]
        return statistics.median(found) if found else None

    def why(self, *contestants: str) -> str:
        """Why a figure over these contestants is not there."""
        shown = [f"{name}: {said}" for name in contestants if (said := self.said(name))]
        return "; ".join(shown) or NOT_RUN

    def said(self, contestant: str) -> str:
        """Why there are no runs of it, or no more; empty where nothing went wrong."""
        if contestant in self.broken:
            return f"it failed: {self.broken[contestant]}"
        return self.refused.get(contestant, "")


def of_runs(all_of: Runs) -> tuple[Figure, ...]:
    """The figures of the job."""

    def wall_over(ours: str, hosts: int) -> float | None:
        mine = all_of.median(ours, hosts, lambda run: run.wall_seconds)
        theirs = all_of.median(ANSIBLE, hosts, lambda run: run.wall_seconds)
        return mine / theirs if mine and theirs else None

    def over_limit(run: Run) -> float | None:
        return run.wall_seconds / run.limit.seconds if run.limit else None

    few = all_of.median(SURGE, FEW, lambda run: run.until_new_seconds)
    many = all_of.median(SURGE, MANY, lambda run: run.until_new_seconds)
    ours = {each.name for each in CONTESTANTS if each.is_ours}
    failed = [run.failed for run in all_of.runs if run.contestant in ours]
    return (
        Figure(
            f"{WAIT}: wall over the limit of its waits",
            1.10,
            all_of.median(WAIT, FEW, over_limit),
            why=all_of.why(WAIT),
        ),
        *(
            Figure(
                f"{SURGE}: wall over the limit of its waits, {hosts} hosts",
                most,
                all_of.median(SURGE, hosts, over_limit),
                why=all_of.why(SURGE, MANY_LAB),
            )
            for hosts, most in SURGE_OVER_LIMIT.items()
        ),
        Figure(
            f"{QUICK}: wall over {ANSIBLE}",
            0.65,
            wall_over(QUICK, FEW),
            why=all_of.why(QUICK, ANSIBLE),
        ),
        Figure(
            f"{SURGE}: wall over {ANSIBLE}, {FEW} hosts",
            0.33,
            wall_over(SURGE, FEW),
            why=all_of.why(SURGE, ANSIBLE),
        ),
        Figure(
            f"{SURGE}: wall over {ANSIBLE}, {MANY} hosts",
            0.10,
            wall_over(SURGE, MANY),
            why=all_of.why(SURGE, ANSIBLE, MANY_LAB),
        ),
        Figure(
            f"{SURGE}: time until all answers are new, {MANY} hosts over {FEW}",
            1.5,
            many / few if few and many else None,
            why=all_of.why(SURGE, MANY_LAB),
        ),
        Figure(
            "requests failed in all runs of ours",
            0,
            sum(failed) if failed else None,
            why=all_of.why(*ours),
        ),
    )


def of_uploads(found: Uploads | None, all_of: Runs) -> tuple[Figure, ...]:
    """What travels, and how long it takes."""
    why = all_of.said(UPLOADS) or NOT_RUN
    return (
        Figure(
            f"first upload to {uploads.HOSTS} hosts: wall over scp, sha256sum and tar",
            uploads.MOST,
            found.ratio if found else None,
            why=why,
        ),
        Figure(
            f"sent on a redeploy where a file of {uploads.FILES} changed",
            uploads.MOST_REDEPLOYED * 100,
            found.share * 100 if found else None,
            "%",
            why,
        ),
    )


def of_status(seconds: float | None, all_of: Runs) -> Figure:
    """`inv status`."""
    return Figure(STATUS, 1.0, seconds, "s", all_of.said(STATUS) or NOT_RUN)


def of_list(seconds: tuple[float, float] | None) -> Figure:
    """`inv --list`."""
    ratio = seconds[0] / seconds[1] if seconds else None
    name = "inv --list over an empty tasks.py"
    return Figure(name, 1.5, ratio, why=NOT_RUN)


def of_scale(found: Iterable[Scale]) -> tuple[Figure, ...]:
    """The figures of the fleet on paper."""
    by_size = {scale.hosts: scale for scale in found}
    largest, less = by_size.get(LARGEST), by_size.get(LESS)
    growth = largest.cpu_ms / less.cpu_ms if largest and less else None
    why = NOT_RUN
    return (
        Figure(
            f"own work for each host and step, {LARGEST} hosts",
            5.0,
            largest.cpu_ms if largest else None,
            "ms",
            why,
        ),
        Figure(
            f"events: their share of that work, {LARGEST} hosts",
            2.0,
            largest.event_percent if largest else None,
            "%",
            why,
        ),
        Figure(f"own work over that of {LESS} hosts: growth is linear", 1.5, growth, why=why),
        Figure(
            f"memory at most, {LARGEST} hosts", 400, largest.peak_mb if largest else None, "MB", why
        ),
        Figure(
            f"DescribeTargetHealth for each group and tick, {LARGEST} hosts",
            1.0,
            largest.looks_per_tick if largest else None,
            why=why,
        ),
    )
