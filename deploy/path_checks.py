"""Checks what is at a path that a person typed; nothing is at a path that no file can have.

The methods of `pathlib.Path` raise OSError for a name that is too long (seen with Python 3.11),
where those of `os.path` return False.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def exists(path: str | Path) -> bool:
    """Return whether a file, a folder or anything else is there; links are followed."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_file(path: str | Path) -> bool:
    """Return whether a regular file is there, and not a folder or a pipe; links are followed."""
    return os.path.isfile(path)  # noqa: PTH113 - see above


def is_folder(path: str | Path) -> bool:
    """Return whether a folder is there; links are followed."""
    return os.path.isdir(path)  # noqa: PTH112 - see above
