"""The lines of an ssh configuration file, each a keyword and its words (ssh_config(5)).

How a line is split was compared with OpenSSH 9.2's own `ssh -G`. Pure, but for `read`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from pathlib import Path

_SPACE = " \t\r\f"
_LINE = re.compile(r"""([^\s="#][^\s="]*)"?(?:[ \t\f]*=[ \t\f]*|[ \t\f]+|$)(.*)""", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """One line that is no comment.

    Attributes:
        place: Its file and number, `~/.ssh/config:7`.
        keyword: In lower case.
        rest: What follows the keyword, as it is.
    """

    place: str
    keyword: str
    rest: str

    @property
    def words(self) -> tuple[str, ...]:
        """What follows the keyword, split into words; BadInput where a quote is left open."""
        try:
            return tuple(split(self.rest))
        except ValueError as error:
            raise self.refused(f"{error} in `{visible(self.rest)}`") from error

    @property
    def one_word(self) -> str:
        """The line's only word; BadInput where there are none or several."""
        words = self.words
        if not words or not words[0]:
            raise self.refused(f"no value after `{self.keyword}`")
        if len(words) > 1:
            raise self.refused(
                f"more than one word after `{self.keyword}`; quote a value that has spaces"
            )
        return words[0]

    def refused(self, why: str) -> BadInput:
        """Return the error that names this line."""
        return BadInput(f"{self.place}: {why}; ssh refuses that line too: correct or remove it")


def split(text: str) -> list[str]:
    """The words of a line up to a comment: quotes, and a backslash before a quote or a space.

    Raises ValueError for a quote that is left open.
    """
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        if text[at] == "#":
            break
        word, quote = "", ""
        while at < len(text) and (quote or text[at] not in _SPACE):
            this, after = text[at], text[at + 1 : at + 2]
            if this == "\\" and (after in {"'", '"', "\\"} or (after == " " and not quote)):
                word += after
                at += 1
            elif not quote and this in {"'", '"'}:
                quote = this
            elif quote and this == quote:
                quote = ""
            else:
                word += this
            at += 1
        if quote:
            raise ValueError("a quote is left open")
        words.append(word)
    return words


def read(file: Path, shown: str) -> tuple[Line, ...]:
    """The lines of a file; shown: what messages call it.

    Raises OSError where it cannot be read, BadInput for a line that is none.
    """
    found = file.stat()
    return _read(file, shown, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _read(file: Path, shown: str, *_: int) -> tuple[Line, ...]:
    text = file.read_bytes().decode("utf-8", "surrogateescape")
    return tuple(parse(text, shown))


def parse(text: str, shown: str) -> list[Line]:
    """The lines of a file's text.

    Bytes that are no UTF-8 are kept as they are: ssh reads bytes. Raises BadInput for a line
    without a keyword, and for a byte order mark, which ssh takes for part of the first keyword.
    """
    if text.startswith("\ufeff"):
        raise BadInput(
            f"{shown}:1: the file begins with a byte order mark, which ssh refuses too; save it as "
            "UTF-8 without one"
        )
    lines: list[Line] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(_SPACE)
        place = f"{shown}:{number}"
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or "\0" in line:
            raise BadInput(
                f"{place}: `{visible(line)}` does not begin with a keyword; ssh refuses that line "
                "too: correct or remove it"
            )
        lines.append(Line(place, found[1].lower(), found[2]))
        _ = lines[-1].words  # ssh splits every line, also where it takes the rest as it is
    return lines
