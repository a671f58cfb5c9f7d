"""The gate for branch coverage: it fails for each module below its limit, measured or not."""

from __future__ import annotations

import copy
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GATE = ROOT / "scripts" / "coverage_gate.py"
LEAST: dict[str, int] = runpy.run_path(str(GATE))["LEAST_PERCENT"]
MODULES = [name for name in LEAST if name != "total"]


def figures(all_of_it: float, branches: float) -> dict[str, float]:
    return {"percent_covered": all_of_it, "percent_branches_covered": branches}


def report() -> dict[str, Any]:
    """A report in which everything is just covered enough."""
    files = {
        name: {"summary": figures(LEAST[name] + 1, LEAST[name]), "missing_lines": [7, 9]}
        for name in MODULES
    }
    return {"totals": figures(LEAST["total"], LEAST["total"] + 1), "files": files}


def gate(folder: Path, given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    file = folder / "coverage.json"
    file.write_text(json.dumps(given))
    return subprocess.run(
        [sys.executable, str(GATE), str(file)], capture_output=True, text=True, check=False
    )


def test_what_is_covered_enough_passes_and_is_shown(tmp_path: Path) -> None:
    passed = gate(tmp_path, report())
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.startswith("Branches covered by the fast tests: total 90 %, changes 70 %")


@pytest.mark.parametrize("figure", figures(0, 0))
@pytest.mark.parametrize("name", LEAST)
def test_control_one_figure_below_its_limit_fails_and_is_named(
    name: str, figure: str, tmp_path: Path
) -> None:
    low = copy.deepcopy(report())
    found = low["totals"] if name == "total" else low["files"][name]["summary"]
    found[figure] = LEAST[name] - 0.1
    failed = gate(tmp_path, low)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()[1:]
    assert line.startswith(f"  {name}: {LEAST[name] - 0.1:.1f} % is covered, at least ")
    assert line.endswith("no test runs the lines 7, 9") is (name != "total")


@pytest.mark.parametrize("name", MODULES)
def test_control_a_module_that_was_not_measured_fails(name: str, tmp_path: Path) -> None:
    """One that was renamed, or that no test imports; and a run that measured no branches."""
    gone, lines_only = report(), copy.deepcopy(report())
    del gone["files"][name]
    del lines_only["files"][name]["summary"]["percent_branches_covered"]
    for given in (gone, lines_only):
        failed = gate(tmp_path, given)
        assert failed.returncode == 1
        assert f"{name}: its branches were not measured; it needs 70 %" in failed.stderr


def test_the_gate_names_modules_that_exist() -> None:
    assert all((ROOT / name).is_file() for name in MODULES)


def test_make_check_measures_branches_and_asks_the_gate() -> None:
    recipe = (ROOT / "Makefile").read_text()
    measured = recipe.index("--cov --cov-report=json:.lab/coverage.json")
    assert measured < recipe.index("scripts/coverage_gate.py .lab/coverage.json")
    assert "branch = true" in (ROOT / "pyproject.toml").read_text()
