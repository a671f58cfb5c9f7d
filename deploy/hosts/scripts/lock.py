"""The environment's lock on one host: scripts that take, keep, show, drop and break it. Pure.

A lock is a file with one line, which starts with its holder's token. Every script compares the
token exactly, at its place: no pattern, and no token in another field, can match.
`holds_lock` goes before every other change of a deploy, and ends it where the lock is another's.
"""

from __future__ import annotations

from shlex import quote
from urllib.parse import quote as percent

from deploy import values
from deploy.hosts.scripts.change import LOCK_HELD, LOCK_LOST, hold_lock

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
    may = [_is_held_by(environment, token)]
    if instead_of:
        is_same = f'[ "$({_shown(environment)})" = {quote(seen.hex())} ]'
        dead = _is_held_by(environment, instead_of)
        may.append(f"{{ {dead} && {is_same}; }}" if seen else dead)
    return _alone(
        f"set -e; install -d -m 0755 {LOCKS}; "
        f"if {_is_taken(environment)} && ! {{ {' || '.join(may)}; }}; then "
        f"{show_lock(environment)}; exit {LOCK_HELD}; fi; "
        # By the shell alone: a token has no place in an argument list.
        f"if [ -f {_broken(environment)} ]; then while read -r broken _; do "
        f'[ "$broken" != {_sure(token)} ] || exit {LOCK_LOST}; done < {_broken(environment)}; fi; '
        f"{_write(environment, token, line)}"
    )


def beat_lock(environment: str, token: str, line: str) -> str:
    """Write the holder's next heartbeat where its lock is, and never where it is not.

    Exit code 76 (LOCK_LOST) where another holds the lock, 81 (LOCK_GONE) where none does.
    """
    return _alone(
        f"if {_is_held_by(environment, token)}; then {_write(environment, token, line)}; "
        f"elif {_is_taken(environment)}; then exit {LOCK_LOST}; else exit {LOCK_GONE}; fi"
    )


def holds_lock(environment: str, token: str) -> str:
    """End with 76 (LOCK_LOST) unless this holder's token is in the lock here."""
    return f"{_is_held_by(environment, token)} || exit {LOCK_LOST}"


def drop_lock(environment: str, token: str) -> str:
    """Release the lock, if it is still this token's."""
    file = quote(lock_file(environment))
    return _alone(f"if {_is_held_by(environment, token)}; then rm -f {file}; fi")


def break_lock(environment: str, token: str, note: str) -> str:
    """Remove the lock if it is still this token's, and write down why; the token stays out."""
    removed = f"printf '%s %s\\n' {_sure(token)} {_noted(note)} >> {_broken(environment)}"
    file = quote(lock_file(environment))
    return _alone(f"if {_is_held_by(environment, token)}; then set -e; {removed}; rm -f {file}; fi")


def break_unreadable(environment: str, text: bytes, note: str) -> str:
    """Remove a lock that names no holder, if it still has this text, and write down why."""
    file = quote(lock_file(environment))
    return _alone(
        f'if [ "$({_shown(environment)})" = {quote(text.hex())} ]; then set -e; '
        f"printf '%s\\n' {_noted(note)} >> {_broken(environment)}; rm -rf {file}; fi"
    )


def show_lock(environment: str) -> str:
    """Print `lock=` and the lock's first 4,096 bytes in hexadecimal digits; none if it is free."""
    return f'printf "lock=%s\\n" "$({_shown(environment)})"'


def read_lock(environment: str) -> str:
    """Print the lock's line as it is, at most 4,096 bytes; nothing where no deploy holds it."""
    file = quote(lock_file(environment))
    return f"head -c {LINE_BYTES} {file} 2>/dev/null | head -n 1"


def _alone(script: str) -> str:
    """Run the script alone among those that touch the environments' locks on this host."""
    return f"{hold_lock(None, 30)}\n{script}"


def _sure(token: str) -> str:
    """Return the token; ValueError for a text that is none."""
    if values.token(token) is None:
        raise ValueError(f"a lock's token is 32 hexadecimal digits, not {token!r}")
    return token


def _is_held_by(environment: str, token: str) -> str:
    """Return a shell condition: the lock's line starts with this token."""
    start = head(token)
    file = quote(lock_file(environment))
    return f'[ "$(head -c {len(start)} {file} 2>/dev/null)" = {quote(start)} ]'


def _is_taken(environment: str) -> str:
    """Return a shell condition: something is there, and not an empty file as a crash leaves it."""
    file = quote(lock_file(environment))
    return f"{{ [ -s {file} ] || [ -L {file} ] || {{ [ -e {file} ] && [ ! -f {file} ]; }}; }}"


def _write(environment: str, token: str, line: str) -> str:
    """Return commands that replace the lock's line by rename; ValueError for another's line."""
    is_line = line.isascii() and line.isprintable() and len(line) < LINE_BYTES
    if not is_line or not line.startswith(head(token)):
        raise ValueError("a lock's line is printable ASCII and starts with its holder's token")
    file = quote(lock_file(environment))
    return f"printf '%s\\n' {quote(line)} > {file}.new && mv -T {file}.new {file}"


def _shown(environment: str) -> str:
    """Return commands that print the lock's start as hexadecimal digits.

    What is not a regular file is not opened: reading a FIFO would block.
    """
    file = quote(lock_file(environment))
    is_plain = f"[ ! -L {file} ] && {{ [ -f {file} ] || [ ! -e {file} ]; }}"
    return (
        f"{{ if {is_plain}; then head -c {LINE_BYTES} {file} 2>/dev/null; "
        f"else printf 'not a regular file'; fi; }} | od -A n -v -t x1 | tr -d ' \\n'"
    )


def _broken(environment: str) -> str:
    """Return the quoted path of the notes about broken locks."""
    return quote(lock_file(environment).removesuffix(".lock") + ".broken")


def _noted(note: str) -> str:
    """Return the note as one quoted line without control characters."""
    clean = "".join(character if character.isprintable() else " " for character in note)
    return quote(clean[:1000])
