"""The difference between this workstation's clock and AWS's, from the dates of AWS's answers."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MOST_SECONDS = 240
"""AWS refuses a signature that is 5 minutes away from its own time."""
STAMP = re.compile(r"\b\d{4}[01]\d[0-3]\dT[0-2]\d[0-5]\d[0-5]\dZ")
"""A time of the signature's own form, as AWS's texts repeat it."""


def seconds_ahead(response: Any, said: str) -> float:
    """How far our clock is ahead of AWS's; 0 where that is not known.

    By the answer's Date. A proxy may take that away: AWS's text names the time of our signature,
    the limit, and last its own time.
    """
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        pass
    try:
        ours, *limits = map(_moment, STAMP.findall(said))
        return (ours - limits[-1]).total_seconds()
    except (IndexError, ValueError):
        return 0.0


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def in_words(seconds: float) -> str:
    """How a clock is wrong that is so far ahead, as the end of a sentence."""
    if abs(seconds) < MOST_SECONDS:
        return "wrong"
    return f"{abs(seconds) / 60:.0f} min {'ahead' if seconds > 0 else 'behind'}"
