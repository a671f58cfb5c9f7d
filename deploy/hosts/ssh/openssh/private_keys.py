"""Reads a private key's file in any of the usual formats, or says what it is instead."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from deploy.foreign_text import word

LARGEST_BYTES = 256 * 1024
CERTIFICATE = "-cert.pub"
"""What ssh adds to a key's path to find its certificate (ssh_config(5), IdentityFile)."""

_PUBLIC = re.compile(rb"\s*(?:ssh-|ecdsa-sha2-|sk-)[A-Za-z0-9@.-]+\s+([A-Za-z0-9+/]+=*)")
_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_ENCRYPTED = "has a passphrase"
_SECURITY = "is a security key's, which only an agent can use"
_PUBLIC_ALONE = "is a public key, without the private one beside it"
_READABLE = "can be read by others"
_AGENTS = (_ENCRYPTED, _SECURITY, _PUBLIC_ALONE, _READABLE)
"""Why a file is not used itself, where an agent may have its key."""
_NONE = "is no private key, or is damaged"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAGIC = b"openssh-key-v1\0"
_CLASSES = (
    (rsa.RSAPrivateKey, paramiko.RSAKey),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
)


@dataclass(frozen=True)
class KeyFile:
    """What a file is, that was named as a private key.

    Attributes:
        path: The file.
        key: The key, if it can be used as it is.
        public: The public key as it is sent, if it is known: an agent may have the private one.
        why: Why the file itself cannot be used, and what to do; empty where it can.
        is_absent: Whether there is no such file, which ssh passes over.
    """

    path: str
    key: paramiko.PKey | None = None
    public: bytes = b""
    why: str = ""
    is_absent: bool = False

    @property
    def may_be_held(self) -> bool:
        """Whether an agent may sign in its place, which is only known when it is asked."""
        return bool(self.public) and self.why.startswith(_AGENTS)


def read(path: str, passphrase: str | None = None) -> KeyFile:
    """What a private key's file is; raises nothing, whatever the file holds."""
    beside = _public_of(_bytes(f"{path}.pub")[0])
    data, why = _bytes(path)
    if why:
        is_absent = why == "does not exist"
        return KeyFile(path, public=beside, why=why, is_absent=is_absent)
    if data.lstrip().startswith(b"PuTTY-User-Key-File"):
        return KeyFile(
            path,
            public=beside,
            why=f"is PuTTY's; convert it: puttygen {word(path)} -O private-openssh -o NEW",
        )
    own = _public_of(data)
    if own and b"-cert-v01@openssh.com" in own[:64] and path.endswith(CERTIFICATE):
        # A certificate's file stands for the key beside it, with which it is shown.
        return read(path.removesuffix(CERTIFICATE), passphrase)
    if own or data.startswith(b"---- BEGIN SSH2 PUBLIC KEY"):
        why = "is a public key; name the private one, without .pub"
        if own and not Path(path.removesuffix(".pub")).is_file():
            why = f"{_PUBLIC_ALONE}, and your agent does not hold that: ssh-add it"
        return KeyFile(path, public=own, why=why)
    public = _header(data) or beside
    try:
        key, why = _loaded(path, data, passphrase)
    except Exception:  # noqa: BLE001 - whatever a damaged file makes of two libraries
        key, why = None, _NONE
    public = key.asbytes() if key else public
    if why == _NONE:
        why += _damage(data)
    elif mode := _open_to_others(path):
        why = f"{_READABLE} (mode {mode:04o}), so ssh passes over it: chmod 600 {word(path)}"
        return KeyFile(path, public=public, why=f"{why}, or a copy of it")
    return KeyFile(path, key, public, why)


def certificate(path: str) -> str:
    """The path of the certificate that lies beside a key; empty where there is none."""
    with suppress(OSError, ValueError):
        if Path(f"{path}{CERTIFICATE}").is_file():
            return f"{path}{CERTIFICATE}"
    return ""


