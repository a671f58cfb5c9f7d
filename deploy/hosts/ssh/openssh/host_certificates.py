"""Verifies a host's certificate as ssh does: its authority, its names, its validity.

The format is that of PROTOCOL.certkeys in OpenSSH's source; the checks are those of
sshkey_cert_check_host. In two things this is stricter: a certificate must name its hosts, and a
signature by SHA-1 is refused. Pure.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

if TYPE_CHECKING:
    from collections.abc import Collection

HOST = 2
"""SSH_CERT_TYPE_HOST"""
ALGORITHMS = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
)
"""What a host is asked for first where an authority is trusted for it, in OpenSSH's order."""
SIGNATURES = frozenset(
    {
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    }
)
"""CASignatureAlgorithms of ssh_config(5), as far as Paramiko has them."""

# The fields of a public key, by the type of its certificate: so many strings.
_FIELDS = {
    "ssh-ed25519-cert-v01@openssh.com": 1,
    "ecdsa-sha2-nistp256-cert-v01@openssh.com": 2,
    "ecdsa-sha2-nistp384-cert-v01@openssh.com": 2,
    "ecdsa-sha2-nistp521-cert-v01@openssh.com": 2,
    "ssh-rsa-cert-v01@openssh.com": 2,
}


@dataclass(frozen=True)
class Certificate:
    """A certificate's fields, as far as they decide.

    Attributes:
        kind: HOST, or 1 for a user's.
        principals: The hosts that it is for.
        after, before: The seconds since 1970 between which it is valid.
        critical: Options that must be understood; none is known for hosts.
        authority: The public key of who signed it, as it is sent.
        signed: What is signed.
        signature: By the authority.
    """

    kind: int
    principals: tuple[str, ...]
    after: int
    before: int
    critical: bytes
    authority: bytes
    signed: bytes
    signature: bytes

    def refusal(self, host: str, authorities: Collection[bytes], now: float) -> str:
        """Why it does not prove that a machine is this host; empty where it does.

        authorities: the public keys that are trusted for the host.
        """
        if self.authority not in authorities:
            return "its authority is not trusted for this host"
        if self.kind != HOST:
            return "it is no host's"
        if not self.after <= now < self.before:
            return "it is not valid yet" if now < self.after else "it has expired"
        if host.lower() not in self.principals:
            names = ", ".join(self.principals[:3]) or "no host"
            return f"it is for {names}, not for {host}"
        if self.critical:
            return "it has critical options, of which none is known"
        return "" if self._is_signed() else "its signature is wrong"

    def _is_signed(self) -> bool:
        try:
            kind = _string(self.authority)[0].decode()
            if _string(self.signature)[0].decode() not in SIGNATURES:
                return False
            key = paramiko.PKey.from_type_string(kind, self.authority)
            return bool(key.verify_ssh_sig(self.signed, paramiko.Message(self.signature)))
        except Exception:  # noqa: BLE001 - whatever a machine's own bytes make of Paramiko
            return False


def parse(blob: bytes) -> Certificate | None:
    """A certificate as a machine sent it; None for what is none."""
    try:
        kind, rest = _string(blob)
        for _ in range(1 + _FIELDS[kind.decode()]):  # a nonce, and the public key
            _, rest = _string(rest)
        _, type_of, rest = *struct.unpack_from(">QI", rest), rest[12:]
        _, rest = _string(rest)  # its id, a text for logs
        names, rest = _string(rest)
        after, before, rest = *struct.unpack_from(">QQ", rest), rest[16:]
        critical, rest = _string(rest)
        for _ in range(2):  # extensions, which need not be understood; reserved
            _, rest = _string(rest)
        authority, rest = _string(rest)
        signed = blob[: len(blob) - len(rest)]
        signature, rest = _string(rest)
        principals: list[str] = []
        while names:
            name, names = _string(names)
            principals.append(name.decode())
    except (KeyError, ValueError, struct.error):
        return None
    if rest:
        return None
    return Certificate(
        type_of, tuple(principals), after, before, critical, authority, signed, signature
    )


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A string of the wire's format, and what follows it; an exception where it is cut off."""
    (size,) = struct.unpack_from(">I", data)
    if 4 + size > len(data):
        raise ValueError("it is cut off")
    return data[4 : 4 + size], data[4 + size :]
