"""Every command has help, which fits a terminal of 80 columns: Invoke prints docstrings as is."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.cli.tasks import namespace

ROOT = Path(__file__).parents[2]
COLUMNS = 80
INDENT = 2
"""Columns that Invoke puts before each line of a docstring."""


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_the_help_of_a_command_fits_a_terminal(name: str) -> None:
    lines = (inspect.getdoc(namespace[name]) or "").splitlines()
    assert lines
    assert max(map(len, lines)) <= COLUMNS - INDENT


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", ["completion", "report", "history"])
def test_a_command_that_takes_a_word_by_itself_takes_no_help_option_for_it(
    name: str, option: str
) -> None:
    typed = [sys.executable, "-m", "invoke", name, option]
    ended = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: ")
    assert max(map(len, ended.stdout.splitlines())) <= COLUMNS
