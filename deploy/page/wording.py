"""Times as a reader of a run sees them: how long, how far into it, and when. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE, HOUR = 60, 3600
EXACT_SECONDS = 9.95
"""Shorter than this, tenths count."""


def duration(seconds: float) -> str:
    """How long something took: `0.8 s`, `42 s`, `4 min 12 s`, `1 h 03 min`."""
    if seconds < EXACT_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"


def offset(seconds: float) -> str:
    """How long after the run's beginning: `0:52`, `1:02:03`."""
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02}:{whole % MINUTE:02}"


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
