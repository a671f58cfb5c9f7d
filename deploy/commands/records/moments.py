"""Reads a time in the past as it is typed: `15m`, `14:05`, a date. Pure."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from deploy.errors import BadInput

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
RIGHT = "write 90s, 15m, 2h or 3d for so long ago, 14:05, or 2026-11-29T14:05 (with Z for UTC)"


def moment(text: str, option: str, now: datetime) -> float:
    """`15m` ago, `14:05` of today, or an ISO date or time, in unix seconds.

    Args:
        text: As typed; without a zone it is of the zone of `now`.
        option: Where, for the message.
        now: With its zone.

    Raises:
        BadInput: It is none of these, or lies ahead.
    """
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip(), re.ASCII)
    try:
        if found:
            return (now - timedelta(**{UNITS[found[2]]: int(found[1])})).timestamp()
        at = _stated(text.strip(), now)
        seconds = at.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{option} {text}: is no time; {RIGHT}") from error
    if at > now:
        raise BadInput(f"{option} {text}: lies ahead, it is {now:%Y-%m-%dT%H:%M%z} now; {RIGHT}")
    return seconds


def _stated(text: str, now: datetime) -> datetime:
    """An ISO date or time; ValueError for anything else."""
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text, re.ASCII):
        return datetime.combine(now.date(), time.fromisoformat(text.zfill(5)), now.tzinfo)
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        raise ValueError(text)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
