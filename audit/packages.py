"""Packages, checksums and signatures with one bit changed, or cut short: none may be opened."""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.wall import Attempt, Wall
from deploy.errors import BadInput
from deploy.plan import candidate
from deploy.settings.app import App
from deploy.settings.environment import Environment
from deploy.settings.verify import Verify

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "web.1.2.3.zip"
SUMS = "SHA256SUMS"
SIGNATURE = f"{NAME}.minisig"
UNTRUSTED = b"untrusted comment: a test's key\n"


@dataclass(frozen=True)
class Signer:
    """A minisign key pair: `minisign -S` in 20 lines, so that the audit does not need it."""

    secret: Ed25519PrivateKey
    key_id: bytes = b"\1\2\3\4\5\6\7\10"

    @classmethod
    def from_seed(cls, number: int) -> Signer:
        """The same key in every run."""
        seed = hashlib.sha256(bytes([number])).digest()
        return cls(Ed25519PrivateKey.from_private_bytes(seed), seed[:8])

    @property
    def public(self) -> str:
        """The public key, as `verify: minisign:` takes it."""
        return base64.b64encode(
            b"Ed" + self.key_id + self.secret.public_key().public_bytes_raw()
        ).decode()

    def sign(self, data: bytes, comment: str = f"timestamp:1\tfile:{NAME}\thashed") -> bytes:
        """The signature file for a package's bytes."""
        signature = self.secret.sign(hashlib.blake2b(data).digest())
        both = self.secret.sign(signature + comment.encode())
        return b"%s%s\ntrusted comment: %s\n%s\n" % (
            UNTRUSTED,
            base64.b64encode(b"ED" + self.key_id + signature),
            comment.encode(),
            base64.b64encode(both),
        )


def package() -> bytes:
    """A small zip with an executable."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in (("web", b"#!/bin/sh\nexec sleep 1\n"), ("note.txt", b"hello\n")):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o100755 << 16
            archive.writestr(info, data)
    return made.getvalue()


def sums(data: bytes) -> bytes:
    """The line of sha256sum for a package's bytes."""
    return f"{hashlib.sha256(data).hexdigest()}  {NAME}\n".encode()


def environment(folder: Path, rules: Verify | None) -> Environment:
    """Settings that deploy the package in this folder, verified by these rules."""
    app = App(name="web", package="web.*.zip", target_group="web", ports=(5000,), verify=rules)
    values = {"name": "lab", "root": folder, "hosts": ("host-1",), "apps": [app]}
    return Environment.model_validate(values)


def opens(settings: Environment, workspace: Path) -> bool:
    """Whether a deploy would open the package in the settings' folder."""
    try:
        candidate.prepare(settings, settings.apps[0], settings.root / NAME, workspace)
    except BadInput:
        return False
    return True


def changed(data: bytes, start: int = 0) -> Iterator[tuple[str, bytes]]:
    """The data with each bit flipped in turn, then cut at each byte; from `start` on."""
    for place in range(start, len(data)):
        for bit in range(8):
            flipped = bytes([data[place] ^ 1 << bit])
            yield f"byte {place}, bit {bit}", data[:place] + flipped + data[place + 1 :]
    for end in range(start, len(data)):
        yield f"cut at byte {end}", data[:end]


def same_meaning(name: str, before: bytes, after: bytes) -> bool:
    """Whether a change means nothing: upper-case hex digits, a missing line break at the end."""
    if name == SUMS:
        return before[:64] == after[:64].lower() and before[64:].strip() == after[64:].strip()
    return name == SIGNATURE and before.rstrip(b"\n") == after


def _tried(by_sums: Verify | None, by_key: Verify | None, step: int) -> Attempt:
    data, signer = package(), Signer.from_seed(1)
    right = {NAME: data, SUMS: sums(data), SIGNATURE: signer.sign(data)}
    # The untrusted comment is not signed, and nothing reads it.
    starts = {SIGNATURE: len(UNTRUSTED)}
    found: list[str] = []
    tried = 0
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as workspace:
        folder = Path(made)
        for name, content in right.items():
            (folder / name).write_bytes(content)
        for rules, names in ((by_sums, (NAME, SUMS)), (by_key, (NAME, SIGNATURE))):
            settings = environment(folder, rules)
            if not opens(settings, Path(workspace)):
                found.append(f"{rules}: the untouched package is refused")
            for name in names:
                for what, content in islice(
                    changed(right[name], starts.get(name, 0)), 0, None, step
                ):
                    if same_meaning(name, right[name], content):
                        continue
                    tried += 1
                    (folder / name).write_bytes(content)
                    if opens(settings, Path(workspace)):
                        found.append(f"{name}, {what}: accepted")
                (folder / name).write_bytes(right[name])
    return Attempt(tried, tuple(found))


def attack(step: int = 1) -> Attempt:
    """Every changed file (or every `step`-th) against the verification as a deploy does it."""
    return _tried(Verify(sha256sums=SUMS), Verify(minisign=Signer.from_seed(1).public), step)


def control(step: int = 1) -> Attempt:
    """The same without `verify:`: what only the archive's own checksums would notice."""
    return _tried(None, None, step)


WALLS = (Wall("packages that were changed", attack, partial(control, 25)),)
