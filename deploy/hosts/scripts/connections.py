"""The connections to a port, as a host's kernel reports them, and which of them are busy. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.errors import RemoteError
from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.command_result import CommandResult

# An optional state, two queues, two ends with a port: what `ss -tn` begins a connection with.
_HEAD = re.compile(r"(?:([A-Z][A-Z0-9-]*) +)?(\d+) +(\d+) +(\S+:\d+) +(\S+:\d+)(?=\s|$)")
_UNWATCHED = re.compile(r"^UNWATCHED (\d+)$", re.MULTILINE)
_ENDED = "UNCONN"
"""The state that `ss -E` prints of a connection that the kernel has just done away with."""
_FIGURE = re.compile(r"(?<!\S)([a-z_]+):(\d+)(?!\S)")


@dataclass(frozen=True)
class Connection:
    """One connection, as `ss -tin` prints it.

    unread, unsent: bytes in the kernel's queues (Recv-Q, Send-Q); sent_ms, received_ms: how long
    ago data last went out and came in, in milliseconds, with a grain of 4; sent, received: bytes
    so far; is_told: whether there were figures beyond the queues at all; has_ended: whether it
    ended while the port was watched.
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
    has_ended: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """Both ends, by which samples know it again."""
        return self.local, self.peer

    def is_busy(self, before: Connection | None) -> bool:
        """Whether something may be under way; `before` is the same connection a moment ago.

        No answer in the negative proves idleness: the grain hides a request that came right
        after an answer, and a stream may pause. Missing counters count as busy. Where it has ended,
        nothing is under way any more.
        """
        if self.has_ended:
            return False
        waits = self.received_ms < self.sent_ms or (self.received > 0 and not self.sent)
        has_moved = before is not None and (before.sent, before.received) != (
            self.sent,
            self.received,
        )
        return not self.is_told or bool(self.unread or self.unsent) or waits or has_moved


def established(ports: Iterable[int], watch_seconds: float = 0) -> Script[tuple[Connection, ...]]:
    """Ask the kernel for the established connections to ports, with its figures on each.

    Watched before that for so many seconds, also for those that end meanwhile: a connection for
    each request is over before a look can find it.
    """
    hundredths = round(watch_seconds * 100)  # `timeout 0.00` would never end
    seconds = f"{hundredths / 100:.2f}" if hundredths else 0
    ask = program("connections", seconds, *map(int, ports))
    name = "looking at its connections"
    return Script(name, (ask,), _parsed, must_succeed=True)


def _parsed(result: CommandResult) -> tuple[Connection, ...]:
    unwatched = _UNWATCHED.search(result.stdout)
    if unwatched:
        raise RemoteError(
            f"`ss -E` cannot show connections that have ended there (exit code {unwatched[1]})"
        )
    return parse(result.stdout)


def parse(text: str) -> tuple[Connection, ...]:
    """The connections in `ss -tinH`'s output, on one line each or two; other lines are none.

    An old iproute2 leaves out what is 0, so an absent figure is one.
    """
    found: list[Connection] = []
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            state, unread, unsent, local, peer = head.groups()
            bare = Connection(local, peer, int(unread), int(unsent), has_ended=state == _ENDED)
            found.append(_with_figures(bare, line[head.end() :]))
        elif found and line[:1].isspace():
            found.append(_with_figures(found.pop(), line))
    return tuple(found)


def _with_figures(connection: Connection, counters: str) -> Connection:
    figures = {name: int(value) for name, value in _FIGURE.findall(counters)}
    # Linux counts the end that the peer sent as a byte (tcp_rcv_nxt_update).
    end = int(connection.has_ended)
    return replace(
        connection,
        sent_ms=figures.get("lastsnd", 0),
        received_ms=figures.get("lastrcv", 0),
        sent=figures.get("bytes_sent", 0),
        received=max(0, figures.get("bytes_received", 0) - end),
        is_told="segs_in" in figures,
    )


def have_lasted(before: Iterable[Connection] | None, now: Iterable[Connection]) -> bool:
    """Whether all connections of the sample before, None where there is none, still last.

    What has moved shows in those that do. One that ended may have answered a request at its end.
    """
    lasting = {each.ends for each in now if not each.has_ended}
    return before is not None and all(each.ends in lasting for each in before if not each.has_ended)


def busy(now: Iterable[Connection], before: Iterable[Connection] | None) -> int:
    """How many connections are busy; `before` is the sample before, None where there is none.

    A connection that is new since then has moved whatever it has sent and received. One that has
    ended was, if it brought something since then.
    """
    known = {each.ends: each for each in before or ()}

    def counts(each: Connection) -> bool:
        if each.has_ended:
            return each.received > known.get(each.ends, Connection(*each.ends)).received
        fresh = None if before is None else Connection(*each.ends)
        return each.is_busy(known.get(each.ends, fresh))

    return sum(map(counts, now))
