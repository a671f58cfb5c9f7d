"""Whether a `Host` or `Match` line of an ssh configuration applies, as readconf.c decides it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from deploy.hosts.ssh.openssh import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.hosts.ssh.openssh.lines import Line

EXEC_SECONDS = 15.0
"""How long the command of a `Match exec` may take."""

MOST_BEFORE_ALL = 2
"""`all` stands alone, or after one other: `final` or `canonical`."""
ALONE = frozenset({"all", "canonical", "final"})
_WITH_VALUE = frozenset({"exec", "host", "localuser", "originalhost", "user"})
_WORD = re.compile(r'[ \t=]*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^ \t="]+))')


@dataclass(frozen=True)
class Subject:
    """What a `Match` line is compared with.

    Attributes:
        name: As it was typed.
        host: After HostName, as far as it is set.
        user: The login user, as far as it is set.
        values: The value of each token, for `exec`.
        is_final: Whether this is the second reading, for `Match final`.
    """

    name: str
    host: str
    user: str
    values: dict[str, str]
    is_final: bool


def host_applies(line: Line, name: str) -> bool:
    """Whether a `Host` line names this one, and excludes it nowhere."""
    is_named = False
    for word in line.words:
        if _pattern(word.removeprefix("!")).fullmatch(name):
            if word.startswith("!"):
                return False
            is_named = True
    return is_named


def criteria(line: Line) -> Iterator[tuple[str, bool, str]]:
    """Each criterion of a `Match` line: its word, whether it is negated, its value.

    Raises BadInput for a criterion that is unknown, or cannot be judged here.
    """
    rest, found = line.rest, 0
    while word := _WORD.match(rest):
        text, rest = word["quoted"] or word["plain"] or "", rest[word.end() :]
        if text.startswith("#"):
            rest = ""
            break
        found += 1
        kind = text.lower().removeprefix("!")
        value = ""
        after = rest.strip(" \t=")
        if kind == "all" and (found > MOST_BEFORE_ALL or (after and not after.startswith("#"))):
            raise line.refused("`all` cannot be combined with other criteria")
        if kind in _WITH_VALUE:
            given = _WORD.match(rest)
            if given is None:
                raise line.refused(f"`Match {kind}` has no value")
            value, rest = given["quoted"] or given["plain"] or "", rest[given.end() :]
        elif kind not in ALONE:
            raise line.refused(
                f"`Match {kind}` cannot be judged without OpenSSH, which is not installed here, or "
                "not for this HOME"
            )
        yield kind, text.startswith("!"), value
    if not found or rest.strip(" \t"):
        raise line.refused("`Match` has no criterion, or one that cannot be read")


def match_applies(line: Line, subject: Subject) -> bool:
    """Whether a `Match` line applies; a command of it runs if all criteria before it do.

    Raises BadInput for a line that cannot be judged.
    """
    applies = True
    for kind, is_negated, value in criteria(line):
        if kind == "exec" and not applies:
            continue
        applies = applies and _holds(line, kind, value, subject) is not is_negated
    return applies


def _holds(line: Line, kind: str, value: str, subject: Subject) -> bool:
    if kind == "exec":
        return _succeeds(line, value, subject)
    if kind in ALONE:
        # A name is never made canonical here: the reader refuses CanonicalizeHostname.
        return kind == "all" or (kind == "final" and subject.is_final)
    compared = {
        "host": subject.host,
        "originalhost": subject.name,
        "user": subject.user,
        "localuser": tokens.local_user(),
    }[kind]
    if kind in {"host", "originalhost"}:
        value, compared = value.lower(), compared.lower()
    return listed(value, compared)


def listed(patterns: str, text: str) -> bool:
    """Whether a list of patterns with commas between names a text, and excludes it nowhere."""
    is_named = False
    for pattern in patterns.split(","):
        if _pattern(pattern.removeprefix("!")).fullmatch(text):
            if pattern.startswith("!"):
                return False
            is_named = True
    return is_named


def _succeeds(line: Line, command: str, subject: Subject) -> bool:
    """Run a command of `Match exec` by the user's shell, as ssh does."""
    try:
        text = tokens.expand(command, subject.values)
    except tokens.UnknownToken as error:
        raise line.refused(str(error)) from error
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        process = subprocess.Popen(
            [shell, "-c", text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise line.refused(f"`Match exec` cannot run: {error}") from error
    try:
        return process.wait(EXEC_SECONDS) == 0
    except subprocess.TimeoutExpired:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise line.refused(f"`Match exec` did not end within {EXEC_SECONDS:g} s") from None


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    """A pattern in which `*` and `?` stand for others, and nothing else does."""
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each) or re.escape(each) for each in text), re.DOTALL)
