"""Archives with something changed in them: each is refused in one sentence, or is harmless."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from audit.wall import Attempt
from deploy.errors import BadInput
from deploy.package.opening import open_package

FILES = {
    "web": b"#!/bin/sh\n",
    "wwwroot/site.css": b"body {}\n" * 100,
    "n" * 120 + "/long": b"x",
    "wwwroot/empty": b"",
}
Reader = Callable[[Path, Path], None]


def _tars() -> list[bytes]:
    found = []
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=form) as archive:
            for name, data in FILES.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                if form == tarfile.PAX_FORMAT:
                    info.pax_headers = {"comment": "\u00fc" * 20, "mtime": "1.5"}
                archive.addfile(info, io.BytesIO(data))
        found.append(made.getvalue())
    return found


def _zips() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", method) as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
        found.append(made.getvalue())
    return found


def product(path: Path, workspace: Path) -> None:
    """Open it as a deploy does."""
    open_package(
        path,
        executables=lambda _: (),
        max_unpacked_bytes=1_000_000,
        workspace=workspace,
    )


def naive(path: Path, workspace: Path) -> None:
    """Read it with the libraries alone."""
    del workspace
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                archive.read(name)
        return
    with tarfile.open(path) as packed:
        for member in packed.getmembers():
            packed.extractfile(member)


def attempt(read: Reader, tries: int, folder: Path, seed: int = 13) -> Attempt:
    """Read so many; a finding for whatever is raised but BadInput, or left in the workspace."""
    chance, findings = random.Random(seed), list[str]()  # noqa: S311 - a fuzzer
    kinds = [("tar.gz", whole) for whole in _tars()] + [("zip", whole) for whole in _zips()]
    workspace = folder / "workspace"
    workspace.mkdir()
    accepted = 0
    for number in range(tries):
        suffix, whole = kinds[number % len(kinds)]
        path = folder / f"web.1.2.3.{suffix}"
        path.write_bytes(_changed(whole, suffix, chance))
        try:
            read(path, workspace)
            accepted += 1
        except BadInput:
            pass
        except Exception as error:  # noqa: BLE001 - that is the finding
            findings.append(f"number {number} ({suffix}): {error!r}")
        for left in workspace.iterdir():
            if left.suffix == ".part":
                findings.append(f"number {number} ({suffix}) left {left.name}")
            left.unlink()
    return Attempt(tries, tuple(findings), f"{accepted:,} accepted")


def _changed(whole: bytes, suffix: str, chance: random.Random) -> bytes:
    """An archive with one to four changes; most tars keep the sums of their headers right."""
    changed = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:  # a digit of a size, a kind, a record
                changed[at : at + 1] = chance.choice((b"0", b"7", b"9", b"x", b"g", b"S", b"L"))
            case 2:
                changed[at : at + 8] = chance.randbytes(8)
            case _:
                del changed[at : at + chance.choice((1, 512))]
    if suffix == "zip":
        return bytes(changed)
    if chance.random() < 0.8:
        _sum_again(changed)
    return gzip.compress(changed, 1)


def _sum_again(whole: bytearray) -> None:
    """Correct each header's checksum, so that tarfile looks at the rest of it."""
    for start in range(0, len(whole) - 511, 512):
        block = whole[start : start + 512]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            whole[start + 148 : start + 156] = f"{sum(block):06o}\0 ".encode()
