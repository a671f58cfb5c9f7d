"""The walls of bytes and time: packages, answers of the AWS API, and answers of a service."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from audit import api, archives, bombs, memory, trickle
from audit.wall import Attempt, Wall

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS, ARCHIVES, CONTROLS = 1000, 2000, 200
QUICKEST = ("entries without names", "entries with long names")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="changeover-audit-") as folder:
        yield Path(folder)


def _bombs(reader: str, names: tuple[str, ...] = tuple(bombs.BOMBS)) -> Attempt:
    with _folder() as folder:
        return memory.attempt(reader, folder, names)


def _archives(read: archives.Reader, tries: int) -> Attempt:
    with _folder() as folder:
        return archives.attempt(read, tries, folder)


@contextmanager
def _keys() -> Iterator[None]:
    """Keys that sign what never leaves this process."""
    before = dict(os.environ)
    os.environ.update(AWS_ACCESS_KEY_ID="audit", AWS_SECRET_ACCESS_KEY="audit")  # noqa: S106 - no secret
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _answers(*, is_control: bool) -> Attempt:
    with _keys():
        if is_control:
            return api.attempt(api.naive, CONTROLS)
        return api.attempt(api.product, ANSWERS)


WALLS = (
    Wall(
        "archives that want memory",
        attack=lambda: _bombs("as_product"),
        control=lambda: _bombs("as_libraries", QUICKEST),
    ),
    Wall(
        "archives with something changed",
        attack=lambda: _archives(archives.product, ARCHIVES),
        control=lambda: _archives(archives.naive, CONTROLS),
    ),
    Wall(
        "answers of the AWS API",
        attack=lambda: _answers(is_control=False),
        control=lambda: _answers(is_control=True),
    ),
    Wall(
        "answers that do not end",
        attack=lambda: trickle.attempt(trickle.product),
        control=lambda: trickle.attempt(trickle.naive),
    ),
)
