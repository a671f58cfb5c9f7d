"""Records of runs appear whole, one file each, and the last hundred stay."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from shell import run

from deploy.hosts.scripts import history
from deploy.hosts.scripts.history import RUNS

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.script import Script


def here(script: Script[object], root: Path) -> CommandResult:
    """Run a script with this folder in place of the host's own."""
    text = script.text.replace("/var/lib/", f"{root}/").replace("/run/", f"{root}/run-")
    return run(text)


def record(root: Path, number: int) -> CommandResult:
    return here(history.record_run("lab", f"2026{number:04}", f'{{"run": {number}}}'), root)


def test_a_record_is_a_file_for_root_alone_and_is_read_again(tmp_path: Path) -> None:
    assert record(tmp_path, 1).exit_code == 0
    folder = tmp_path / "changeover" / "lab.runs"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert record(tmp_path, 2).exit_code == 0
    shown = here(history.show_runs("lab"), tmp_path)
    assert history.show_runs("lab").parse(shown) == ('{"run": 1}', '{"run": 2}')


def test_the_oldest_of_more_than_a_hundred_fall(tmp_path: Path) -> None:
    folder = tmp_path / "changeover" / "lab.runs"
    folder.mkdir(parents=True)
    for number in range(RUNS + 3):
        (folder / f"2025{number:04}.json").write_text("{}\n")
    (folder / "other").touch()
    assert record(tmp_path, 1).exit_code == 0
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == RUNS + 1
    assert names[0] == "20250004.json"
    assert names[-2:] == ["20260001.json", "other"]


def test_where_none_was_written_none_is_shown(tmp_path: Path) -> None:
    shown = here(history.show_runs("lab"), tmp_path)
    assert (shown.exit_code, history.show_runs("lab").parse(shown)) == (0, ())


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "changeover").mkdir()
    (tmp_path / "changeover" / "lab.runs").write_text("a file")
    assert record(tmp_path, 1).exit_code != 0


def test_names_of_environments_make_different_folders(tmp_path: Path) -> None:
    for name in ("a/b", "a b"):
        assert here(history.record_run(name, "2026", "{}"), tmp_path).exit_code == 0
    assert sorted(path.name for path in (tmp_path / "changeover").glob("*.runs")) == [
        "a%20b.runs",
        "a%2Fb.runs",
    ]
