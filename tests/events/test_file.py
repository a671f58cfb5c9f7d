"""A run is kept as it happens; what keeps it from being kept ends nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.events import file
from deploy.events.event import Entry, HostSaid, LockTaken
from deploy.events.stream import Stream

RUN = "0123456789abcdef" * 2
FULL = Path("/dev/full")
"""A device that every write to fails with ENOSPC."""


def test_each_event_is_in_the_file_before_the_next_one_happens(tmp_path: Path) -> None:
    runs = tmp_path / "a" / "runs"
    stream = Stream(now=lambda: 1_795_950_000.0)
    with file.recorded(stream, runs, RUN) as recorder:
        stream.emit(LockTaken())
        assert [entry.event for entry in file.load(recorder.file)] == [LockTaken()]
        stream.emit(HostSaid("h", "x"))
        assert len(file.load(recorder.file)) == 2
    stream.emit(LockTaken())
    assert file.load(recorder.file)[1] == Entry(1_795_950_000.0, HostSaid("h", "x"))
    assert len(file.load(recorder.file)) == 2
    assert recorder.file == runs / "20261129T110000Z-01234567" / "events.jsonl"
    assert str(recorder) == f"The run is kept in {recorder.file}"


def test_it_is_for_its_owner_alone_and_not_for_git(tmp_path: Path) -> None:
    stream = Stream()
    with file.recorded(stream, tmp_path / "runs", RUN) as recorder:
        stream.emit(LockTaken())
    assert stat.S_IMODE(recorder.file.parent.stat().st_mode) == 0o700
    assert (tmp_path / "runs" / ".gitignore").read_text() == "*\n"


def test_a_run_without_events_leaves_no_file(tmp_path: Path) -> None:
    with file.recorded(Stream(), tmp_path / "runs", RUN):
        pass
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_made_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    stream = Stream()
    with file.recorded(stream, tmp_path / "runs", RUN) as recorder:
        stream.emit(LockTaken())
        stream.emit(LockTaken())
    assert not stream.defects
    assert str(recorder).endswith("events.jsonl, but not to its end: File exists")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file.Recorder, "_opened", lambda _: FULL.open("wb"))
    stream = Stream()
    with file.recorded(stream, tmp_path / "runs", RUN) as recorder:
        stream.emit(LockTaken())
        stream.emit(LockTaken())
    assert not stream.defects
    assert "No space left on device" in str(recorder)


def test_its_path_is_shown_as_it_is_typed_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / ".changeover" / "runs" / "x"
    assert file.from_here(kept) == kept
    monkeypatch.chdir(tmp_path)
    assert file.from_here(kept) == Path(".changeover/runs/x")
