"""`make faults`: on two labs side by side, or `python -m faults crash releases …` on one.

At most 45 minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from faults import back, crash, locks, middle, releases
from faults.ground import Ground
from lab.fleet import FOLDER
from lab.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SEQUENCES = 10_000
PARTS: dict[str, tuple[Callable[[Ground], None], ...]] = {
    "crash": (crash.sweep,),
    "releases": (releases.early, releases.late),
    "connections": (middle.connections,),
    "hosts": (middle.hosts,),
    "balancer": (middle.balancer,),
    "locks": (locks.races, locks.suspended),
    "signals": (middle.signals,),
    "back": (back.rollbacks,),
}
# Two labs side by side, since trials wait more than they work: each with about half of the time.
SIDES = (("crash", "balancer", "releases", "back"), ("signals", "locks", "hosts", "connections"))
TALLY = "FAULTS_TALLY"
"""Names the file in which a side leaves its tally, in the environment of its process."""

Tally = dict[str, int]


def main(chosen: list[str]) -> int:
    """Run the parts that are named, or all; 0 when each line is good."""
    unknown = set(chosen) - PARTS.keys() - {"simulation"}
    if unknown:
        print(f"no such part: {sorted(unknown)}; there are {[*PARTS, 'simulation']}")
        return 2
    began = time.monotonic()
    parts = [name for name in PARTS if name in chosen]
    tally = Tally()
    if parts:
        tally = _on(ROOT, parts)
    elif not chosen:
        tally = _side_by_side()
    if tally:
        print(
            f"faults: {tally['tried']} tried, {tally['missed']} missed, {tally['requests']} "
            f"requests, {tally['failed']} failed, and {tally['allowed']} where the fault itself "
            "costs some"
        )
    missed = tally.get("missed", 0)
    if not chosen or "simulation" in chosen:
        missed += _simulation()
    print(f"faults: {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _on(root: Path, parts: list[str]) -> Tally:
    """Run parts on the lab of this folder."""
    with Ground.made(root) as ground:
        for name in parts:
            print(f"-- {name}", flush=True)
            for act in PARTS[name]:
                act(ground)
    lines = ground.lines
    return {
        "tried": len(lines),
        "missed": sum(not line.is_good for line in lines),
        "requests": sum(line.requests for line in lines),
        "failed": sum(line.failed for line in lines if not line.may_fail),
        "allowed": sum(line.failed for line in lines if line.may_fail),
    }


def _side_by_side() -> Tally:
    """All parts, each side in a process with a lab of its own; a side that breaks is a miss."""
    sides: list[tuple[subprocess.Popen[bytes], Path]] = []
    for number, parts in enumerate(SIDES):
        folder = ROOT / FOLDER / "workers" / f"faults-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "tally.json"
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "faults", *parts]
        environ = os.environ | {TALLY: str(file)}
        sides.append((subprocess.Popen(command, cwd=ROOT, env=environ), file))
    total = Tally()
    for process, file in sides:
        process.wait()
        found = json.loads(file.read_text()) if file.exists() else {"missed": 1}
        total = {name: total.get(name, 0) + found.get(name, 0) for name in {*total, *found}}
    return Tally.fromkeys(("tried", "missed", "requests", "failed", "allowed"), 0) | total


def _as_side(file: Path, parts: list[str]) -> int:
    """One side of all: on a lab beside the file, which then holds the tally."""
    file.write_text(json.dumps(_on(file.parent, parts)))
    return 0


def _simulation() -> int:
    environ = os.environ | {"SIMULATIONS": str(SEQUENCES)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/test_simulation.py"]
    ended = subprocess.run(command, cwd=ROOT, env=environ, check=False)
    print(f"simulation: {SEQUENCES} sequences, {'ok' if ended.returncode == 0 else 'MISSED'}")
    return int(ended.returncode != 0)


if __name__ == "__main__":
    tally = os.environ.get(TALLY)
    sys.exit(_as_side(Path(tally), sys.argv[1:]) if tally else main(sys.argv[1:]))
