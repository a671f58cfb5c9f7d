"""What lies at a typed path is answered for every path, also where no file can have it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy import path_checks
from deploy.errors import BadInput

CHECKS = (path_checks.exists, path_checks.is_file, path_checks.is_folder)


@pytest.mark.parametrize("path", ["a" * 300, "b/" * 3000, "c\0d", ""])
def test_there_is_nothing_at_a_path_that_no_file_can_have(path: str) -> None:
    assert [check(path) for check in CHECKS] == [False, False, False]


def test_files_folders_and_pipes_are_distinguished(tmp_path: Path) -> None:
    file, pipe, link = tmp_path / "file", tmp_path / "pipe", tmp_path / "link"
    file.touch()
    os.mkfifo(pipe)
    link.symlink_to(file)
    seen = {path: [check(path) for check in CHECKS] for path in (file, tmp_path, pipe, link)}
    assert seen == {
        file: [True, True, False],
        tmp_path: [True, False, True],
        pipe: [True, False, False],
        link: [True, True, False],
    }


def test_a_path_longer_than_any_is_refused_in_few_words() -> None:
    with pytest.raises(BadInput) as refused:
        path_checks.expanded("a" * 70_000)
    assert str(refused.value).endswith(
        "no path has more than 4,096 characters, and this one has 70,000"
    )
    assert len(str(refused.value)) < 200
