"""Host keys that an instance printed to its console when it first started. Pure.

cloud-init prints them between these marks ("SSH HOST KEY FINGERPRINTS" and "SSH HOST KEY KEYS"),
and EC2 has the console's text (GetConsoleOutput): a way that does not lead through the network
between here and the host. The first block counts: what comes later may be of a service.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_BLOCK = "-----BEGIN SSH HOST KEY {kind}-----(.*?)-----END SSH HOST KEY {kind}-----"
_KEY = re.compile(r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) (AAAA[0-9A-Za-z+/]+=*)")
_FINGERPRINT = re.compile(r"\bSHA256:[0-9A-Za-z+/]{43}")


@dataclass(frozen=True)
class Printed:
    """The host keys that an instance printed.

    Attributes:
        keys: The keys, each with its type and its base64.
        fingerprints: The fingerprints of keys, `SHA256:…`, those of `keys` among them.
    """

    keys: tuple[tuple[str, str], ...] = ()
    fingerprints: frozenset[str] = frozenset()


def parse(console: str) -> Printed:
    """Read a console's text; nothing where it has no such block."""
    keys = tuple(dict.fromkeys(_KEY.findall(_block(console, "KEYS"))))
    printed = set(_FINGERPRINT.findall(_block(console, "FINGERPRINTS")))
    return Printed(keys, frozenset(printed | {fingerprint(blob) for _, blob in keys} - {""}))


def _block(console: str, kind: str) -> str:
    found = re.search(_BLOCK.format(kind=kind), console, re.DOTALL)
    return found[1] if found else ""


def fingerprint(blob: str) -> str:
    """The fingerprint of a key in base64, as OpenSSH prints it; empty for no base64."""
    try:
        key = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return ""
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
