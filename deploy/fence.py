"""The environment's lock as it lies on one host: scripts that take, keep, read and drop it.

`holds_lock` goes before every other change of a deploy, and ends it where the lock is another's.
"""

from __future__ import annotations

from shlex import quote
from urllib.parse import quote as percent

from deploy.commands import LOCK_BUSY, LOCK_HELD, LOCK_LOST

LOCKS = "/var/lib/changeover"


def _alone(script: str) -> str:
    """The script, alone among those that touch the environments' locks on this host."""
    return f"exec flock -w 30 -E {LOCK_BUSY} /run/changeover-locks sh -c {quote(script)}"


def lock_file(environment: str) -> str:
    """Where an environment's lock lies on each of its hosts."""
    return f"{LOCKS}/{percent(environment, safe='')}.lock"


def take_lock(environment: str, token: str, text: str, instead_of: str = "") -> str:
    """Take the environment's lock, or print who holds it and end with 77 (LOCK_HELD).

    instead_of: the token of a dead holder, whose lock is taken over.
    """
    file = quote(lock_file(environment))
    ours = f"grep -q -e {quote(token)} {file}"
    dead = f" || grep -q -e {quote(instead_of)} {file}" if instead_of else ""
    return _alone(
        f"set -e; install -d -m 0755 {LOCKS}; "
        f"if [ -s {file} ] && ! {{ {ours}{dead}; }}; then cat {file}; exit {LOCK_HELD}; fi; "
        f"printf '%s\\n' {quote(text)} > {file}.new; mv -T {file}.new {file}"
    )


def beat_lock(environment: str, token: str, text: str) -> str:
    """Write the holder's next heartbeat; 76 (LOCK_LOST) when another took the lock."""
    file = quote(lock_file(environment))
    return _alone(
        f"{holds_lock(environment, token)}; "
        f"printf '%s\\n' {quote(text)} > {file}.new && mv -T {file}.new {file}"
    )


def holds_lock(environment: str, token: str) -> str:
    """End with 76 (LOCK_LOST) unless this holder's token stands in the lock here."""
    file = quote(lock_file(environment))
    return f"grep -q -s -e {quote(token)} {file} || exit {LOCK_LOST}"


def drop_lock(environment: str, token: str) -> str:
    """Let go of the lock, if it is still this token's."""
    file = quote(lock_file(environment))
    return _alone(f"if grep -q -s -e {quote(token)} {file}; then rm -f {file}; fi")


def break_lock(environment: str, token: str, note: str) -> str:
    """Take the lock from its holder, if it is still this token's, and write down why."""
    file = quote(lock_file(environment))
    broken = quote(lock_file(environment).removesuffix(".lock") + ".broken")
    return _alone(
        f"if grep -q -s -e {quote(token)} {file}; then "
        f"printf '%s\\n' {quote(note)} >> {broken}; rm -f {file}; fi"
    )


def read_lock(environment: str) -> str:
    """Print who holds the environment's lock here; nothing where nobody does."""
    return f"cat {quote(lock_file(environment))} 2>/dev/null || true"
