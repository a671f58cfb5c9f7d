"""A run is found by its id, the beginning of it, its folder's name, or as the last one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.events import runs

NAMES = (
    "20261128T090000Z-0123abcd",
    "20261129T110000Z-01ff0000",
    "20261129T120000Z-9f000000",
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, ...]:
    """The runs of two environments, and what is no run."""
    found = tmp_path / "prod", tmp_path / "lab", tmp_path / "none"
    for folder, name in zip((found[0], found[1], found[0]), NAMES, strict=True):
        (folder / name).mkdir(parents=True)
        (folder / name / "events.jsonl").touch()
    (found[0] / "20261130T000000Z-deadbeef").mkdir()
    (found[0] / ".gitignore").touch()
    return found


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        (None, 2),
        ("0123", 0),
        ("01ff0000", 1),
        ("01ff" + "0" * 28, 1),
        (NAMES[0], 0),
        ("9", 2),
    ],
)
def test_a_run_is_found(folders: tuple[Path, ...], typed: str | None, number: int) -> None:
    assert runs.find(folders, typed).parent.name == NAMES[number]


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("01", f"01 is the beginning of 2 runs' ids; .*: {NAMES[0]}, {NAMES[1]}$"),
        ("abc", f"no run has an id that begins with abc; the last ones: {', '.join(NAMES)}$"),
        ("2026", "no run has an id that begins with 2026"),
        ("deadbeef", "no run has an id that begins with deadbeef"),
    ],
)
def test_what_is_no_run_or_several_is_refused_with_those_that_there_are(
    folders: tuple[Path, ...], typed: str, problem: str
) -> None:
    with pytest.raises(BadInput, match=problem):
        runs.find(folders, typed)


def test_where_nothing_is_kept_the_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"no run is kept in {tmp_path / 'a'} and {tmp_path / 'b'};"):
        runs.find([tmp_path / "a", tmp_path / "b"])
