"""Verifies a minisign signature: Ed25519 over a file's BLAKE2b digest and a trusted comment."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deploy.errors import BadInput

# minisign itself writes at most 1,024 bytes of untrusted and 8,192 of trusted comment.
LARGEST_BYTES = 16_384

_PREHASHED, _LEGACY, _KEY = b"ED", b"Ed", b"Ed"
_UNTRUSTED, _TRUSTED = b"untrusted comment: ", b"trusted comment: "
_KEY_TEXT = re.compile(r"RW[A-Za-z0-9+/]{54}")


@dataclass(frozen=True)
class PublicKey:
    """A public key and the 8 bytes by which signatures name it."""

    id: bytes
    key: bytes

    def __str__(self) -> str:
        return shown(self.id)


@dataclass(frozen=True)
class Signature:
    """A signature file, parsed; nothing in it is verified yet.

    Attributes:
        key_id: 8 bytes, which key made it.
        signature: 64 bytes, over the BLAKE2b digest of the package.
        comment: The trusted comment, which `comment_signature` covers together with `signature`.
        comment_signature: 64 bytes.
    """

    key_id: bytes
    signature: bytes
    comment: bytes
    comment_signature: bytes


def shown(key_id: bytes) -> str:
    """A key's id as minisign prints it: 16 hex digits."""
    return f"{int.from_bytes(key_id, 'little'):016X}"


def is_key(text: str) -> bool:
    """Whether a setting is a public key itself, and not the path of one."""
    return _KEY_TEXT.fullmatch(text) is not None


def public_key(text: str, place: str) -> PublicKey:
    """The key from its base64 line, with or without the comment line above it.

    Raises:
        BadInput: `place` names the file or setting.
    """
    lines = text.replace("\r\n", "\n").strip("\n").split("\n")
    if len(lines) > 1 and lines[0].startswith("untrusted comment:"):
        lines = lines[1:]
    raw = _decoded(lines[0].encode(), 42) if len(lines) == 1 and lines[0].isascii() else None
    if raw is None or raw[:2] != _KEY:
        raise BadInput(
            f"{place}: it holds no minisign public key; that is 56 characters from RW on, which "
            "`minisign -G` writes into minisign.pub"
        )
    return PublicKey(raw[2:10], raw[10:])


def parse(data: bytes, file: str) -> Signature:
    """Read a signature file of four lines.

    Raises:
        BadInput: It is cut short, damaged, or in the legacy format.
    """
    lines = [line.rstrip(b"\r") for line in data.rstrip(b"\r\n").split(b"\n")]
    if len(lines) != 4:  # noqa: PLR2004 - two comments, two signatures
        raise _damaged(file, f"it has {len(lines)} of 4 lines")
    if not lines[0].startswith(_UNTRUSTED) or not lines[2].startswith(_TRUSTED):
        raise _damaged(file, "a comment line is missing")
    first, second = _decoded(lines[1], 74), _decoded(lines[3], 64)
    if first is None or second is None or first[:2] not in {_PREHASHED, _LEGACY}:
        raise _damaged(file, "a signature is not what minisign writes")
    if first[:2] == _LEGACY:
        # It signs the file itself, which would have to lie in memory, and the same bytes could
        # pass for the digest of another file.
        raise BadInput(
            f"{file}: a signature in minisign's legacy format; sign the package again with "
            "minisign 0.10 or newer and without -l"
        )
    return Signature(first[2:10], first[10:], lines[2].removeprefix(_TRUSTED), second)


def verify(signature: Signature, key: PublicKey, blake2b: bytes, package: str, file: str) -> None:
    """Check that the key's owner signed these bytes under this file name.

    Args:
        signature: From the file that `file` names.
        key: The key to trust.
        blake2b: The 64-byte BLAKE2b digest of the package.
        package: Its file name. The version is read from it, so it must be signed too: otherwise
            an old signed package passes as a new one, renamed.
        file: The signature's file name, for the message.

    Raises:
        BadInput: It is another key's, or for other bytes, or for another file name.
    """
    if signature.key_id != key.id:
        raise BadInput(
            f"package {package}: {file} was made by the key {shown(signature.key_id)}, and "
            f"`verify: minisign:` trusts {key} alone; sign the package with that key, or correct "
            "the setting"
        )
    trusted = Ed25519PublicKey.from_public_bytes(key.key)
    try:
        trusted.verify(signature.signature, blake2b)
    except InvalidSignature as error:
        raise BadInput(
            f"package {package}: {file} does not sign this content (BLAKE2b "
            f"{blake2b.hex()[:32]}…); the package was changed or damaged after it was signed. Do "
            "not deploy it: get both again from the build"
        ) from error
    try:
        trusted.verify(signature.comment_signature, signature.signature + signature.comment)
    except InvalidSignature as error:
        raise BadInput(
            f"package {package}: the trusted comment of {file} was changed after it was signed. "
            "Do not deploy the package: get both again from the build"
        ) from error
    if f"file:{package}".encode() not in signature.comment.split():
        raise BadInput(
            f"package {package}: {file} does not sign this file name; its trusted comment is "
            f"{signature.comment[:200].decode(errors='replace')!r}. A package that was renamed "
            "must be signed again; with -t, the comment must hold the word "
            f"file:{package}, which minisign writes by itself without -t"
        )


def _decoded(text: bytes, size: int) -> bytes | None:
    """Base64 as it is written, and not another spelling of the same bytes."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return raw if len(raw) == size and base64.b64encode(raw) == text else None


def _damaged(file: str, why: str) -> BadInput:
    return BadInput(
        f"{file}: no signature of minisign, or a damaged one: {why}; copy it again, or sign the "
        "package again"
    )
