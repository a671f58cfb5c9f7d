"""The lines of a known_hosts file, as sshd(8) describes it; a damaged line has no key."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from deploy.hosts.ssh.openssh.match import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORITY, REVOKED = "@cert-authority", "@revoked"
_BINARY_LIST = b"SSHKRL\n\0"
"""How a key revocation list begins that `ssh-keygen -k` made (PROTOCOL.krl of OpenSSH)."""
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHA1_BYTES = 20


@dataclass(frozen=True)
class Line:
    """A line of a known_hosts file.

    Attributes:
        place: Its file and number, `file:7`.
        marker: AUTHORITY, REVOKED or empty.
        names: The machines, as the line has them.
        kind: The key's type.
        key: The key as it is sent, none where the line is damaged.
    """

    place: str
    marker: str
    names: str
    kind: str
    key: bytes

    def is_about(self, machine: str) -> bool:
        """Whether the line names a machine, which is `host` or `[host]:port`, in lower case."""
        if self.names.startswith("|1|"):
            return _is_hash_of(self.names, machine)
        return listed(self.names.lower(), machine)

    @property
    def as_key(self) -> paramiko.PKey | None:
        """The key as Paramiko has it; None where it cannot be read."""
        try:
            return paramiko.PKey.from_type_string(self.kind, self.key)
        except Exception:  # noqa: BLE001 - whatever a damaged key makes of Paramiko
            return None


@lru_cache(maxsize=64)
def read(file: str, changed: int) -> tuple[Line, ...]:
    """The lines of a file that was changed at this time; OSError where it cannot be read.

    Raises ValueError for a text in which ssh finds no names, as PowerShell's `>` writes it.
    """
    del changed  # part of the cache's key
    data = _bytes(file)
    if data.startswith(_MARKS):
        raise ValueError("it is UTF-16, in which ssh finds no names; save it as UTF-8")
    return tuple(parse(data.decode("utf-8", "replace"), file))


@lru_cache(maxsize=64)
def revoked(file: str, changed: int) -> tuple[Line, ...]:
    """The keys of a RevokedHostKeys file as lines that revoke them for every machine.

    Raises OSError where it cannot be read, and ValueError for a binary list.
    """
    del changed  # part of the cache's key
    data = _bytes(file)
    if data.startswith(_BINARY_LIST):
        raise ValueError(
            "it is a binary list, which only ssh reads; list the keys as text, or keep your ssh "
            "configuration out with `load_ssh_configs: false` at the top of the settings"
        )
    text = data.decode("utf-8", "replace").split("\n")
    lines = ("" if line.startswith("#") else f"{REVOKED} * {line}" for line in text)
    return tuple(parse("\n".join(lines), file))


def _bytes(file: str) -> bytes:
    if not Path(file).is_file():  # a pipe would be waited for, and a device may have no end
        raise OSError("it is not a file")
    return Path(file).read_bytes()


def parse(text: str, file: str) -> Iterator[Line]:
    """Read each line that names machines and a key, also where the key is damaged."""
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 2 or words[0].startswith("#") or marker not in {"", AUTHORITY, REVOKED}:  # noqa: PLR2004 - names and a type
            continue
        names, kind, *rest = words
        yield Line(f"{file}:{number}", marker, names, kind, _blob(kind, rest[0] if rest else ""))


def _blob(kind: str, text: str) -> bytes:
    """The key that a line holds; none where it is damaged, or of another type than it says."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    head = len(kind).to_bytes(4, "big") + kind.encode(errors="replace")
    return key if key.startswith(head) else b""


def _is_hash_of(hashed: str, machine: str) -> bool:
    """Whether `|1|salt|digest` is of this machine: an HMAC by SHA-1 (sshd(8))."""
    try:
        salt, digest = (base64.b64decode(each, validate=True) for each in hashed.split("|")[2:])
    except (binascii.Error, ValueError):
        return False
    own = hmac.new(salt, machine.encode(), hashlib.sha1).digest()
    return len(digest) == _SHA1_BYTES and hmac.compare_digest(own, digest)
