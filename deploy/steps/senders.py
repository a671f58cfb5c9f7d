"""Who still sends requests to a slot that is drained: something besides its target groups. Pure.

A load balancer that heard of a deregistration opens no more connections and begins no requests on
those that it has; at the end of the delay it cuts them (ALB guide, deregistration delay).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.scripts.connections import Connection
    from deploy.settings.environment import Network

Ends = tuple[str, str]
Address = IPv4Address | IPv6Address


@dataclass
class Senders:
    """What samples of a port's connections show, once its groups may send nothing any more.

    Attributes:
        ignored: Networks whose connections never count.
        is_over: Whether the deregistration delay is over: what brought a request then counts for as
            long as it is connected.
        found: By the peer's address, how many connections brought requests, by the last two
            samples: opened since the first sample, or idle in the one before and used again. Short
            ones count where a peer has opened some by each of the two.
        busy: How many of the others had a request in them at the last sample.
    """

    ignored: tuple[Network, ...] = ()
    found: dict[str, int] = field(default_factory=dict)
    busy: int = 0
    is_over: bool = False
    _first: frozenset[Ends] | None = None
    _before: dict[Ends, Connection] = field(default_factory=dict)
    _fresh: frozenset[Address | None] = frozenset()
    _sending: frozenset[Ends] = frozenset()

    def see(self, sample: Iterable[Connection]) -> None:
        """Compare a sample with those before it."""
        now = {each.ends: each for each in sample if self.counts(each)}
        if self._first is None:
            self._first = frozenset(now)
        opened = {ends for ends in now.keys() - self._first if now[ends].received}
        fresh = frozenset(address_of(peer) for _, peer in opened)
        senders = {ends for ends in opened if address_of(ends[1]) in self._fresh}
        senders |= {ends for ends, each in now.items() if self._is_used_again(ends, each)}
        if self.is_over:
            senders |= self._sending & now.keys()
        self._fresh, self._sending = fresh, frozenset(senders)
        self.found = {}
        for ends in sorted(senders):
            peer = str(address_of(now[ends].peer))
            self.found[peer] = self.found.get(peer, 0) + 1
        others = now.keys() - senders
        self.busy = sum(now[ends].is_busy(self._before.get(ends)) for ends in others)
        self._before = now

    def counts(self, each: Connection) -> bool:
        """Whether it may be of users: not of the host itself, as our questions are, nor ignored."""
        peer = address_of(each.peer)
        if peer is None or peer.is_loopback or peer == address_of(each.local):
            return False
        return not any(peer in network for network in self.ignored)

    def _is_used_again(self, ends: Ends, each: Connection) -> bool:
        before = self._before.get(ends)
        return before is not None and not before.is_busy(None) and each.received > before.received

    def __str__(self) -> str:
        return ", ".join(
            f"{peer} ({count} connection{'' if count == 1 else 's'})"
            for peer, count in self.found.items()
        )


def address_of(end: str) -> Address | None:
    """The address of a connection's end, as ss prints it; None for what is none.

    An IPv4 address that a socket for both versions has is that address.
    """
    text = end.rpartition(":")[0].removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
