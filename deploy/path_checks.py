"""Checks paths that a person typed: where they lead, and what is there.

Nothing is at a path that no file can have: the methods of `pathlib.Path` raise OSError for a name
that is too long (seen with Python 3.11), where those of `os.path` return False.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from deploy.errors import BadInput

MOST_CHARACTERS = 4096
"""PATH_MAX of Linux, the longest one."""


def exists(path: str | Path) -> bool:
    """Return whether a file, a folder or anything else is there; links are followed."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_file(path: str | Path) -> bool:
    """Return whether a regular file is there, and not a folder or a pipe; links are followed."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: str | Path) -> bool:
    """Return whether a folder is there; links are followed."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def expanded(text: str) -> Path:
    """A path as a user writes it.

    Raises:
        BadInput: It begins with `~name`, and there is no such user; or it is longer than a path
            can be.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadInput(
            f"{text[:40]}…: no path has more than {MOST_CHARACTERS:,} characters, and this one has "
            f"{len(text):,}"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(
            f"{text}: there is no user whose home that would be; write the path in full"
        ) from error


def resolved(path: Path) -> Path:
    """A path without links; BadInput where one leads back to itself, or where it is none."""
    try:
        found = path.resolve()
        # Since Python 3.13 `resolve` returns a link that leads back to itself.
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            found.stat()
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path}: no path that leads anywhere: {error}") from error
    return found
