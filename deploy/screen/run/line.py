"""A line of a screen: pieces of text, each with its style. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import line as one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Piece = tuple[str, str]
"""Some text and its style, in rich's words; empty for none."""
Line = tuple[Piece, ...]

SECONDS_IN_A_MINUTE = 60
MINUTES_SHOWN_ALONE = 90


def line(text: str, style: str = "") -> Line:
    """A line of one style; a line break in it, which only foreign text has, is made visible."""
    return ((one_line(text), style),)


def plain(pieces: Line) -> str:
    """The text of a line."""
    return "".join(text for text, _ in pieces)


def cut(text: str, width: int) -> str:
    """A text in at most so many characters; a longer one ends with an ellipsis."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def filled(parts: Iterable[str], width: int) -> list[str]:
    """Parts, two spaces apart, in as few lines of at most this width as hold them in order."""
    found: list[str] = []
    for part in parts:
        joined = f"{found[-1]}  {part}" if found else part
        if found and len(joined) <= width:
            found[-1] = joined
        else:
            found.append(part)
    return [cut(each, width) for each in found]


def listed(names: Sequence[str], most: int = 3) -> str:
    """`web-1, web-2 and 4 more`: so many names, and how many more there are."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def clock_time(seconds: float) -> str:
    """`0:02:10`, as a clock that began at 0 shows it."""
    minutes, rest = divmod(int(seconds), SECONDS_IN_A_MINUTE)
    hours, minutes = divmod(minutes, SECONDS_IN_A_MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}"


def about(seconds: float) -> str:
    """`about 4 min`, as exact as an estimate is."""
    if seconds < SECONDS_IN_A_MINUTE:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / SECONDS_IN_A_MINUTE)
    if minutes <= MINUTES_SHOWN_ALONE:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def taken(seconds: float) -> str:
    """`41 s` or `3:20 min`, of what is over."""
    if seconds < SECONDS_IN_A_MINUTE:
        return f"{seconds:.0f} s"
    return f"{clock_time(seconds).removeprefix('0:').lstrip('0')} min"
