"""Which files of the folder are hooks; one that would never run is refused, not passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.errors import BadInput
from deploy.hooks import folder
from deploy.hooks.folder import Moment

if TYPE_CHECKING:
    from pathlib import Path


def put(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_each_moment_has_its_file_and_others_may_lie_beside_them(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    files = {moment: put(hooks / moment) for moment in Moment}
    put(hooks / "README.md", 0o644)
    put(hooks / "shared.sh", 0o644)
    put(hooks / ".gitignore", 0o644)
    (hooks / "library").mkdir()
    assert folder.find(hooks, is_expected=True) == files


def test_no_folder_means_no_hooks_unless_the_settings_name_it(tmp_path: Path) -> None:
    assert folder.find(tmp_path / "hooks", is_expected=False) == {}
    with pytest.raises(BadInput, match=r"hooks: .* does not exist; make it, or leave"):
        folder.find(tmp_path / "hooks", is_expected=True)
    (tmp_path / "hooks").write_text("")
    with pytest.raises(BadInput, match="cannot be read: Not a directory"):
        folder.find(tmp_path / "hooks", is_expected=False)


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("pre-deploy", 0o644, r"not executable; run `chmod \+x "),
        ("predeploy", 0o755, "no hook has this name; did you mean 'pre-deploy'"),
        ("pre-deploy.sh", 0o755, "no hook has this name; did you mean 'pre-deploy'"),
        ("post-host.py", 0o644, "no hook has this name; did you mean 'post-host'"),
        ("notify", 0o755, "no hook has this name; hooks are pre-deploy, pre-batch"),
    ],
)
def test_what_would_never_run_is_refused_by_name(
    tmp_path: Path, name: str, mode: int, said: str
) -> None:
    put(tmp_path / "hooks" / name, mode)
    with pytest.raises(BadInput, match=said):
        folder.find(tmp_path / "hooks", is_expected=False)


def test_links_and_folders_in_a_hooks_place_are_refused_all_at_once(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-batch").symlink_to("../gone")
    (hooks / "post-host").mkdir()
    with pytest.raises(BadInput) as refused:
        folder.find(hooks, is_expected=False)
    folder_said, link_said = refused.value.args
    assert folder_said.endswith("post-host: a hook must be a file that can be executed")
    assert link_said.endswith("pre-batch: this link leads to ../gone, which does not exist")
