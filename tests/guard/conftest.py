"""A folder, a home and an environment of the guard's own, and nothing outside of this process."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest

from deploy.cli import invoke_patch
from guard import damage, paper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = frozenset({"LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_START", "CHANGEOVER_DEBUG"})
"""Variables that stay; with the last one, an exception shows where it comes from."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Where commands run: they see the files here alone, and no program on PATH."""
    root = tmp_path_factory.mktemp("guard")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - KEPT:
            patch.delenv(name)
        patch.setenv("HOME", str(root / "home"))
        patch.setenv("PATH", str(root / "no-programs"))
        patch.setenv("USER", "deployer")
        patch.setattr(invoke_patch, "restore_on_signals", lambda: None)
        # Of one command; many in one process would never be freed.
        patch.setattr(gc, "freeze", lambda: None)
        with paper.world(patch):
            yield Ground(root, patch)


class Ground:
    """The folder of a project, and the home of its user, made anew for each example."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.project, self.home = root / "project", root / "home"
        for folder in (self.project, self.home):
            folder.mkdir()
        patch.chdir(self.project)

    def clear(self) -> None:
        """Empty both, but for the odd files, and a folder `.ssh` and one `.aws` at home."""
        paper.hang_up()
        for folder in (self.project, self.home):
            damage.clear(folder)
        for name in (".ssh", ".aws"):
            (self.home / name).mkdir(mode=0o700)
        damage.odd_files(self.project)
