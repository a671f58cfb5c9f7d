"""The folder of hooks: executables that are named after the moment at which they run."""

from __future__ import annotations

import enum
import os
from pathlib import Path  # noqa: TC003 - see find
from typing import TYPE_CHECKING

from deploy.errors import BadInput, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Moment(enum.StrEnum):
    """When a hook runs; its file has this name."""

    PRE_DEPLOY = "pre-deploy"
    PRE_BATCH = "pre-batch"
    POST_HOST = "post-host"
    POST_DEPLOY = "post-deploy"
    ON_FAILURE = "on-failure"


MOMENTS = {moment.value: moment for moment in Moment}
NAMES = ", ".join(MOMENTS)


def find(folder: Path, *, is_expected: bool) -> dict[Moment, Path]:
    """The hooks that a folder holds.

    Other files may lie beside them, such as a library that they share, as long as they are not
    executable and are not named like a hook: those would silently never run.

    Args:
        folder: Where they lie; it need not exist.
        is_expected: Whether the settings name it, so that it must exist.

    Raises:
        BadInput: The folder is expected and missing or cannot be read, or a file in it is no hook
            that could run; all such files are listed.
    """
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        if is_expected or folder.is_symlink():
            raise BadInput(
                f"hooks: {folder} does not exist; make it, or leave `hooks:` out"
            ) from None
        return {}
    except OSError as error:
        raise BadInput(f"hooks: {folder} cannot be read: {error.strerror}") from error
    if problems := [said for file in entries for said in _problems(file)]:
        raise BadInput(*problems)
    return {MOMENTS[file.name]: file for file in entries if file.name in MOMENTS}


def _problems(file: Path) -> Iterator[str]:
    """What is wrong with one file of the folder."""
    if file.name.startswith("."):
        return
    is_program = file.is_file() and os.access(file, os.X_OK)
    if file.name not in MOMENTS:
        meant = nearest(file.stem, MOMENTS)
        if file.is_dir() or not (is_program or meant):
            return
        yield f"{file}: no hook has this name{meant}; hooks are {NAMES}"
    elif file.is_symlink() and not file.exists():
        yield f"{file}: this link leads to {file.readlink()}, which does not exist"
    elif not file.is_file():
        yield f"{file}: a hook must be a file that can be executed"
    elif not is_program:
        yield f"{file}: not executable; run `chmod +x {file}`, or remove it"
