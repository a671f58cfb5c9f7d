"""Which codes count as an answer of a healthy target, in the target group's own syntax."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.errors import BadInput


@dataclass(frozen=True)
class Matcher:
    """Codes as inclusive ranges, in the order in which they were written."""

    ranges: tuple[tuple[int, int], ...]

    def matches(self, code: int) -> bool:
        """Whether this code counts as healthy."""
        return any(low <= code <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)


@dataclass(frozen=True)
class Codes:
    """The codes that a health check of one kind knows.

    Attributes:
        name: What one of them is called.
        digits: How one is written, as a regular expression.
        lowest: The lowest that an Application Load Balancer takes in a target group's matcher.
        highest: The highest.
        example: How they are written.
    """

    name: str
    digits: str
    lowest: int
    highest: int
    example: str

    def parse(self, text: str) -> Matcher:
        """Read codes and ranges with commas between; BadInput says which part is wrong."""
        return Matcher(tuple(self._range(part.strip(), text) for part in text.split(",")))

    def _range(self, part: str, text: str) -> tuple[int, int]:
        match = re.fullmatch(f"({self.digits})(?:-({self.digits}))?", part)
        if match is None:
            raise BadInput(
                f"matcher {text!r}: {part!r} is no {self.name}; "
                f"write codes and ranges like {self.example}",
            )
        low = int(match[1])
        high = int(match[2] or match[1])
        if not self.lowest <= low <= high <= self.highest:
            raise BadInput(
                f"matcher {text!r}: {part!r} must lie between {self.lowest} and {self.highest}, "
                "the lower code first",
            )
        return low, high


HTTP = Codes("status code", "[0-9]{3}", 200, 499, "200, 200-299 or 200,302")
GRPC = Codes("gRPC code", "[0-9]{1,2}", 0, 99, "12, 0-99 or 0,12")


def parse(text: str) -> Matcher:
    """Read the codes of either kind: those of gRPC have one digit or two, those of HTTP three.

    Raises BadInput for what is neither.
    """
    is_grpc = re.fullmatch(r"[0-9]{1,2}([ ,-]+[0-9]{1,2})*", text.strip())
    return (GRPC if is_grpc else HTTP).parse(text)
