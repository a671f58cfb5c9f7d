r"""Makes text from outside safe to show in a terminal, a CI log or a file. Pure.

Foreign is all text that Changeover did not write itself: what a host, a service, a journal, AWS,
a package, another deploy or a settings file says, and exceptions that repeat it.

The rule, in three places:

1. A foreign value becomes one line when it is put into a message, a row or a journal line:
   `visible` writes each character that acts, hides or breaks a line as an escape (`\x1b`), and
   shortens the value to 4,096 characters. `DeployError` does so with every line of a message, at
   16,384, so that an error has only the line breaks that its author gave it.
2. Each stream is guarded as a whole: `Lines` lets through nothing but printable characters and
   line breaks, and outside a terminal no command of a CI runner. `streams` puts it between every
   `print` (Invoke's and Python's own too) and standard output and error; `screen.console`
   applies it to what rich draws. Nothing else writes to the screen (tests/test_layout.py).
3. JSON is ASCII, and `#` in it is `\u0023`: `json_text`.

Runners read commands from a step's output, by these rules:

- GitHub: `##[command …]` anywhere in a line, or `::command …::` after white space at its start
  (actions/runner, src/Runner.Common/ActionCommand.cs: TryParse, TryParseV2).
- Azure: `##vso[area.event …]` anywhere in a line (microsoft/azure-pipelines-agent,
  src/Microsoft.VisualStudio.Services.Agent/Command.cs: TryParse). TeamCity: `##teamcity[`.

.NET compares these prefixes by culture there, which passes over characters without weight: `#`, a
soft hyphen, `#[` is one of them. So no second `#` follows a first one, and no second `:` a first
one at a line's start, whatever characters beyond ASCII are in between.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import is_dataclass
from functools import cache
from typing import Any

MOST_CHARACTERS = 4096

# Control and format characters (Cc, Cf), line and paragraph separators, surrogates, characters
# that Unicode calls default ignorable, noncharacters, and more marks on one letter than any
# language has: terminals draw a pile of them over the neighbouring rows.
_ACTING = (
    r"\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    r"\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U0001fffe\U0001ffff\U000e0000-\U000e0fff"
)
_MARKS = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}"
_IN_LINES = re.compile(f"[{_ACTING}]|{_MARKS}")
_IN_VALUE = re.compile(f"[\n{_ACTING}]|{_MARKS}")
_CUT_ESCAPE = re.compile(r"\\(x[0-9a-f]?|u[0-9a-f]{0,3}|U[0-9a-f]{0,7})?\Z")

_HASHES = re.compile(r"(#[^\x00-\x7f]*)#")
_BLANK = r"[^\x21-\x7f\n]*"  # white space and what may be passed over
_COLON = r":[^\x00-\x7f]*"
_COLONS = re.compile(f"^({_BLANK}{_COLON}):", re.MULTILINE)


def visible(value: object, most: int = MOST_CHARACTERS) -> str:
    """One foreign value as one line of at most `most` characters, without anything that acts.

    A longer value ends with an ellipsis and its full length. Twice gives the same as once.
    """
    text = str(value)
    shown = line(text[: most + 1])
    if len(text) <= most and len(shown) <= most:
        return shown
    note = f"… ({len(text):,} characters)"
    return _CUT_ESCAPE.sub("", shown[: most - len(note)]) + note


def word(value: object) -> str:
    """Return a value as one word of a command that a message has the reader type."""
    return shlex.quote(visible(value))


def line(text: str) -> str:
    """A line of ours with foreign values in it, however long, as one line."""
    return _IN_VALUE.sub(_escaped, text)


def lines(text: str) -> str:
    """Text of ours with foreign values in it; it keeps its line breaks."""
    return _IN_LINES.sub(_escaped, text)


class Lines:
    """Guards the lines of one stream, whatever pieces they are written in.

    for_terminal: whether a person reads it directly, and no runner.
    """

    def __init__(self, *, for_terminal: bool) -> None:
        self._for_terminal = for_terminal
        self._line = ""  # stands for the line so far, as short as it can be

    def guarded(self, text: str) -> str:
        """The next piece of the stream, safe to write after the previous ones."""
        shown = lines(text)
        if self._for_terminal:
            return shown
        before = self._line  # another thread may write meanwhile
        # Only later characters are rewritten, never what is written already.
        both = _COLONS.sub(r"\1\\x3a", _HASHES.sub(r"\1\\x23", before + shown))
        written = both[len(before) :]
        self._line = _summary(both.rpartition("\n")[2])
        return written


def _summary(line: str) -> str:
    """The shortest line after which the same characters are dangerous."""
    if re.fullmatch(_BLANK, line):
        return ""
    if re.fullmatch(_BLANK + _COLON, line):
        return ":"
    return ".#" if re.search(r"#[^\x00-\x7f]*\Z", line) else "."


def json_text(body: Any, indent: int | None = 2) -> str:
    """JSON for scripts: ASCII alone, no `#`, each text at most 4,096 characters.

    body: of what JSON has, and dataclasses; indent: None for one line.
    """
    encoder = _encoder(indent)
    text = encoder.encode(body)
    if len(text) > MOST_CHARACTERS:  # only then may a text in it be longer
        text = encoder.encode(_bounded(body))
    return text.replace("#", "\\u0023").replace("\x7f", "\\u007f")


@cache
def _encoder(indent: int | None) -> json.JSONEncoder:
    return json.JSONEncoder(indent=indent, default=vars)


def _bounded(body: Any) -> Any:
    match body:
        case dict():
            return {_bounded(key): _bounded(value) for key, value in body.items()}
        case list() | tuple():
            return [_bounded(each) for each in body]
        case str() if len(body) > MOST_CHARACTERS:
            note = f"… ({len(body):,} characters)"
            return body[: MOST_CHARACTERS - len(note)] + note
        case _ if is_dataclass(body):
            return _bounded(vars(body))
        case _:
            return body


def _escaped(found: re.Match[str]) -> str:
    return "".join(_escape(ord(character)) for character in found[0])


def _escape(code: int) -> str:
    if code > 0xFFFF:  # noqa: PLR2004 - the basic plane
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"  # noqa: PLR2004 - one byte
