"""The one line of a journal that says best why a service did not start. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# `2026-11-22T23:04:03+0000 host-1 web[660]: text`, as journalctl's short-iso has it.
_ENTRY = re.compile(r"\d{4}-\d\d-\d\dT(?P<time>[\d:]{8})\S* \S+ (?P<who>[^\s:]+): (?P<said>.*)")
_BY_SYSTEMD = re.compile(r"systemd(\[|$)")
_STACK = re.compile(r"\s*(at |File \"|\.\.\. |---? |Caused by: \.\.\.|goroutine )")

# From what names a cause to what says only that there was one; of equals the last line counts,
# which in a chain of exceptions is the innermost.
_SIGNS = (
    re.compile(r"\b\w*(exception|error)\b\s*[:(]|\b(fatal|panic|critical|crit)\b", re.IGNORECASE),
    re.compile(
        r"\b(error|exception|failed|failure|cannot|can't|could not|couldn't|unable|denied|refused|"
        r"missing|not found|no such|invalid|in use|timed out|out of memory|terminated|unhandled)\b",
        re.IGNORECASE,
    ),
)


def line(journal: Sequence[str]) -> str:
    """The line that says why, `time program: text`; empty where there is no line at all.

    What the service wrote itself counts before what systemd says about it.
    """
    entries = [(each, _ENTRY.fullmatch(each)) for each in journal if each.strip()]
    own = [
        each
        for each in entries
        if not (each[1] and _BY_SYSTEMD.match(each[1]["who"])) and not _is_stack(*each)
    ]
    by_systemd = [each for each in entries if each[1] and "status=" in each[1]["said"]]
    for sign in _SIGNS:
        found = [each for each in own if sign.search(_said(*each))]
        if found:
            return _short(*found[-1])
    last = [*entries[-1:], *by_systemd[-1:], *own[-1:]]
    return _short(*last[-1]) if last else ""


def _said(text: str, entry: re.Match[str] | None) -> str:
    return entry["said"] if entry else text


def _is_stack(text: str, entry: re.Match[str] | None) -> bool:
    return bool(_STACK.match(_said(text, entry)))


def _short(text: str, entry: re.Match[str] | None) -> str:
    """An entry without its date and host, which the line beside it names."""
    return f"{entry['time']} {entry['who']}: {entry['said']}" if entry else text
