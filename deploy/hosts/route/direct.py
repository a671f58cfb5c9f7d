"""Opens a connection without a jump host, from the address and by the family that ssh would use."""

from __future__ import annotations

import socket
from dataclasses import dataclass

FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def family(configured: str) -> socket.AddressFamily:
    """The family of addresses that AddressFamily allows; any where it allows all."""
    return FAMILIES.get(configured.lower(), socket.AF_UNSPEC)


@dataclass(frozen=True)
class Direct:
    """How to connect where AddressFamily or BindAddress are set (ssh_config(5)).

    Attributes:
        family: `inet`, `inet6` or another word for both.
        source: The address of this machine to connect from, or empty.
    """

    family: str
    source: str = ""

    def connect(self, host: str, port: int, timeout_seconds: float | None) -> socket.socket:
        """Connect to the first of a host's addresses that answers; OSError of the last else."""
        allowed = family(self.family)
        last: OSError | None = None
        for kind, _, _, _, place in socket.getaddrinfo(host, port, allowed, socket.SOCK_STREAM):
            made = socket.socket(kind, socket.SOCK_STREAM)
            made.settimeout(timeout_seconds)
            try:
                if self.source:
                    own = socket.getaddrinfo(self.source, 0, kind, socket.SOCK_STREAM)
                    made.bind(own[0][4])
                made.connect(place)
            except OSError as error:
                made.close()
                last = error
            else:
                return made
        raise last or OSError(f"no address of {host} is of the family {self.family}")