def certified(key: paramiko.PKey, file: str) -> bool:
    """Give a key the certificate of a file; False where that is of another key, or is none."""
    data, _ = _bytes(file)
    found = _PUBLIC.match(data)
    try:
        if found is None or not is_of(base64.b64decode(found[1]), key.asbytes()):
            return False
        key.load_certificate(file)
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def is_of(blob: bytes, public: bytes) -> bool:
    """Whether a certificate is one of a public key: it holds it without its type, after a nonce."""
    fields = public[4 + int.from_bytes(public[:4], "big") :]
    return bool(fields) and fields in blob


def _loaded(path: str, data: bytes, passphrase: str | None) -> tuple[paramiko.PKey | None, str]:
    """The key, or why there is none."""
    secret = passphrase.encode() if passphrase else None
    is_openssh = _OPENSSH.search(data) is not None
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        try:
            found = load(data, secret)
        except TypeError:
            if secret is None:
                return None, f"{_ENCRYPTED}, and your agent does not hold it: ssh-add {word(path)}"
            found = load(data, None)  # a passphrase that this key does not need
    except UnsupportedAlgorithm:
        return None, _unsupported(_kind(_header(data)))
    except ValueError:
        is_other = secret is not None and (b"ENCRYPTED" in data or _is_encrypted(data))
        return None, f"{_ENCRYPTED}, which is not the one in `connect_kwargs:`" * is_other or _NONE
    for kind_of, made in _CLASSES:
        if isinstance(found, kind_of):
            text = found.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
            return made.from_private_key(io.StringIO(text.decode())), ""
    return None, _unsupported("")


def _unsupported(kind: str) -> str:
    if kind.startswith("sk-"):
        return f"{_SECURITY}, and yours does not hold it: ssh-add it"
    return f"is a key of type {kind or 'unknown'}, which is not supported"


def _damage(data: bytes) -> str:
    """What a tool did to a key's text; empty where that is not known."""
    if b"-----BEGIN" in data and b"\\n" in data:
        return ": its line breaks are written as the two characters \\n"
    return ": it is in UTF-16; save it as UTF-8" * data.startswith((b"\xff\xfe", b"\xfe\xff"))


def _open_to_others(path: str) -> int:
    """The mode of a file of ours that others may use (sshkey_perm_ok in authfile.c); 0 if none."""
    found = Path(path).stat()
    is_ours = hasattr(os, "getuid") and found.st_uid == os.getuid()
    return stat.S_IMODE(found.st_mode) if is_ours and found.st_mode & _OTHERS else 0


def _bytes(path: str) -> tuple[bytes, str]:
    """A file's bytes, and why there are none."""
    try:
        if not Path(path).is_file():
            return b"", "is no file" if Path(path).exists() else "does not exist"
        with Path(path).open("rb") as file:
            return file.read(LARGEST_BYTES), ""
    except PermissionError:
        return b"", f"cannot be read by you; check its owner and mode (chmod 600 {word(path)})"
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return b"", f"cannot be read: {why}"


def _public_of(data: bytes) -> bytes:
    """The key of a public key's text; nothing where it is none."""
    found = _PUBLIC.match(data)
    with suppress(binascii.Error, ValueError):
        return base64.b64decode(found[1]) if found else b""
    return b""


def _header(data: bytes) -> bytes:
    """The public key that OpenSSH writes in clear before the private one (PROTOCOL.key)."""
    with suppress(binascii.Error, ValueError, struct.error):
        found = _OPENSSH.search(data)
        rest = base64.b64decode(found[1])[len(_MAGIC) :] if found else b""
        for _ in range(3):  # cipher, derivation of the key, its options
            _, rest = _string(rest)
        return _string(rest[4:])[0] if rest else b""
    return b""


def _is_encrypted(data: bytes) -> bool:
    with suppress(binascii.Error, ValueError, struct.error):
        found = _OPENSSH.search(data)
        return (
            found is not None and _string(base64.b64decode(found[1])[len(_MAGIC) :])[0] != b"none"
        )
    return False


def _kind(public: bytes) -> str:
    with suppress(ValueError, struct.error):
        return _string(public)[0].decode()
    return ""


def _string(data: bytes) -> tuple[bytes, bytes]:
    """A string of the wire's format, and what follows it; struct.error for a length without it."""
    (size,) = struct.unpack_from(">I", data)
    if 4 + size > len(data):
        raise ValueError("it is cut off")
    return data[4 : 4 + size], data[4 + size :]
