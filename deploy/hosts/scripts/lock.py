"""Builds scripts that take, keep, show, drop and break the environment's lock on a host. Pure.

A lock is a file with one line, which starts with its holder's token. Every script compares the
token exactly, at its place: no pattern, and no token in another field, can match.
`holds_lock` goes before every other change of a deploy, and ends it where the lock is another's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote as percent

from deploy import values
from deploy.hosts.scripts.base import hold_lock
from deploy.hosts.scripts.script import Program, Script, as_it_is, exit_code, program

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.command_result import CommandResult

T = TypeVar("T")

LOCKS = "/var/lib/changeover"
LOCK_GONE = 81
"""Exit code of a heartbeat that finds no lock file."""

LINE_BYTES = 4096
HEARTBEAT = "a heartbeat"


def lock_file(environment: str) -> str:
    """Return the path of an environment's lock, the same on each of its hosts."""
    return f"{LOCKS}/{percent(environment, safe='')}.lock"


def head(token: str) -> str:
    """Return how the line of this token's lock starts; ValueError for a text that is no token."""
    return f'{{"token": "{_sure(token)}"'


def take_lock(
    environment: str, token: str, line: str, instead_of: str = "", seen: bytes = b""
) -> Script[CommandResult]:
    """Take the environment's lock, or show its holder and end with 77 (LOCK_HELD).

    instead_of: the token of a dead holder, whose lock is taken over. seen: the file as it was
    when that holder was found dead: a heartbeat since then keeps the lock. A token whose lock
    was broken here never gets it again: 76 (LOCK_LOST).
    """
    _refuse_line(token, line)
    dead = (_sure(instead_of), seen.hex()) if instead_of else ("", "")
    act = program("take_lock", lock_file(environment), token, line, LINE_BYTES, *dead)
    return _alone("taking the lock", act, as_it_is)


def beat_lock(environment: str, token: str, line: str, progress: str = "") -> Script[int]:
    """Write the holder's next heartbeat where its lock is, and never where it is not.

    Exit code 76 (LOCK_LOST) where another holds the lock, 81 (LOCK_GONE) where none does.
    progress: how far its run is, a line that is written beside the lock; empty for none.
    """
    _refuse_line(token, line)
    act = program("beat_lock", lock_file(environment), token, line)
    if not progress:
        return _alone(HEARTBEAT, act, exit_code)
    _refuse_line(token, progress)
    note = program("note_progress", lock_file(environment), token, progress)
    return _alone(HEARTBEAT, act, exit_code, first=(note,))


def holds_lock(environment: str, token: str) -> Script[int]:
    """End with 76 (LOCK_LOST) unless this holder's token is in the lock here."""
    act = program("holds_lock", lock_file(environment), _sure(token))
    return Script("looking at the lock", (program("lock_functions"), act), exit_code)


def drop_lock(environment: str, token: str) -> Script[int]:
    """Release the lock, if it is still this token's."""
    act = program("drop_lock", lock_file(environment), _sure(token))
    return _alone("releasing the lock", act, exit_code)


def break_lock(environment: str, token: str, note: str) -> Script[int]:
    """Remove the lock if it is still this token's, and write down why; the token stays out."""
    act = program("break_lock", lock_file(environment), _sure(token), _noted(note))
    return _alone("breaking the lock", act, exit_code)


def break_unreadable(environment: str, text: bytes, note: str) -> Script[int]:
    """Remove a lock that names no holder, if it still has this text, and write down why."""
    file = lock_file(environment)
    act = program("break_unreadable", file, text.hex(), _noted(note), LINE_BYTES)
    return _alone("breaking the lock", act, exit_code)


def decide(environment: str, token: str, decision: str, note: str) -> Script[int]:
    """Write what was decided about this token's deploy; 76 (LOCK_LOST) where it holds no lock."""
    act = program("decide", lock_file(environment), _sure(token), decision, _noted(note))
    return _alone("writing a decision", act, exit_code)


def forget_decision(environment: str, token: str) -> Script[int]:
    """Remove what was decided earlier, if the lock is this token's."""
    act = program("forget_decision", lock_file(environment), _sure(token))
    return _alone("removing a decision", act, exit_code)


def show_decision(environment: str) -> Script[bytes | None]:
    """Show a decision's first bytes; none if there is none, None where the answer is missing."""
    act = program("show_decision", lock_file(environment), LINE_BYTES)
    programs = (program("lock_functions"), act)
    name = "looking for a decision"
    return Script(name, programs, lambda result: shown(result.stdout, "decision"))


def show_lock(environment: str) -> Script[bytes | None]:
    """Show the lock's first 4,096 bytes; none if it is free, None where the answer is missing."""
    act = program("show_lock", lock_file(environment), LINE_BYTES)
    programs = (program("lock_functions"), act)
    return Script("looking at the lock", programs, lambda result: shown(result.stdout))


def shown(stdout: str, key: str = "lock") -> bytes | None:
    """Return a file's bytes as `show_lock`, a refused `take_lock` and `show_decision` print them.

    Empty where there is no such file; None where the answer is missing. Shell start-up files
    may print before it.
    """
    found = re.findall(
        rf"^{key}=([0-9a-f]*)\r?$", stdout[-4 * LINE_BYTES :], re.MULTILINE | re.ASCII
    )
    if not found or len(found[-1]) % 2 or len(found[-1]) > 2 * LINE_BYTES:
        return None
    return bytes.fromhex(found[-1])


def survey_lock(environment: str) -> Program:
    """A part of a survey: the lock's line as it is, its age, and its holder's progress.

    Lines have at most 4,096 bytes.
    """
    return program("survey_lock", lock_file(environment), LINE_BYTES)


def _alone(
    name: str,
    act: Program,
    parse: Callable[[CommandResult], T],
    first: tuple[Program, ...] = (),
) -> Script[T]:
    """Return a script that runs alone among those that touch the environments' locks there."""
    return Script(name, (hold_lock(None, 30), program("lock_functions"), *first, act), parse)


def _sure(token: str) -> str:
    """Return the token; ValueError for a text that is none."""
    if values.token(token) is None:
        raise ValueError(f"a lock's token is 32 hexadecimal digits, not {token!r}")
    return token


def _refuse_line(token: str, line: str) -> None:
    """Raise ValueError for a line that is not this token's."""
    is_line = line.isascii() and line.isprintable() and len(line) < LINE_BYTES
    if not is_line or not line.startswith(head(token)):
        raise ValueError("a lock's line is printable ASCII and starts with its holder's token")


def _noted(note: str) -> str:
    """Return the note as one line without control characters."""
    return "".join(character if character.isprintable() else " " for character in note)[:1000]
