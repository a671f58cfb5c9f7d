"""Runs every wall's attack and its control: `python -m audit`, or `python -m audit NAME …`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time
from typing import TYPE_CHECKING

import audit

if TYPE_CHECKING:
    from audit.wall import Wall


def walls() -> list[Wall]:
    """The walls, one module each, in the order of the modules' names."""
    names = sorted(found.name for found in pkgutil.iter_modules(audit.__path__))
    modules = [
        importlib.import_module(f"audit.{n}") for n in names if n not in {"wall", "__main__"}
    ]
    return [wall for module in modules for wall in getattr(module, "WALLS", ())]


def held(wall: Wall) -> bool:
    """Print the wall's line; whether the attack found nothing and its control found something."""
    began = time.monotonic()
    attempt, control = wall.attack(), wall.control()
    is_held = not attempt.findings and bool(control.findings)
    figure = f", {attempt.figure}" if attempt.figure else ""
    print(
        f"{'ok  ' if is_held else 'FAIL'} {wall.name}: {attempt.tried:,} tried, "
        f"{len(attempt.findings)} findings{figure}; without the wall: "
        f"{len(control.findings)} of {control.tried:,} ({time.monotonic() - began:.0f} s)",
        flush=True,
    )
    for finding in attempt.findings[:5]:
        print(f"       {finding}", flush=True)
    return is_held


def main(chosen: list[str]) -> int:
    """Run the walls whose names contain one of these words, or all; 0 when all held."""
    found = [w for w in walls() if not chosen or any(word in w.name for word in chosen)]
    results = [held(wall) for wall in found]
    print(f"audit: {sum(results)} of {len(found)} walls held", flush=True)
    return 0 if found and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
