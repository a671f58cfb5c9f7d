"""Sorts names as people count them: `web-2` before `web-10`. Pure."""

from __future__ import annotations

import re


def natural(name: str) -> tuple[tuple[str, int, str], ...]:
    """What names are sorted by.

    Digits count by their length first: a number of any size needs no conversion.
    """
    parts = re.split(r"([0-9]+)", name)
    numbers = [each.lstrip("0") for each in parts[1::2]]
    return tuple(
        (text, len(number), number) for text, number in zip(parts[::2], [*numbers, ""], strict=True)
    )
