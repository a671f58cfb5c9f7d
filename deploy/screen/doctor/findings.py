"""The findings of `inv check`, as lines for people and JSON for scripts. Pure."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from deploy.checkup.doctor.finding import Finding, Level
from deploy.foreign_text import json_text, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}
WIDEST = 100
"""Columns that a sentence takes at most, however wide the terminal is."""
_COPIED = re.compile(r"^ *(#|--|(aws|sudo|ssh-keygen|systemctl) )|\S{60}")
"""A detail to be copied as it stands: a command, a comment of a file, or a line with a key."""
_MARGIN = " " * (2 + max(map(len, Level)) + 1)


def lines(found: Iterable[Finding], columns: int | None) -> Iterator[tuple[str, str]]:
    """The lines of findings about one part, each with its colour; its name stands first.

    columns: those of the terminal; None where lines have no limit. What is to be copied is never
    broken.
    """
    for number, each in enumerate(found):
        if not number:
            yield each.part, "bold"
        style = COLOURS[each.level] if each.level is not Level.OK else ""
        first = f"  {each.level:<{len(_MARGIN) - 3}} {line(each.text)}"
        yield from ((text, style) for text in _broken(first, columns))
        for said in _broken(f"{_MARGIN}it says: {line(each.said)}", columns) if each.said else ():
            yield said, ""
        for detail in map(line, each.details):
            is_prose = _COPIED.search(detail) is None
            shown = _broken(f"{_MARGIN}{detail}", columns) if is_prose else [f"{_MARGIN}{detail}"]
            yield from ((text, "") for text in shown)


def _broken(text: str, columns: int | None) -> list[str]:
    """A sentence as lines that fit, the further ones below its first word."""
    if columns is None:
        return [text]
    return textwrap.wrap(
        text,
        min(columns, WIDEST),
        initial_indent="",
        subsequent_indent=_MARGIN,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )


def verdict(environment: str, found: Iterable[Finding]) -> tuple[str, str]:
    """Whether a deploy would start, in one line, and its colour."""
    levels = [each.level for each in found]
    problems, warnings = levels.count(Level.PROBLEM), levels.count(Level.WARNING)
    counts = [_count(problems, "problem")] * bool(problems)
    counts += [_count(warnings, "warning")] * bool(warnings)
    said = f" ({', '.join(counts)})" if counts else ""
    if problems:
        return f"{environment}: not ready for a deploy{said}", COLOURS[Level.PROBLEM]
    return f"{environment}: a deploy would start{said}", COLOURS[Level.OK]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def as_json(environment: str, found: Iterable[Finding], exit_code: int) -> str:
    """The same for scripts."""
    findings = tuple(found)
    body = {
        "environment": environment,
        "ready": exit_code == 0,
        "exit_code": exit_code,
        "findings": [
            {
                "part": str(each.part),
                "level": str(each.level),
                "text": each.text,
                "details": list(each.details),
                "said": each.said,
                "hosts": list(each.hosts),
            }
            for each in findings
        ],
    }
    return json_text(body)
