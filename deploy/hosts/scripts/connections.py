"""The connections to a port, as a host's kernel reports them, and which of them are busy. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.errors import CommandResult

# An optional state, two queues, two ends with a port: what `ss -tn` begins a connection with.
_HEAD = re.compile(r"(?:[A-Z][A-Z0-9-]* +)?(\d+) +(\d+) +(\S+:\d+) +(\S+:\d+)(?=\s|$)")
_FIGURE = re.compile(r"(?<!\S)([a-z_]+):(\d+)(?!\S)")


@dataclass(frozen=True)
class Connection:
    """One established connection, as `ss -tin` prints it.

    unread, unsent: bytes in the kernel's queues (Recv-Q, Send-Q); sent_ms, received_ms: how long
    ago data last went out and came in, in milliseconds, with a grain of 4; sent, received: bytes
    so far; is_told: whether there were figures beyond the queues at all.
    """

    local: str
    peer: str
    unread: int = 0
    unsent: int = 0
    sent_ms: int = 0
    received_ms: int = 0
    sent: int = 0
    received: int = 0
    is_told: bool = True

    def is_busy(self, before: Connection | None) -> bool:
        """Whether something may be under way; `before` is the same connection a moment ago.

        No answer in the negative proves idleness: the grain hides a request that came right
        after an answer, and a stream may pause. Missing counters count as busy.
        """
        waits = self.received_ms < self.sent_ms or (self.received > 0 and not self.sent)
        has_moved = before is not None and (before.sent, before.received) != (
            self.sent,
            self.received,
        )
        return not self.is_told or bool(self.unread or self.unsent) or waits or has_moved


def established(port: int) -> Script[tuple[Connection, ...]]:
    """Ask the kernel for the established connections to a port, with its figures on each."""
    ask, name = program("connections", int(port)), "looking at its connections"
    return Script(name, (ask,), _parsed, must_succeed=True)


def _parsed(result: CommandResult) -> tuple[Connection, ...]:
    return parse(result.stdout)


def parse(text: str) -> tuple[Connection, ...]:
    """The connections in `ss -tinH`'s output, on one line each or two; other lines are none.

    An old iproute2 leaves out what is 0, so an absent figure is one.
    """
    found: list[Connection] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            unread, unsent, local, peer = head.groups()
            counters = line[head.end() :]
            found.append(_connection(int(unread), int(unsent), local, peer, counters))
        elif found and line[:1].isspace():
            last = found.pop()
            found.append(_connection(last.unread, last.unsent, last.local, last.peer, line))
    return tuple(found)


def _connection(unread: int, unsent: int, local: str, peer: str, counters: str) -> Connection:
    figures = {name: int(value) for name, value in _FIGURE.findall(counters)}
    return Connection(
        local=local,
        peer=peer,
        unread=unread,
        unsent=unsent,
        sent_ms=figures.get("lastsnd", 0),
        received_ms=figures.get("lastrcv", 0),
        sent=figures.get("bytes_sent", 0),
        received=figures.get("bytes_received", 0),
        is_told="segs_in" in figures,
    )


def busy(now: Iterable[Connection], before: Iterable[Connection] | None) -> int:
    """How many connections are busy; `before` is the sample before, None where there is none.

    A connection that is new since then has moved whatever it has sent and received.
    """
    if before is None:
        return sum(connection.is_busy(None) for connection in now)
    known = {(each.local, each.peer): each for each in before}
    return sum(
        each.is_busy(known.get((each.local, each.peer), Connection(each.local, each.peer)))
        for each in now
    )
