"""`make faults`, or `python -m faults crash releases …` for some of it; at most 45 minutes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from faults import back, crash, locks, middle, releases
from faults.ground import Ground
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


def main(chosen: list[str]) -> int:
    """Run the parts that are named, or all; 0 when each line is good."""
    unknown = set(chosen) - PARTS.keys() - {"simulation"}
    if unknown:
        print(f"no such part: {sorted(unknown)}; there are {[*PARTS, 'simulation']}")
        return 2
    began = time.monotonic()
    missed = 0
    if not chosen or chosen != ["simulation"]:
        with Ground.made() as ground:
            for name, acts in PARTS.items():
                if not chosen or name in chosen:
                    print(f"-- {name}", flush=True)
                    for act in acts:
                        act(ground)
        missed = sum(not line.is_good for line in ground.lines)
        requests = sum(line.requests for line in ground.lines)
        unplanned = sum(line.failed for line in ground.lines if not line.may_fail)
        allowed = sum(line.failed for line in ground.lines if line.may_fail)
        print(
            f"faults: {len(ground.lines)} tried, {missed} missed, {requests} requests, "
            f"{unplanned} failed, and {allowed} where the fault itself costs some"
        )
    if not chosen or "simulation" in chosen:
        missed += _simulation()
    print(f"faults: {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _simulation() -> int:
    environ = os.environ | {"SIMULATIONS": str(SEQUENCES)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_simulation.py"]
    ended = subprocess.run(command, cwd=ROOT, env=environ, check=False)
    print(f"simulation: {SEQUENCES} sequences, {'ok' if ended.returncode == 0 else 'MISSED'}")
    return int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
