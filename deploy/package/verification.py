"""Verifies a package by digest and signature before anything in it is read."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from deploy.errors import BadInput
from deploy.package.entries import CHUNK, refusing
from deploy.package.signatures import checksums, minisign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.package.signatures.checksums import Listed
    from deploy.package.signatures.minisign import PublicKey, Signature
    from deploy.settings.verify import Verify

_PACKAGE = "{package}"


@dataclass(frozen=True)
class _Digests:
    sha256: str
    blake2b: bytes


@contextmanager
def verified(
    path: Path, rules: Verify | None, resolve: Callable[[str], Path], workspace: Path
) -> Iterator[Path]:
    """Give the file to open in place of the package at `path`, until the block ends.

    Without rules that is the package itself. Otherwise it is a copy in `workspace`, whose bytes
    were verified as they were copied: no other user can change it between check and use.

    Args:
        path: The package; only its name was looked at before.
        rules: What to verify it by; all that are given must hold.
        resolve: A path of the settings as an absolute one.
        workspace: A folder that only this user may enter.

    Raises:
        BadInput: The package is not what the rules ask for, or cannot be verified.
    """
    if rules is None:
        yield path
        return
    if path.is_dir():
        raise BadInput(
            f"package {path.name}: a folder has no digest or signature to verify, and `verify:` "
            "asks for one; make it a .zip or .tar.gz, or leave `verify:` out for this app"
        )
    listed, key, signature = _evidence(path, rules, resolve)
    with tempfile.TemporaryDirectory(dir=workspace, prefix="verified-") as folder:
        copy = Path(folder) / path.name
        digests = _copied(path, copy)
        if listed and listed.digest != digests.sha256:
            raise BadInput(
                f"package {path.name}: its SHA-256 is {digests.sha256}, and line {listed.number} "
                f"of {_sums(path, rules, resolve)} expects {listed.digest}; it was changed or "
                "damaged after that line was written. Do not deploy it: get both again from the "
                "build"
            )
        if key and signature:
            minisign.verify(signature, key, digests.blake2b, path.name, _signature(path).name)
        yield copy


def _evidence(
    path: Path, rules: Verify, resolve: Callable[[str], Path]
) -> tuple[Listed | None, PublicKey | None, Signature | None]:
    """What the rules name, read and parsed, before the package's bytes are touched."""
    listed, key, signature = None, None, None
    if rules.sha256sums is not None:
        file = _sums(path, rules, resolve)
        remedy = "write it with sha256sum where the package is built, or correct `verify:`"
        data = _small(file, checksums.LARGEST_BYTES, f"package {path.name}: {file}", remedy)
        listed = checksums.listed(data, file, Path(os.path.abspath(path)))  # noqa: PTH100 - links stay
    if rules.minisign is not None:
        key = _key(rules.minisign, resolve)
        file = _signature(path)
        remedy = f"sign the package where it is built: minisign -S -m {path.name}"
        data = _small(file, minisign.LARGEST_BYTES, f"package {path.name}: {file}", remedy)
        signature = minisign.parse(data, f"package {path.name}: {file.name}")
    return listed, key, signature


def _sums(path: Path, rules: Verify, resolve: Callable[[str], Path]) -> Path:
    """The file of checksums; `{package}` is the package's file name, at the start its path."""
    text = rules.sha256sums or ""
    if text.startswith(_PACKAGE):
        rest = text.removeprefix(_PACKAGE).replace(_PACKAGE, path.name)
        return Path(os.path.abspath(f"{path}{rest}"))  # noqa: PTH100 - links stay
    return resolve(text.replace(_PACKAGE, path.name))


def _signature(path: Path) -> Path:
    return path.with_name(f"{path.name}.minisig")


def _key(text: str, resolve: Callable[[str], Path]) -> PublicKey:
    place = f"verify: minisign: {text}"
    if minisign.is_key(text):
        return minisign.public_key(text, place)
    remedy = "name minisign's .pub file, or write the key itself: 56 characters from RW on"
    data = _small(resolve(text), minisign.LARGEST_BYTES, place, remedy)
    return minisign.public_key(data.decode(errors="replace"), place)


def _small(path: Path, limit: int, place: str, remedy: str) -> bytes:
    """A small file's bytes; `place` begins the message of BadInput, and `remedy` ends it."""
    try:
        with _regular(path, place) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise BadInput(f"{place}: {error.strerror or error}; {remedy}") from error
    if len(data) > limit:
        raise BadInput(f"{place}: more than {limit:,} bytes, which is the limit; {remedy}")
    return data


def _copied(path: Path, copy: Path) -> _Digests:
    """Copy the package, and the digests of the bytes that were copied."""
    sha256, blake2b = hashlib.sha256(), hashlib.blake2b()
    with refusing(path), _regular(path, f"package {path.name}") as source, copy.open("xb") as to:
        left = os.fstat(source.fileno()).st_size
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise BadInput(
                    f"package {path.name}: it grew while it was read; wait for its copy to end"
                )
            sha256.update(chunk)
            blake2b.update(chunk)
            to.write(chunk)
    return _Digests(sha256.hexdigest(), blake2b.digest())


def _regular(path: Path, place: str) -> BinaryIO:
    """Open a regular file; a pipe would keep us waiting, so it is not waited for, but refused."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))

    file = open(path, "rb", opener=opener)  # noqa: SIM115 - an opener; the caller closes it
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise BadInput(f"{place}: it is no regular file; name a file that can be read twice")
