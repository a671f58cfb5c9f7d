"""A line of a screen: pieces of text, each with its style. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import line as one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Piece = tuple[str, str]
"""Some text and its style, in rich's words; empty for none."""
Line = tuple[Piece, ...]


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
