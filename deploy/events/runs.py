"""Finds a run's file: the last one, or the one whose id begins as typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = "events.jsonl"
ID_DIGITS = 8
"""Of a run's id, in the name of its folder."""
MOST_NAMED = 5


def kept(folders: Iterable[Path]) -> tuple[Path, ...]:
    """The events files in these folders of runs, the oldest first."""
    files = {file for folder in folders for file in folder.glob(f"*-*/{NAME}")}
    return tuple(sorted(files, key=lambda file: (file.parent.name, file)))


def find(folders: Iterable[Path], typed: str | None = None) -> Path:
    """The events file of a run.

    Args:
        folders: What `runs:` names, of each environment.
        typed: The run's id, the beginning of it, or its folder's name; None for the last run.

    Raises:
        BadInput: There is no such run, or more than one; names those that there are.
    """
    places = tuple(folders)
    files = kept(places)
    if not files:
        where = " and ".join(map(str, places))
        raise BadInput(
            f"no run is kept in {where}; a deploy keeps its own there, and --file names an events "
            "file elsewhere"
        )
    if typed is None:
        return files[-1]
    found = [file for file in files if _is(file, typed)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.parent.name for file in (found or files)[-MOST_NAMED:])
    if found:
        raise BadInput(
            f"{typed} is the beginning of {len(found)} runs' ids; give more of it, or "
            f"the name of one: {names}"
        )
    raise BadInput(f"no run has an id that begins with {typed}; the last ones: {names}")


def _is(file: Path, typed: str) -> bool:
    """Whether a folder, `20261129T110000Z-01234567`, is of the run that was typed."""
    name = file.parent.name
    start = name.rpartition("-")[2]
    return (
        name == typed
        or start.startswith(typed)
        or (len(typed) > ID_DIGITS and typed.startswith(start))
    )
