#!/usr/bin/env python3
"""Ends with 1 where the fast tests cover less than LEAST_PERCENT: of all, or of a module in it.

Its argument is the JSON report of coverage.py. Two figures count, and the lower one decides:
statements and branches together, and the branches alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOTAL = "total"
LEAST_PERCENT = {
    TOTAL: 90,
    # What only the lab's tests would see broken, if the fast ones did not run it.
    "deploy/commands/changes.py": 70,
    "deploy/commands/pipeline.py": 70,
    "deploy/commands/lock.py": 70,
    "deploy/commands/rollout.py": 70,
    "deploy/session/session.py": 70,
    "deploy/hosts/ssh/remote.py": 70,
    "deploy/plan/candidate.py": 70,
}
FIGURES = ("percent_covered", "percent_branches_covered")


def covered(report: dict[str, Any], name: str) -> float:
    """Return the lower figure of a module, or of all; KeyError where it was not measured."""
    found = report["totals"] if name == TOTAL else report["files"][name]["summary"]
    return float(min(found[figure] for figure in FIGURES))


def problems(report: dict[str, Any]) -> list[str]:
    """Return a line for each module that is covered too little, or was not measured."""
    found = []
    for name, least in LEAST_PERCENT.items():
        try:
            percent = covered(report, name)
        except KeyError:
            found.append(f"{name}: its branches were not measured; it needs {least} %")
            continue
        if percent < least:
            lines = report["files"].get(name, {}).get("missing_lines", [])
            missed = f"; no test runs the lines {', '.join(map(str, lines))}" if lines else ""
            found.append(
                f"{name}: {percent:.1f} % is covered, at least {least} % are needed{missed}"
            )
    return found


def main(file: str) -> int:
    """Print the figures, or what is wrong with them; return the exit code."""
    report = json.loads(Path(file).read_text())
    if found := problems(report):
        print("The fast tests cover too little:", *found, sep="\n  ", file=sys.stderr)
        return 1
    shown = (f"{Path(name).stem} {covered(report, name):.0f} %" for name in LEAST_PERCENT)
    print(f"Branches covered by the fast tests: {', '.join(shown)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
