"""The lab's three availability zones: a quarter of its network each, hosts in turn.

A load balancer has a node in each zone. Where cross-zone balancing is off, a node sends to the
targets of its own zone alone.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
FIRST_HOST = 11
_PREFIX_BITS = 26


def subnets(network: str) -> dict[str, str]:
    """The subnet of each zone, by the lab's network (`10.x.y.0/24`)."""
    parts = ip_network(network).subnets(new_prefix=_PREFIX_BITS)
    return {zone: str(part) for zone, part in zip(ZONES, parts, strict=False)}


def zone_of(network: str, address: str) -> str:
    """The zone that an address of the network lies in; LookupError for one in none."""
    found = ip_address(address)
    for zone, subnet in subnets(network).items():
        if found in ip_network(subnet):
            return zone
    raise LookupError(address)


def host_address(network: str, number: int) -> str:
    """The address of the lab's host with this number, from 1: the zones take turns."""
    turn, zone = divmod(number - 1, len(ZONES))
    subnet = ip_network(subnets(network)[ZONES[zone]])
    return str(subnet[FIRST_HOST + turn])
