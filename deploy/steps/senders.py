"""Finds who still sends requests to a drained slot, besides its target groups. Pure.

A load balancer that heard of a deregistration opens no more connections and begins no requests on
those that it has; at the end of the delay it cuts them (ALB guide, deregistration delay).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.scripts.connections import Connection
    from deploy.settings.environment import Network

Ends = tuple[str, str]
Address = IPv4Address | IPv6Address


CLEAN_SECONDS = 3.0
"""How long nothing may send where all the connections that brought requests have been cut."""
MOST_NAMED = 5


@dataclass
class Senders:
    """Collects the peers that still send requests after all groups must have stopped.

    Evidence is a connection that was opened since the first sample and brought a request, or one
    that was idle in the sample before and is used again. One sample of it, by any peer, is enough
    to look on; it counts as proven when a later sample has some too.

    Attributes:
        ignored: Networks whose connections never count.
        is_over: Whether the deregistration delay is over: what brought a request then counts for as
            long as it is connected.
        found: By the peer's address, how many connections brought requests at most in one sample,
            by all samples.
        ports: The ports that they came to.
        last: When a sample last showed evidence; None where none did.
        is_fresh: Whether the last sample did.
        busy: How many of the others had a request in them at the last sample.
    """

    ignored: tuple[Network, ...] = ()
    found: dict[str, int] = field(default_factory=dict)
    ports: set[int] = field(default_factory=set)
    last: float | None = None
    is_fresh: bool = False
    busy: int = 0
    is_over: bool = False
    _first: frozenset[Ends] | None = None
    _before: dict[Ends, Connection] = field(default_factory=dict)
    _sending: frozenset[Ends] = frozenset()
    _used: set[Ends] = field(default_factory=set)
    _opens: bool = False
    _misses: int = 0

    def see(self, sample: Iterable[Connection], now: float) -> None:
        """Compare a sample, taken until now by the clock, with those before it."""
        seen = {each.ends: each for each in sample if self.counts(each)}
        if self._first is None:
            self._first = frozenset(seen)
        opened = {ends for ends in seen.keys() - self._first if seen[ends].received}
        used = {ends for ends, each in seen.items() if self._is_used_again(ends, each)}
        senders = opened | used
        if self.is_over:
            senders |= self._sending & seen.keys()
        self._sending = frozenset(senders)
        self._opens = self._opens or bool(opened)
        self._used |= used
        self._note(seen[ends] for ends in sorted(senders))
        self.is_fresh = bool(senders)
        if senders:
            self.last = now
        others = seen.keys() - senders
        self.busy = sum(seen[ends].is_busy(self._before.get(ends)) for ends in others)
        self._before = seen

    def miss(self, now: float) -> bool:
        """A sample was not to be had: what was seen to send may go on to. Whether it is the first.

        now: by the clock.
        """
        self.is_fresh = False
        if self.last is not None:
            self.last = now
        self._misses += 1
        return self._misses == 1

    def clean_at(self, propagation_seconds: float) -> float:
        """When nothing has sent for long enough, if no more evidence comes.

        That is at once where there never was any, and soon where it was by old connections alone
        that are cut since, as load balancers do at the end of the delay. What opens connections,
        or keeps one, may send but a request every few seconds.
        """
        if self.last is None:
            return -math.inf
        kept = {
            ends for ends in self._used & self._before.keys() if not self._before[ends].has_ended
        }
        is_cut = not self._opens and not kept
        return self.last + (CLEAN_SECONDS if is_cut else max(CLEAN_SECONDS, propagation_seconds))

    @property
    def where(self) -> str:
        """The ports that requests came to, in words."""
        noun = "port" if len(self.ports) == 1 else "ports"
        return f"{noun} {' and '.join(map(str, sorted(self.ports)))}"

    @property
    def proof(self) -> str:
        """Return the message about a service to which something else sends requests."""
        return (
            f"requests still reach {self.where} after its drain, from {self}, so it was not "
            "stopped: something besides its target groups sends them. Name that group under "
            "`target_groups:`, end what sends, or list peers that are no users' under "
            "`ignore_peers:`"
        )

    def _note(self, senders: Iterable[Connection]) -> None:
        now: dict[str, int] = {}
        for each in senders:
            peer = str(address_of(each.peer))
            now[peer] = now.get(peer, 0) + 1
            self.ports.add(int(each.local.rpartition(":")[2]))
        self.found |= {peer: max(count, self.found.get(peer, 0)) for peer, count in now.items()}

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
        named = [
            f"{peer} ({count} connection{'' if count == 1 else 's'})"
            for peer, count in list(self.found.items())[:MOST_NAMED]
        ]
        more = len(self.found) - len(named)
        return ", ".join([*named, f"{more} more"] if more else named)


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
