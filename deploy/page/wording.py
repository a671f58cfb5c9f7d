"""Times on the page: durations, offsets into the run, and times of day. Pure.

The first two are written in `deploy.durations`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

from deploy.durations import duration, offset

__all__ = ["count", "duration", "moment", "offset"]


def moment(at: float) -> str:
    """When: `2026-11-29 11:52:26 UTC`; at: unix seconds."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "at no time that a calendar has"  # the file is not ours


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 host`, `4 hosts`, `2 batches`."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def without_domain(hosts: Sequence[str]) -> dict[str, str]:
    """Host names as they are shown, by name: without the domain, where all are of one.

    What several addresses of a network end with alike is no domain.
    """
    domains = {domain for _, _, domain in (name.partition(".") for name in hosts)}
    shared = domains.pop() if len(domains) == 1 and len(hosts) > 1 else ""
    is_domain = any(each.isalpha() for each in shared)
    return {name: name.partition(".")[0] if is_domain else name for name in hosts}
