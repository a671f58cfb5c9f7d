"""Which HTTP status codes count as an answer, in the target group's own syntax."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.errors import BadInput

# What an Application Load Balancer accepts in a target group's matcher.
LOWEST, HIGHEST = 200, 499

_PART = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?")


@dataclass(frozen=True)
class Matcher:
    """Status codes as inclusive ranges, in the order in which they were written."""

    ranges: tuple[tuple[int, int], ...]

    def matches(self, code: int) -> bool:
        """Whether this HTTP status code counts as healthy."""
        return any(low <= code <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)


def parse(text: str) -> Matcher:
    """Read `200`, `200-299` or `200,302`; BadInput says which part is wrong."""
    return Matcher(tuple(_part(part.strip(), text) for part in text.split(",")))


def _part(part: str, text: str) -> tuple[int, int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise BadInput(
            f"matcher {text!r}: {part!r} is no status code; "
            "write codes and ranges like 200, 200-299 or 200,302",
        )
    low = int(match[1])
    high = int(match[2] or match[1])
    if not LOWEST <= low <= high <= HIGHEST:
        raise BadInput(
            f"matcher {text!r}: {part!r} must lie between {LOWEST} and {HIGHEST}, "
            "the lower code first",
        )
    return low, high
