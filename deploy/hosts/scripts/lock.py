"""The environment's lock on one host: scripts that take, keep, show, drop and break it. Pure.

A lock is a file with one line, which starts with its holder's token. Every script compares the
token exactly, at its place: no pattern, and no token in another field, can match.
`holds_lock` goes before every other change of a deploy, and ends it where the lock is another's.
"""

from __future__ import annotations

from urllib.parse import quote as percent

from deploy import values
from deploy.hosts.scripts.change import hold_lock
from deploy.hosts.scripts.program import program

LOCKS = "/var/lib/changeover"
LOCK_GONE = 81
"""Exit code of a heartbeat that finds no lock file."""

LINE_BYTES = 4096


def lock_file(environment: str) -> str:
    """Return the path of an environment's lock, the same on each of its hosts."""
    return f"{LOCKS}/{percent(environment, safe='')}.lock"


def head(token: str) -> str:
    """Return how the line of this token's lock starts; ValueError for a text that is no token."""
    return f'{{"token": "{_sure(token)}"'


def take_lock(
    environment: str, token: str, line: str, instead_of: str = "", seen: bytes = b""
) -> str:
    """Take the environment's lock, or show its holder and end with 77 (LOCK_HELD).

    instead_of: the token of a dead holder, whose lock is taken over. seen: the file as it was
    when that holder was found dead: a heartbeat since then keeps the lock. A token whose lock
    was broken here never gets it again: 76 (LOCK_LOST).
    """
    _refuse_line(token, line)
    dead = (_sure(instead_of), seen.hex()) if instead_of else ("", "")
    return _alone("take_lock", environment, _sure(token), line, LINE_BYTES, *dead)


def beat_lock(environment: str, token: str, line: str) -> str:
    """Write the holder's next heartbeat where its lock is, and never where it is not.

    Exit code 76 (LOCK_LOST) where another holds the lock, 81 (LOCK_GONE) where none does.
    """
    _refuse_line(token, line)
    return _alone("beat_lock", environment, _sure(token), line)


def holds_lock(environment: str, token: str) -> str:
    """End with 76 (LOCK_LOST) unless this holder's token is in the lock here."""
    return program("lock_functions") + program("holds_lock", lock_file(environment), _sure(token))


def drop_lock(environment: str, token: str) -> str:
    """Release the lock, if it is still this token's."""
    return _alone("drop_lock", environment, _sure(token))


def break_lock(environment: str, token: str, note: str) -> str:
    """Remove the lock if it is still this token's, and write down why; the token stays out."""
    return _alone("break_lock", environment, _sure(token), _noted(note))


def break_unreadable(environment: str, text: bytes, note: str) -> str:
    """Remove a lock that names no holder, if it still has this text, and write down why."""
    return _alone("break_unreadable", environment, text.hex(), _noted(note), LINE_BYTES)


def show_lock(environment: str) -> str:
    """Print `lock=` and the lock's first 4,096 bytes in hexadecimal digits; none if it is free."""
    return program("lock_functions") + program("show_lock", lock_file(environment), LINE_BYTES)


def read_lock(environment: str) -> str:
    """Print the lock's line as it is, at most 4,096 bytes; nothing where no deploy holds it."""
    return program("read_lock", lock_file(environment), LINE_BYTES)


def _alone(name: str, environment: str, *arguments: str | int) -> str:
    """Return a program that runs alone among those that touch the environments' locks there."""
    act = program(name, lock_file(environment), *arguments)
    return hold_lock(None, 30) + program("lock_functions") + act


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
