"""How long `inv --list` takes, beside the same over an empty tasks.py."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.project import ROOT

ROUNDS = 9
EMPTY = "from invoke import task\n\n\n@task\ndef nothing(_):\n    pass\n"


def seconds() -> tuple[float, float]:
    """Median times: ours, and the empty one's; taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.py").write_text(EMPTY)
        times: dict[Path, list[float]] = {ROOT: [], Path(folder): []}
        for _ in range(ROUNDS):
            for place, found in times.items():
                began = time.monotonic()
                words = [sys.executable, "-m", "invoke", "--list"]
                subprocess.run(words, cwd=place, check=True, capture_output=True)
                found.append(time.monotonic() - began)
    return statistics.median(times[ROOT]), statistics.median(times[Path(folder)])
