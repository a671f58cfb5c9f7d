"""What a host's programs are tried with: GNU's pass, others are named with what they said."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from shell import run

from deploy.hosts import host_trial

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = '#!/bin/sh\necho "$0: cannot do that" >&2\nexit 1\n'
VERIFIES = """#!/bin/sh
for last; do :; done
cat "$last" > {folder}/seen
ls -l "$(sed -n 's/^ExecStart=\\([^ ]*\\).*/\\1/p' "$last")" > {folder}/listed 2>&1
{then}
"""
UNIT = f"[Service]\nExecStart={host_trial.PLACE}/bin/web --port 5000\n"


def on(folder: Path, **programs: str) -> dict[str, str]:
    """This machine's environment with these programs before its own."""
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TMPDIR": str(temporary)}


def test_a_host_with_gnus_programs_passes_and_nothing_is_left(tmp_path: Path) -> None:
    script = host_trial.programs()
    tried = script.parse(run(script, environ=on(tmp_path, ss="#!/bin/sh\n")))
    assert tried.failed == ()
    assert tried.clock is not None
    assert abs(tried.clock - time.time()) < 60
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["mv", "b2sum", "sha256sum", "tar", "cp", "find", "od", "awk", "flock", "df", "sync"],
)
def test_control_each_program_that_does_not_work_is_named(tmp_path: Path, name: str) -> None:
    """But base64, without which no text comes back at all."""
    script = host_trial.programs()
    tried = script.parse(run(script, environ=on(tmp_path, ss="#!/bin/sh\n", **{name: BROKEN})))
    failed = dict(tried.failed)
    assert name in failed
    assert "cannot do that" in failed[name] or name in {"b2sum", "sha256sum", "df", "od", "find"}


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("exit 0", ()),
        ("exit 1", ("it gave no reason",)),
        (
            'echo "$last:3: Unknown key name"; exit 0',
            ("units/web@5000.service:3: Unknown key name",),
        ),
        ("echo 'of another unit'; exit 0", ()),
    ],
)
def test_a_units_text_is_judged_with_a_file_in_place_of_its_release(
    tmp_path: Path, then: str, said: tuple[str, ...]
) -> None:
    analyze = VERIFIES.format(folder=tmp_path, then=then)
    script = host_trial.units({"web@5000.service": UNIT}, "bin/web")
    environ = on(tmp_path, **{"systemd-analyze": analyze})
    assert script.parse(run(script, environ=environ)) == said
    assert host_trial.PLACE not in (tmp_path / "seen").read_text()
    assert (tmp_path / "listed").read_text().startswith("-rwx"), "the executable is there"
    assert list((tmp_path / "tmp").iterdir()) == []
