"""`make faults`: on labs side by side, or `python -m faults crash releases …` on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from faults import (
    account,
    back,
    balancer,
    connections,
    crash,
    hosts,
    locks,
    programs,
    releases,
    signals,
)
from faults.ground import Ground, Line
from lab.fleet import FOLDER
from lab.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

SEQUENCES = 10_000
# Those that take longest come first: then the labs have their last parts done at about one time.
PARTS: dict[str, tuple[Callable[[Ground], None], ...]] = {
    "crash": (crash.sweep,),
    "surge": (crash.surge,),
    "signals": (signals.signals,),
    "programs": (programs.programs,),
    "hosts": (hosts.hosts,),
    "releases": (releases.early, releases.late),
    "locks": (locks.races, locks.suspended),
    "connections": (connections.connections,),
    "balancer": (balancer.balancer,),
    "account": (account.account, account.others),
    "back": (back.rollbacks,),
}
SUITES = {"programs": programs.SUITE}
"""Of the hosts of a part, where it is not the usual one."""
LABS = min(3, os.cpu_count() or 1)
"""So many side by side: each keeps one processor busy, and starved hosts fail for no fault."""

TALLY = "FAULTS_TALLY"
"""Names the file in which a part leaves its tally, in the environment of its process."""

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
            "costs some",
            flush=True,
        )
    missed = tally.get("missed", 0)
    if not chosen or "simulation" in chosen:
        missed += _simulation()
    print(f"faults: {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


def _on(root: Path, parts: list[str]) -> Tally:
    """Run parts on the lab of this folder."""
    lines: list[Line] = []
    for name in parts:
        with Ground.made(root, SUITES.get(name, "bookworm")) as ground:
            print(f"-- {name}", flush=True)
            for act in PARTS[name]:
                act(ground)
        lines += ground.lines
    return {
        "tried": len(lines),
        "missed": sum(not line.is_good for line in lines),
        "requests": sum(line.requests for line in lines),
        "failed": sum(line.failed for line in lines if not line.may_fail),
        "allowed": sum(line.failed for line in lines if line.may_fail),
    }


def _side_by_side() -> Tally:
    """All parts, each in a process, on the next lab that is free; a part that breaks is a miss."""
    free: Queue[Path] = Queue()
    for number in range(LABS):
        folder = ROOT / FOLDER / "workers" / f"faults-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        free.put(folder)

    def run(part: str) -> Tally:
        folder = free.get()
        file = folder / f"{part}.json"
        file.unlink(missing_ok=True)
        environ = os.environ | {TALLY: str(file)}
        subprocess.run([sys.executable, "-m", "faults", part], cwd=ROOT, env=environ, check=False)
        free.put(folder)
        return Tally(json.loads(file.read_text())) if file.exists() else {"missed": 1}

    total = Tally.fromkeys(("tried", "missed", "requests", "failed", "allowed"), 0)
    with ThreadPoolExecutor(max_workers=LABS) as pool:
        for found in pool.map(run, PARTS):
            total |= {name: total[name] + count for name, count in found.items()}
    return total


def _as_part(file: Path, parts: list[str]) -> int:
    """One part of all: on a lab beside the file, which then holds the tally."""
    file.write_text(json.dumps(_on(file.parent, parts)))
    return 0


def _simulation() -> int:
    environ = os.environ | {"SIMULATIONS": str(SEQUENCES)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_simulation.py"]
    command += ["-n", "2", "--dist", "worksteal"]  # its long tests are at the beginning
    ended = subprocess.run(command, cwd=ROOT, env=environ, check=False)
    print(f"simulation: {SEQUENCES} sequences, {'ok' if ended.returncode == 0 else 'MISSED'}")
    return int(ended.returncode != 0)


if __name__ == "__main__":
    tally = os.environ.get(TALLY)
    sys.exit(_as_part(Path(tally), sys.argv[1:]) if tally else main(sys.argv[1:]))
