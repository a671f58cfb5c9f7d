"""The help of a command fits a terminal of 80 columns: Invoke prints docstrings as they are."""

from __future__ import annotations

import inspect

import pytest

from deploy.cli.tasks import namespace

COLUMNS = 80
INDENT = 2
"""Columns that Invoke puts before each line of a docstring."""


@pytest.mark.parametrize("name", sorted(namespace.task_names))
def test_the_help_of_a_command_fits_a_terminal(name: str) -> None:
    lines = (inspect.getdoc(namespace[name]) or "").splitlines()
    assert lines
    assert max(map(len, lines)) <= COLUMNS - INDENT
