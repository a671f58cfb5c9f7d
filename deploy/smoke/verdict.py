"""Judges answers that come through a load balancer from old and new releases alike. Pure.

Both serve while hosts are replaced, and which one answers is the load balancer's choice. So a
request is asked often enough that the new release hardly can have been missed, and each answer
is judged; an app that names its release in a header makes that certain.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.settings import success_codes

if TYPE_CHECKING:
    from deploy.hosts.probe.request import Head, Request

LEAST = 3
"""Answers of the new release that are enough, where it names itself; and the fewest requests."""
MISS = 0.001
"""How likely all requests may miss the new release, if each goes to any target alike."""


def enough(new: int, all_: int) -> int:
    """How many requests are asked, where so many of all targets run the new release."""
    share = new / max(all_, 1)
    if share >= 1:
        return LEAST
    return max(LEAST, math.ceil(math.log(MISS) / math.log1p(-share)))


@dataclass(frozen=True)
class SmokeRequest:
    """One smoke test, as it is asked through the load balancer.

    Attributes:
        request: What is asked.
        url: The same as users write it.
        expect: The status codes that are right.
        timeout_seconds: How long one answer may take.
        is_new: Whether only the new release gives this answer.
        header: In which response header releases name themselves; empty for none.
    """

    request: Request
    url: str
    expect: str
    timeout_seconds: float
    is_new: bool = False
    header: str = ""

    def __str__(self) -> str:
        return f"GET {self.url} gives {self.expect}"


class Shown(enum.Enum):
    """What one answer proves about the new release."""

    PASSED = "passed"
    FAILED = "failed"
    NOTHING = "nothing"


@dataclass
class Verdict:
    """The answers to one test.

    Attributes:
        test: Which one.
        release: The id of the new release.
        most: So many requests are enough.
        asked: How many were answered.
        passed: How many of them show that the new release passes.
        last: The last answer, in words.
        blames_release: Whether the last answer named the new release.
    """

    test: SmokeRequest
    release: str
    most: int
    asked: int = 0
    passed: int = 0
    last: str = ""
    blames_release: bool = False

    def add(self, head: Head) -> Shown:
        """Count an answer, and say what it shows."""
        test = self.test
        named = head.value(test.header) if test.header else None
        by = f" with {test.header}: {named}" if named is not None else ""
        self.blames_release = named is not None and self._is_ours(named)
        self.asked, self.last = self.asked + 1, f"answer {head.code}{by}"
        is_right = success_codes.parse(test.expect).matches(head.code)
        if named is not None and not self.blames_release:
            return Shown.NOTHING
        if not is_right:
            # Without a name it may be an old release's, or the load balancer's own.
            return Shown.NOTHING if test.is_new and named is None else Shown.FAILED
        if test.header and named is None:
            return Shown.NOTHING
        self.passed += 1
        return Shown.PASSED

    def _is_ours(self, named: str) -> bool:
        """Whether a header's value names the new release: by its version, or by its id."""
        return named in {self.release, self.release.rpartition("-")[0]}

    @property
    def is_done(self) -> bool:
        """Whether nothing more needs to be asked."""
        wanted = LEAST if self.test.header else 1 if self.test.is_new else self.most
        return self.asked >= self.most or self.passed >= wanted
