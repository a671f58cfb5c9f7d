"""The files of a new project: none that exists is ever overwritten."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SETTINGS, KNOWN_HOSTS, POLICY, TASKS = "fabric.yaml", "known_hosts", "iam-policy.json", "tasks.py"

TASKS_TEXT = '''"""This project's commands: `inv help` shows them."""

from changeover import namespace

__all__ = ["namespace"]
'''


def missing(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Those of the files that are not there with this very text."""
    return {name: text for name, text in texts.items() if not _is(folder / name, text)}


def _is(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def existing(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the files that are there already, links included."""
    return tuple(name for name in names if os.path.lexists(folder / name))


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files that are not there.

    Raises BadInput for one that is, or that cannot be written; those before it are written then.
    """
    for name, text in texts.items():
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise BadInput(f"{name} exists, and is not overwritten; move it away first") from error
        except OSError as error:
            raise BadInput(
                f"{name} cannot be written in {folder}: {error.strerror}; choose another folder"
            ) from error
