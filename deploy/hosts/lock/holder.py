"""The holder of an environment's lock, as one line of JSON on the hosts. Pure but for its token."""

from __future__ import annotations

import json
import math
import os
import re
import uuid
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from deploy import __version__, values
from deploy.ci_system import run_address
from deploy.foreign_text import visible
from deploy.hosts import records
from deploy.hosts.scripts.lock import LINE_BYTES, head

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 2
"""The format that is written. Lines without a number have 0; before 2 there is no tool_version."""

MOST_BEATS = 2**53
TTL_SECONDS = (1.0, 3600.0)
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00", re.ASCII)
MOST_CHARACTERS = {"author": 800, "what": 400, "run": 2000, "tool_version": 40}
"""The longest texts, as JSON writes them: six characters for one outside ASCII."""


@dataclass(frozen=True)
class Holder:
    """A deploy that holds a lock.

    Attributes:
        token: 32 hexadecimal digits, different for each run.
        author: User and workstation.
        since: Start, as an ISO time in UTC.
        what: The command: deploy, rollback, repair.
        run: The address of the CI run; empty outside CI.
        ttl_seconds: A holder whose beat does not change for so long is dead.
        beat: Grows while the holder lives.
        tool_version: The version of Changeover that wrote it; empty before format 2.
    """

    token: str
    author: str
    since: str
    what: str
    run: str
    ttl_seconds: float
    beat: int = 0
    tool_version: str = __version__

    @classmethod
    def of_this_process(cls, author: str, what: str, ttl_seconds: float) -> Self:
        """Return a holder with a new token; texts are cut and cleaned to fit the grammar."""
        texts = {"author": author or "?", "what": what or "?", "run": run_address(os.environ)}
        fit = {key: _fitted(text, MOST_CHARACTERS[key]) for key, text in texts.items()}
        token, ttl = uuid.uuid4().hex, float(ttl_seconds)
        return cls(token, fit["author"], records.now(), fit["what"], fit["run"], ttl)

    def public(self) -> dict[str, object]:
        """Return all fields but the token, for scripts."""
        return {key: value for key, value in asdict(self).items() if key != "token"}

    def as_line(self) -> str:
        """Return one line of ASCII JSON; it starts with the token."""
        return json.dumps({**asdict(self), "format": FORMAT})

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """Return what `as_line` wrote, or None for any other text; never raises."""
        try:
            given = _object(text)
        except (ValueError, RecursionError):
            return None
        format_number = given.pop("format", 0)
        if type(format_number) is not int or not 0 <= format_number <= FORMAT:
            return None
        if format_number < 2:  # noqa: PLR2004 - the format that has it
            given["tool_version"] = ""
        if given.keys() != {field.name for field in fields(cls)} or not _is_holder(given):
            return None
        if not text.startswith(head(given["token"])):  # where hosts compare it
            return None
        return cls(**{**given, "ttl_seconds": float(given["ttl_seconds"])})

    def __str__(self) -> str:
        run = f", {visible(self.run)}" if self.run else ""
        return f"{visible(self.what)} by {visible(self.author)} since {visible(self.since)}{run}"


def why_unreadable(raw: bytes) -> str:
    """Describe what a lock file holds that names no holder, in printable ASCII."""
    text = raw.decode("ascii", "backslashreplace").removesuffix("\n")
    try:
        number = _object(text).get("format", 0)
    except (ValueError, RecursionError):
        number = 0
    if type(number) is int and FORMAT < number <= MOST_BEATS:
        return f"has format {number}, newer than this Changeover reads: upgrade Changeover"
    return f"is not a lock that Changeover wrote: {text[:60]!a}"


def parsed(raw: bytes) -> Holder | None:
    """Return the holder that a lock file's bytes name; None where they name none."""
    return Holder.parse(raw.decode("ascii", "replace").removesuffix("\n"))


def _object(text: str) -> dict[str, Any]:
    """Parse one line of ASCII JSON that is an object; ValueError or RecursionError otherwise."""
    if len(text) > LINE_BYTES or not text.isascii() or not text.isprintable():
        raise ValueError("not a line of ASCII")
    given = json.loads(text, object_pairs_hook=_without_doubles)
    if not isinstance(given, dict):
        raise ValueError("not an object")  # noqa: TRY004 - callers catch one kind of error
    return given


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is given twice: hosts compare the first, Python would take the last."""
    given = dict(pairs)
    if len(given) != len(pairs):
        raise ValueError("a key is given twice")
    return given


def _is_holder(given: Mapping[str, Any]) -> bool:
    """Whether every field matches the grammar."""
    texts = all(_is_text(given[key], limit) for key, limit in MOST_CHARACTERS.items())
    ttl, beat = given["ttl_seconds"], given["beat"]
    return (
        texts
        and bool(given["author"] and given["what"])
        and isinstance(given["token"], str)
        and values.token(given["token"]) is not None
        and _is_time(given["since"])
        and type(ttl) in {int, float}  # a bool is an int, too
        and TTL_SECONDS[0] <= ttl <= TTL_SECONDS[1]
        and math.isfinite(ttl)
        and type(beat) is int
        and 0 <= beat <= MOST_BEATS
    )


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and value.isprintable() and len(json.dumps(value)) <= most


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _fitted(text: str, most: int) -> str:
    """Replace what is not printable, and cut the text where it is too long."""
    clean = "".join(character if character.isprintable() else "?" for character in text)
    while len(json.dumps(clean)) > most:
        clean = clean[:-1]
    return clean
