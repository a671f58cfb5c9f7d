"""One hook as a real program: what it gets, how it ends, and that it ends."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from deploy.hooks import hook

FULL = Path("/dev/full")
"""A device that every write to fails with ENOSPC."""


def script(folder: Path, *lines: str, first: str = "#!/bin/sh") -> Path:
    file = folder / "hook"
    file.write_text("\n".join((first, *lines, "")))
    file.chmod(0o755)
    return file


def ran(file: Path, limit_seconds: float = 30.0, **more: object) -> hook.Ended:
    given = {"variables": {"CHANGEOVER_VERB": "deploy"}, "event": '{"event": "x"}\n'} | more
    return hook.run(file, folder=file.parent, limit_seconds=limit_seconds, **given)  # type: ignore[arg-type]  # a table's


def test_it_gets_its_variables_its_folder_and_the_event_as_json(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    file = script(tmp_path, f'cat >{seen}; echo "$CHANGEOVER_VERB in $PWD"')
    ended = ran(file)
    assert ended.error == ""
    assert ended.output == (f"deploy in {tmp_path}",)
    assert json.loads(seen.read_text()) == {"event": "x"}


def test_one_that_reads_nothing_of_a_large_event_is_not_waited_for(tmp_path: Path) -> None:
    assert ran(script(tmp_path, "exit 0"), event="x" * 1_000_000).error == ""


def test_a_disk_without_room_for_the_event_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: FULL.open("wb"))
    error = ran(script(tmp_path, "exit 0"), event="x" * 100_000).error
    assert error == "the event for it cannot be stored: No space left on device"


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (("echo no; exit 3",), "exit status 3"),
        (("kill -9 $$",), "signal 9 ended it"),
    ],
)
def test_how_it_failed_is_said(tmp_path: Path, lines: tuple[str, ...], error: str) -> None:
    assert ran(script(tmp_path, *lines)).error == error


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("echo no shebang", "a script begins with a line such as `#!/bin/sh`"),
        ("#!/no/such/shell", "is the interpreter of its first line"),
    ],
)
def test_one_that_cannot_be_executed_is_an_error_in_words(
    tmp_path: Path, first: str, said: str
) -> None:
    assert said in ran(script(tmp_path, first=first)).error


def test_the_last_lines_of_much_output_are_kept_and_none_blocks_it(tmp_path: Path) -> None:
    ended = ran(script(tmp_path, "seq 1 200000 >&2; exit 1"))
    assert ended.output == tuple(str(number) for number in range(199_981, 200_001))


def test_one_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    """Also where it ignores the polite signal."""
    child = tmp_path / "child"
    file = script(
        tmp_path, "trap '' TERM", f"sleep 600 & echo $! >{child}", "while :; do wait; done"
    )
    ended = ran(file, limit_seconds=0.5)
    assert ended.error == "it took longer than 0.5 s (`hook_seconds:`)"
    assert ended.is_late
    deadline = time.monotonic() + 10
    while is_alive(int(child.read_text())):
        assert time.monotonic() < deadline, "what it started still runs"


def test_it_is_ended_when_the_run_is_which_is_not_its_delay(tmp_path: Path) -> None:
    ended = ran(script(tmp_path, "sleep 600"), is_over=lambda: True)
    assert ended.error == "it was ended, as the run was"
    assert not ended.is_late


def test_what_it_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    child = tmp_path / "child"
    began = time.monotonic()
    ended = ran(script(tmp_path, f"sleep 600 & echo $! >{child}; echo sent"))
    assert (ended.error, ended.output) == ("", ("sent",))
    assert time.monotonic() - began < 60
    os.kill(int(child.read_text()), 9)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which another parent has not waited for, does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
