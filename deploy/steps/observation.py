"""What one time out of the load balancer and back in took, and what brings requests. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.steps.senders import Address, Senders, address_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.hosts.scripts.connections import Connection
    from deploy.settings.environment import Network

COMPARED_SAMPLES = 2
"""What was opened since the first of them, or was idle in it and is used again, brings requests."""
FEWEST_ARRIVALS = 6
"""Of fewer requests than that in the seconds before, none may come while it matters."""


@dataclass(frozen=True)
class Observation:
    """One time out of the load balancer and back in; seconds since AWS took the deregistration.

    Attributes:
        arrivals: Connections that brought requests while the target served, summed over samples.
        peers: From how many addresses anything came meanwhile.
        watched_seconds: For how long they were counted.
        draining_seconds: Until the API showed that no group sends requests any more.
        last_request_seconds: Until a request last came in, or until the connections were first
            looked at, where that is later.
        drain_seconds: For how long that was watched.
        healthy_seconds: From the registration until every group found the target healthy.
    """

    arrivals: int
    peers: int
    watched_seconds: float
    draining_seconds: float
    last_request_seconds: float
    drain_seconds: float
    healthy_seconds: float


@dataclass
class Arrivals:
    """When a request last came in, and how many connections brought some, by samples of a port.

    What brings requests is decided as at the end of a drain, by `Senders`: neither the frames of a
    web socket nor a long upload do. Each sample is compared with the one before it, so that a
    connection counts once for what was opened, and then where it was idle and is used again. What
    was opened counts where its peer had opened one in the sample before too: health checks have
    one now and then.

    Attributes:
        since: What came before that moment is none.
        ignored: Networks whose connections never count.
        samples: The last sample, which may be of another watch before this one.
        openers: The peers that had opened connections in it.
        count: Connections that brought requests, summed over samples.
        peers: The addresses that anything came from.
        last: When a request last came in, by the clock; None for never.
        watched_since: When the port was first looked at; None for never.
        is_blind: Whether it could not be looked at for a while.
        watched_seconds: For how long arrivals were counted while the target served.
    """

    since: float
    ignored: tuple[Network, ...] = ()
    samples: tuple[tuple[Connection, ...], ...] = ()
    openers: set[Address | None] = field(default_factory=set)
    count: int = 0
    peers: set[Address | None] = field(default_factory=set)
    last: float | None = None
    watched_since: float | None = None
    is_blind: bool = False
    watched_seconds: float = 0.0

    def shows_requests(self, intervals_seconds: Sequence[float]) -> bool:
        """Whether enough came so far, where health checks come as often as that."""
        return shows_requests(self.count, len(self.peers), self.watched_seconds, intervals_seconds)

    def see(self, sample: Iterable[Connection], now: float, watched_seconds: float) -> None:
        """Look at a sample that was taken at a time, by the clock, over so many seconds.

        The kernel says how long ago data came in. Of what has ended meanwhile it does not: that
        counts as of now.
        """
        if self.watched_since is None:
            self.watched_since = max(self.since, now - watched_seconds)
        seen, senders = tuple(sample), Senders(self.ignored)
        for compared in (*self.samples, seen):
            senders.see(compared, now)
        had_before = bool(self.samples)
        before = {each.ends: each.received for each in self.samples[-1]} if self.samples else {}
        self.samples = (*self.samples, seen)[1 - COMPARED_SAMPLES :]
        users = {each for each in seen if senders.counts(each)}
        opened = {
            each for each in users if had_before and each.ends not in before and each.received
        }
        # A health check now and then opens one too: its peer has none in the sample before.
        often, self.openers = self.openers, {address_of(each.peer) for each in opened}
        for each in users:
            if each.received <= before.get(each.ends, 0):
                continue
            peer = address_of(each.peer)
            self.peers.add(peer)
            if str(peer) not in senders.found or (each in opened and peer not in often):
                continue
            self.count += 1
            at = now if each.has_ended else now - each.received_ms / 1000
            if at > self.since:
                self.last = at if self.last is None else max(self.last, at)


def most_checks(peers: int, seconds: float, intervals_seconds: Sequence[float]) -> int:
    """How many connections may be health checks: one of each peer and group in each interval.

    Any of the peers may be a node of the load balancer, of which each asks by itself.

    Args:
        peers: From how many addresses anything came.
        seconds: For how long that was watched.
        intervals_seconds: Of each group's health check.
    """
    return peers * sum(math.floor(seconds / each) + 1 for each in intervals_seconds)


def shows_requests(
    arrivals: int, peers: int, seconds: float, intervals_seconds: Sequence[float]
) -> bool:
    """Whether so many arrivals are users' requests too; the others as in `most_checks`."""
    return arrivals >= FEWEST_ARRIVALS and arrivals > most_checks(peers, seconds, intervals_seconds)
