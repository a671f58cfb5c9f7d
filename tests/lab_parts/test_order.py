"""The lab's tests begin in an order in which no long one is the last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = "test_a_host_that_freezes_costs_itself_and_no_hour"
OF_OWN_HOSTS = "tests/lab/test_suites.py"


def collected() -> list[str]:
    """The lab's tests in the order in which they are handed to workers; none is run."""
    words = ("-m", "lab", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/lab")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in ran.stdout.splitlines() if "::" in line]


def test_the_longest_begins_first_and_those_that_share_hosts_stay_together() -> None:
    tests = collected()
    assert tests[0].endswith(LONGEST)
    own = [number for number, name in enumerate(tests) if name.startswith(OF_OWN_HOSTS)]
    assert own == list(range(own[0], own[-1] + 1))
    assert own[-1] < len(tests) / 3, "among those that the first of three workers begins with"
    rest = [name.partition("::")[0] for name in tests[own[-1] + 1 :]]
    files = list(dict.fromkeys(rest))
    assert rest == [name for file in files for name in rest if name == file], "file by file"
