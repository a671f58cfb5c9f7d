"""Where nothing temporary can be written, a command says so and names what to set."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.session import scratch


def test_a_folder_is_this_users_alone_and_goes_with_its_block() -> None:
    with scratch.folder() as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert not Path(folder).exists()


def test_a_system_without_a_place_to_write_to_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As in a container whose whole file system is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(BadInput, match=r"no temporary folder can be made: .*; let TMPDIR name"):
        scratch.folder()
