"""What a private key's file holds, and whether a login can offer it without asking anybody.

The forms are those that ssh-keygen(1) writes or reads: OpenSSH's own (PROTOCOL.key in its source,
whose header names the cipher), PEM (RFC 1421, `Proc-Type: 4,ENCRYPTED`) and PKCS #8 (RFC 5958).
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.foreign_text import visible, word

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 64 * 1024
DEFAULTS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
"""Where keys are looked for that nothing names."""
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)")
_PUBLIC = re.compile(rb"(ssh-|ecdsa-|sk-|---- BEGIN SSH2 PUBLIC KEY)")
_PEM = re.compile(rb"-----BEGIN (RSA|EC|DSA) PRIVATE KEY-----")
_MAGIC = b"openssh-key-v1\0"
_LENGTH_BYTES = 4


class Kind(enum.Enum):
    """What a file is; each with what to do where it cannot be offered."""

    USABLE = "can be offered"
    ENCRYPTED = "has a passphrase, which is not asked for here; add it to your agent: ssh-add {}"
    MISSING = "does not exist"
    UNREADABLE = "cannot be read by you; check its owner and mode (chmod 600 {})"
    PUBLIC = "is a public key; name the private one, without .pub"
    PUTTY = "is PuTTY's; convert it: puttygen {} -O private-openssh -o NEW"
    PKCS8 = "is a PKCS #8 file; convert it: ssh-keygen -p -f {}"
    NO_KEY = "is no private key"


_STARTS = {
    b"PuTTY-User-Key-File": Kind.PUTTY,
    b"-----BEGIN ENCRYPTED PRIVATE KEY": Kind.ENCRYPTED,
    b"-----BEGIN PRIVATE KEY": Kind.PKCS8,
}


@dataclass(frozen=True)
class KeyFile:
    """A file that was to be offered.

    Attributes:
        path: Where.
        kind: What it is.
    """

    path: str
    kind: Kind

    def __str__(self) -> str:
        return f"{visible(self.path)} {self.kind.value.format(word(self.path))}"


def read(paths: Iterable[str], *, has_passphrase: bool = False) -> tuple[KeyFile, ...]:
    """Return what each of these files is; `none`, by which ssh means no file, is left out.

    has_passphrase: whether the settings hold one, which then opens a key that needs it.
    """
    found: list[KeyFile] = []
    for path in dict.fromkeys(paths):
        kind = kind_of(Path(path).expanduser())
        if kind is Kind.ENCRYPTED and has_passphrase:
            kind = Kind.USABLE
        if path.lower() != "none":
            found.append(KeyFile(path, kind))
    return tuple(found)


def kind_of(file: Path) -> Kind:
    """Return what a file is, by its first bytes."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES).lstrip()
    except (FileNotFoundError, NotADirectoryError):
        return Kind.MISSING
    except (OSError, ValueError):
        return Kind.UNREADABLE
    return _kind(data)


def _kind(data: bytes) -> Kind:
    if _PUBLIC.match(data):
        # Of a certificate, which stands beside its key, the login makes use.
        return Kind.USABLE if b"-cert-v01@openssh.com " in data[:64] else Kind.PUBLIC
    if openssh := _OPENSSH.match(data):
        return _of_openssh(openssh[1])
    if _PEM.match(data):
        return Kind.ENCRYPTED if b"Proc-Type: 4,ENCRYPTED" in data else Kind.USABLE
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), Kind.NO_KEY)


def _of_openssh(text: bytes) -> Kind:
    """Read the name of the cipher, which is `none` for a key without a passphrase."""
    try:
        blob = base64.b64decode(b"".join(text.split()))
    except (binascii.Error, ValueError):
        return Kind.NO_KEY
    rest = blob.removeprefix(_MAGIC)
    size = int.from_bytes(rest[:_LENGTH_BYTES], "big")
    cipher = rest[_LENGTH_BYTES : _LENGTH_BYTES + size]
    if rest == blob or not cipher:
        return Kind.NO_KEY
    return Kind.USABLE if cipher == b"none" else Kind.ENCRYPTED
