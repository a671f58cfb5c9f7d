"""Limits of a unit's template: steps, characters, and sizes of values."""

from __future__ import annotations

import re
from typing import Any

import jinja2

from deploy.unit.template_files import MOST_CHARACTERS

MOST_STEPS = 20_000
"""Loop turns, calls, filters, includes and values written, in all."""
MOST_OPERAND = 16_384
"""Characters or items of a value that something is computed with; also the largest argument."""
MOST_EXPONENT = 64
MOST_NUMBER = 2**63


class Exceeded(Exception):
    """A template wants more than the bounds allow."""


class Budget:
    """Counts what one template takes while it is filled in; Exceeded where that is too much."""

    def __init__(self) -> None:
        self._steps = self._characters = 0

    def step(self) -> None:
        """Count one step."""
        self._steps += 1
        _within(self._steps <= MOST_STEPS, f"more than {MOST_STEPS} steps")

    def written(self, value: Any) -> Any:
        """Count what is written; a list or an object has no form that a unit could want."""
        self.step()
        if not isinstance(value, (str, int, float, jinja2.Undefined, type(None))):
            raise Exceeded(f"a {type(value).__name__} cannot be written; write its parts")
        self._characters += len(value) if isinstance(value, str) else 20
        _within(self._characters <= MOST_CHARACTERS, "what it writes")
        return value


def check(*values: Any) -> None:
    """Judge values with all that they hold: shared parts count each time."""
    left, waiting = MOST_OPERAND, list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, (list, tuple, dict, set)):
            waiting += value
            waiting += value.values() if isinstance(value, dict) else ()
        elif isinstance(value, int):
            _within(abs(value) <= MOST_NUMBER, "a number")
        left -= len(value) if isinstance(value, (str, bytes)) else 1
        _within(left >= 0, "a value")


def check_arguments(*values: Any) -> None:
    """Judge what a function is called with beside its first argument."""
    for value in values:
        if isinstance(value, int):
            _within(abs(value) <= MOST_OPERAND, "an argument")


def check_format(text: str) -> str:
    """Judge a format: a width in it can ask for any number of characters."""
    check(text)
    _within(not re.search(r"\d{5}|\*|\{[^}]*\{", str(text)), "a format's width")
    return text


def check_operands(operator: str, left: Any, right: Any) -> None:
    """Judge what a product or a power would be, before it is made."""
    if operator == "%" and isinstance(left, str):
        check_format(left)
    if operator == "**":
        is_small = isinstance(right, (int, float)) and abs(right) <= MOST_EXPONENT
        _within(is_small, "a power")
    if operator == "*" and any(hasattr(each, "__len__") for each in (left, right)):
        sizes = [len(each) if hasattr(each, "__len__") else each for each in (left, right)]
        _within(sizes[0] * sizes[1] <= MOST_OPERAND, "a repetition")
    check(left, right)


def _within(holds: bool, what: str) -> None:
    if not holds:
        raise Exceeded(f"{what}: more than a unit's template may take")
