"""The SSH algorithms that are offered to hosts: OpenSSH's defaults and no others. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# The client's defaults of OpenSSH 10.x, most preferred first: KexAlgorithms, HostKeyAlgorithms,
# PubkeyAcceptedAlgorithms, Ciphers and MACs of ssh_config(5); myproposal.h in its source.
# hmac-sha1 is a default there too and is left out here: each OpenSSH since 5.9 has SHA-2.
_KEYS = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
OPENSSH: Mapping[str, tuple[str, ...]] = {
    "kex": (
        "mlkem768x25519-sha256",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group-exchange-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group14-sha256",
    ),
    "keys": _KEYS,
    "pubkeys": _KEYS,
    "ciphers": (
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ),
    "macs": (
        "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "umac-64@openssh.com",
        "umac-128@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    ),
}
"""By Paramiko's word for the kind."""

DIRECTIVES = {
    "kex": "KexAlgorithms",
    "keys": "HostKeyAlgorithms",
    "ciphers": "Ciphers",
    "macs": "MACs",
}
"""What sshd_config(5) calls the list of each kind."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@.+_-]{0,63}")  # RFC 4251, 6, and no comma
_MOST_SHOWN = 12


def offered(kind: str, supported: Iterable[str]) -> tuple[str, ...]:
    """OpenSSH's defaults of a kind that are supported here, in OpenSSH's order."""
    known = set(supported)
    return tuple(name for name in OPENSSH[kind] if name in known)


@dataclass(frozen=True)
class Mismatch:
    """A kind of algorithm of which a server allows none that is offered.

    Attributes:
        kind: A key of DIRECTIVES.
        allowed: The server's names, as sent: foreign text.
        offered: Our names, most preferred first.
    """

    kind: str
    allowed: tuple[str, ...]
    offered: tuple[str, ...]

    def __str__(self) -> str:
        # A name outside the grammar never reaches a screen: nobody has proven who sent it.
        names = [name for name in self.allowed if _NAME.fullmatch(name)][:_MOST_SHOWN]
        rest = len(self.allowed) - len(names)
        shown = ", ".join(names) + (f" and {rest} more" if names and rest else "")
        directive, first = DIRECTIVES[self.kind], (*self.offered, *OPENSSH[self.kind])[0]
        return (
            f"no {directive} in common: the server allows {shown or 'none with a valid name'}; "
            f"offered are {', '.join(self.offered) or 'none'}; add {first} to the line "
            f"`{directive}` in the server's /etc/ssh/sshd_config and reload sshd"
        )


def mismatches(
    ours: Mapping[str, Sequence[str]], theirs: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[Mismatch, ...]:
    """The kinds without a common name, in the order of DIRECTIVES.

    theirs: for each kind the server's lists, one for each direction where there are two.
    """
    found: list[Mismatch] = []
    for kind in DIRECTIVES:
        lists = [names for names in theirs[kind] if not set(names) & set(ours[kind])]
        found += [Mismatch(kind, tuple(names), tuple(ours[kind])) for names in lists[:1]]
    return tuple(found)
