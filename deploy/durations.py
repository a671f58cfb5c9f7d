"""Durations in words, one function for each place that shows one. Pure.

Each takes seconds. What they differ in is how exact a reader wants to be there, and how much space
there is; a number is followed by its unit, or is written as a clock shows it.
"""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86_400
EXACT_SECONDS = 9.95
"""Shorter than this, tenths count."""
SECONDS_SHOWN_ALONE, MINUTES_SHOWN_ALONE = 100, 90
"""Up to here a smaller unit alone is easier to compare."""


def duration(seconds: float) -> str:
    """How long something took, in full: `0.8 s`, `42 s`, `4 min 12 s`, `1 h 03 min`."""
    if seconds < EXACT_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"


def taken(seconds: float) -> str:
    """How long something took, in little space: `41 s`, `3:20 min`, `1:02:00 h`."""
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    return f"{offset(whole)} {'min' if whole < HOUR else 'h'}"


def planned(seconds: float) -> str:
    """How long settings have something wait: `45 s`, `6 min 30 s`, `1 h 5 min`, `1 h`."""
    whole = round(seconds)
    if whole < SECONDS_SHOWN_ALONE:
        return f"{whole} s"
    minutes, rest = divmod(whole, MINUTE)
    if whole < HOUR:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(whole / MINUTE), MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def about(seconds: float) -> str:
    """Put an estimate into words, rounded as it deserves: `about 35 s`, `about 4 min`."""
    if seconds < MINUTE:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / MINUTE)
    if minutes <= MINUTES_SHOWN_ALONE:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def limit(seconds: float) -> str:
    """How long something may take, as a setting has it: `45 s`, `1 minute`, `2.5 minutes`."""
    if seconds < MINUTE:
        return f"{seconds:g} s"
    minutes = seconds / MINUTE
    return f"{minutes:g} minute{'s' * (minutes != 1)}"


def age(seconds: float | None) -> str:
    """How long ago, for a narrow column: `45s`, `12m`, `3h20m`, `5d`; `-` where not known."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d"


def clock_time(seconds: float) -> str:
    """A clock that began at 0, always of one width: `0:02:10`."""
    whole = int(seconds)
    return f"{whole // HOUR}:{whole % HOUR // MINUTE:02}:{whole % MINUTE:02}"


def offset(seconds: float) -> str:
    """The same where most are short, without hours that are none: `0:52`, `1:02:03`."""
    whole = int(seconds)
    if whole < HOUR:
        return f"{whole // MINUTE}:{whole % MINUTE:02}"
    return clock_time(whole)
