"""`make bench`: one job by all contestants, side by side; and what the rest costs.

`python -m bench rolling ansible scale` runs some parts, and writes nothing unless asked to, since
a comparison is one run. `--rounds 1` is for a quick look.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import figures, job, listing, looking, scale, table, uploads
from bench.contestants import CONTESTANTS
from bench.figures import FEW, MANY, STATUS, STATUS_HOSTS, UPLOADS, Runs
from bench.job import Ground, NotMeasured, Run
from deploy.errors import DeployError
from lab.fleet import Lab
from lab.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.contestants import Contestant
    from bench.scale import Scale
    from bench.uploads import Uploads

ROUNDS = 3
JOBS = tuple(dict.fromkeys(each.part for each in CONTESTANTS))
PARTS = (*JOBS, "sixteen", "uploads", "status", "list", "scale")


class Bench:
    """The runs so far; who was refused, and who failed: both are left out from then on."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.refused: dict[str, str] = {}
        self.broken: dict[str, str] = {}

    def compare(self, who: Sequence[Contestant], hosts: int, rounds: int) -> None:
        """Rounds of all contestants in turn, so that a slow minute does not count for one alone."""
        if not who:
            return
        try:
            with _ground(hosts) as ground:
                for number in range(1, rounds + 1):
                    for each in who:
                        if each.name not in self.refused | self.broken:
                            self._run(ground, each, f"{number} of {rounds}")
        except DeployError as error:
            self._fail(f"a lab of {hosts} hosts", error)

    def status(self) -> float | None:
        """`inv status` on the largest lab, in seconds."""
        try:
            with _ground(STATUS_HOSTS) as ground:
                return looking.seconds(ground)
        except DeployError as error:
            self._fail(STATUS, error)
            return None

    def uploads(self) -> Uploads | None:
        """A first upload and a redeploy, on a lab of their own size."""
        try:
            with _ground(uploads.HOSTS) as ground:
                found = uploads.measure(ground.lab)
        except DeployError as error:
            self._fail(UPLOADS, error)
            return None
        _say(str(found))
        return found

    def _fail(self, what: str, error: DeployError) -> None:
        """Go on without it: what was measured before is not lost."""
        self.broken[what] = str(error).splitlines()[0]
        _say(f"{what}: failed: {error}")

    def _run(self, ground: Ground, who: Contestant, turn: str) -> None:
        what = f"{who.name}, {len(ground.lab.hosts)} hosts, {turn}"
        try:
            found = job.measure(ground, who.name, who.driver, who.waits)
        except NotMeasured as error:
            self.refused[who.name] = str(error)
            _say(f"{what}: not measured: {error}")
            return
        except DeployError as error:
            self._fail(who.name, error)
            return
        self.runs.append(found)
        limit = f", limit {found.limit}" if found.limit else ""
        _say(
            f"{what}: {found.wall_seconds:.1f} s, all new after {found.until_new_seconds:.1f} s, "
            f"{found.failed} of {found.requests} requests failed{limit}"
        )


@contextmanager
def _ground(hosts: int) -> Iterator[Ground]:
    """A lab of that size, and the packages."""
    with (
        Lab.borrowed(ROOT, hosts, ("bookworm",), _say) as lab,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        if len(lab.hosts) != hosts:
            raise DeployError(
                f"a lab of {len(lab.hosts)} hosts is running, and {hosts} are to be measured; "
                "take it down first: inv lab.down"
            )
        yield Ground.made(lab, Path(folder))


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _measured(parts: Sequence[str], rounds: int) -> table.Found:
    load = os.getloadavg()[0]
    bench = Bench()
    bench.compare([who for who in CONTESTANTS if who.part in parts], FEW, rounds)
    if "sixteen" in parts:
        bench.compare([who for who in CONTESTANTS if who.at_sixteen], MANY, 1)
    machine = _machine(load, os.getloadavg()[0])
    uploaded = bench.uploads() if "uploads" in parts else None
    seconds = bench.status() if "status" in parts else None
    runs = Runs(tuple(bench.runs), bench.refused, bench.broken)
    status = figures.of_status(seconds, runs)
    sent = figures.of_uploads(uploaded, runs)
    listed = figures.of_list(listing.seconds() if "list" in parts else None)
    scales = _scales() if "scale" in parts else ()
    found = (*figures.of_runs(runs), *sent, status, listed, *figures.of_scale(scales))
    return table.Found(machine, runs, found, scales)


def _scales() -> tuple[Scale, ...]:
    found: list[Scale] = []
    for size in scale.SIZES:
        _say(f"on paper: {size} hosts")
        found.append(scale.alone(size))
    return tuple(found)


def _machine(before: float, after: float) -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Linux {platform.release()}, Python "
        f"{platform.python_version()}. Load average before the runs {before:.1f}, after them "
        f"{after:.1f}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and show; 0 when no figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure side by side.")
    parser.add_argument("parts", nargs="*", help=f"all, if none is named: {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the median of so many counts")
    parser.add_argument(
        "--write", action="store_true", help="write the page, though some is left out"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    began = time.monotonic()
    try:
        found = _measured(options.parts or PARTS, options.rounds)
    except DeployError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    table.show(found)
    if options.write or not options.parts:
        table.write(found)
        _say(f"written to {table.PAGE.relative_to(ROOT)} and {table.RESULTS.relative_to(ROOT)}")
    _say(f"bench: {(time.monotonic() - began) / 60:.0f} minutes")
    return int(bool(found.runs.broken) or any(figure.is_missed for figure in found.figures))


if __name__ == "__main__":
    sys.exit(main())
