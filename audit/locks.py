"""The lock files: every package at one exact version, every file by its hash, nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from audit.wall import Attempt, Wall

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-docs.lock",
    "bench/peers/requirements.lock",
)

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.+!]+(?: ; [^;\\]+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(text: str) -> list[str]:
    """The logical lines of a requirements file, without comments and continuation marks."""
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [line.strip() for line in joined.split("\n") if line.strip()]


def findings(name: str, text: str) -> list[str]:
    """What in a lock pip would install unverified, or from an address that the lock names."""
    found: list[str] = []
    for line in requirements(text):
        pin, *options = re.split(r"\s+(?=--)", line)
        if not _PIN.fullmatch(pin):
            found.append(f"{name}: {pin[:80]!r} is no exact version")
        if not options:
            found.append(f"{name}: {pin[:80]!r} has no hash")
        found += [
            f"{name}: {pin[:80]!r}: {option[:80]!r} is no SHA-256"
            for option in options
            if not _HASH.fullmatch(option)
        ]
    return found


def _tried(change: Callable[[str], str]) -> Attempt:
    texts = {name: change((ROOT / name).read_text()) for name in LOCKS}
    found = [finding for name, text in texts.items() for finding in findings(name, text)]
    hashes = sum(text.count("--hash=") for text in texts.values())
    tried = sum(len(requirements(text)) for text in texts.values())
    return Attempt(tried, tuple(found), f"{hashes:,} hashes")


def _attack() -> Attempt:
    return _tried(lambda text: text)


def _control() -> Attempt:
    """The same locks with their hashes taken out, as `pip freeze` would write them."""
    return _tried(lambda text: re.sub(r" \\\n +--hash=\S+", "", text))


WALLS = (Wall("lock files", _attack, _control),)
