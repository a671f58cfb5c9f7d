"""What writes down, on a host, how its part of a deploy went.

Builders of scripts, as in `change`.
"""

from __future__ import annotations

from shlex import quote

from deploy import values
from deploy.hosts.scripts.change import home

HISTORY = 50


def record_out(app: str, port: int, note: str) -> str:
    """Write down, on the host, that its target is about to leave the load balancer."""
    file = f"{home(app)}/records/{int(port)}.out"
    return (
        f"set -e; install -d -m 0755 {home(app)}; install -d -m 0700 {home(app)}/records; "
        f"printf '%s\\n' {quote(note)} > {file}.new && mv -T {file}.new {file}"
    )


def record_deployed(app: str, port: int, record: str, release: str) -> str:
    """Write down what was deployed; the note that the target is out falls, and a bad mark too.

    The history's new text replaces the old one by rename; its last lines are kept.
    """
    records, name = f"{home(app)}/records", values.checked(values.release_id, release)
    file = f"{records}/history"
    return "\n".join(
        (
            "set -e",
            f"{{ tail -n {HISTORY - 1} {file} 2>/dev/null || true; "
            f"printf '%s\\n' {quote(record)}; }} > {file}.new",
            f"sync {file}.new; mv -T {file}.new {file}",
            f"rm -f {records}/{int(port)}.out {records}/bad/{name}",
        )
    )


def mark_bad(app: str, release: str, note: str) -> str:
    """Write down that a release failed; the note says when and who saw it."""
    folder, name = f"{home(app)}/records/bad", values.checked(values.release_id, release)
    return (
        f"set -e; install -d -m 0700 {folder}; "
        f"printf '%s\\n' {quote(note)} > {folder}/.{name}.new; "
        f"mv -T {folder}/.{name}.new {folder}/{name}"
    )


def forget_out(app: str, port: int) -> str:
    """The target is back: the note that it is out falls."""
    return f"rm -f {home(app)}/records/{int(port)}.out"
