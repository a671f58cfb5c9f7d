"""Which ssh options apply to an EC2 instance, by its Name tag and by its address."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts.ssh.openssh.match import listed
from deploy.hosts.ssh.openssh.options import Answer, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Places = Callable[[Answer], Mapping[str, Place]]

KEPT = (
    ("user",),
    ("port",),
    ("proxyjump", "proxycommand"),
    ("identityfile",),
    ("certificatefile",),
    ("identitiesonly",),
    ("identityagent",),
)
"""What a block that matches only an instance's Name tag may set: how to get there, not where.

The options of one entry go together: of two proxies the first counts.
"""
JOINED = frozenset({"identityfile", "certificatefile"})


def merged(
    named: Answer | None, addressed: Answer, name: str, places: Places
) -> dict[str, tuple[str, ...]]:
    """The values for an instance that is connected to at the address that EC2 gave.

    What the address is said to have applies. Of what is said of the Name tag, which anybody who
    may tag instances can choose, KEPT does; where both have it, what is written first counts.
    named: the answer for the Name, if it may be asked for. places: where the options of an answer
    are set. Raises BadInput for a HostName that is another machine's.
    """
    values, address = dict(addressed.values), addressed.name
    if named is None:
        _refuse_elsewhere(addressed, name, address, places)
    else:
        if not _refuse_elsewhere(named, name, address, places):
            _refuse_elsewhere(addressed, name, address, places)
        for group in KEPT:
            for option in group:
                values.pop(option, None)
            values |= _first(group, named, addressed, places)
    return values | {"hostname": (address,)}


def _first(
    group: tuple[str, ...], named: Answer, addressed: Answer, places: Places
) -> dict[str, tuple[str, ...]]:
    """Of options that go together, the values that are written first; of keys both."""
    both = [
        {key: each.values[key] for key in group if key in each.values}
        for each in (named, addressed)
    ]
    if both[0] == both[1]:
        return both[1]
    orders = [
        min((place.order for key in group if (place := places(each).get(key))), default=0)
        for each in (named, addressed)
    ]
    if not orders[1]:
        return both[0]
    if not orders[0]:
        return both[1]
    first, second = both if orders[0] <= orders[1] else reversed(both)
    if group[0] in JOINED:
        joined = (*first.get(group[0], ()), *second.get(group[0], ()))
        return {group[0]: tuple(dict.fromkeys(joined))}
    return first


def _refuse_elsewhere(found: Answer, name: str, address: str, places: Places) -> bool:
    """Whether a HostName is set, which leads to the instance; BadInput for one that does not."""
    host = found.host
    if host.lower() in {found.name.lower(), name.lower()}:
        return False
    if host == address or address in _addresses(host):
        return True
    place = places(found).get("hostname", Place("your ssh configuration"))
    if any(listed(pattern, name) for pattern in place.excluded):
        return False
    block = f"`{place.block}` " if place.block else "it "
    raise BadInput(
        f"{name} ({address}): {place.line}: {block}sets HostName {host}, which is "
        f"not the address that EC2 gives for this instance; set it to {address}, or remove that "
        "line or rename the alias; if it is the instance's other address, set `ssh: address:`"
    )


def _addresses(name: str) -> set[str]:
    """What the resolver gives for a name; nothing for one that is unknown."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {str(each[4][0]) for each in found}
