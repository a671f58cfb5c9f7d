"""The script that starts what is run once: never a second time, and never beside another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import shell

from deploy.hosts.once import scripts

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.command_result import CommandResult

FIRST, SECOND = "ab" * 16, "cd" * 16
TEXT = b"[Service]\nExecStart=/bin/true\n"
# A unit's state is the text of <root>/<unit>.state; what was started is kept.
SYSTEMCTL = """#!/bin/sh
for unit; do :; done
case $1 in
show) echo "ActiveState=$(cat "{root}/$unit.state" 2>/dev/null || echo inactive)" ;;
--no-ask-password) [ ! -e {root}/refused ] && echo "$unit" >> {root}/started ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.format(root=tmp_path))
    program.chmod(0o755)
    return tmp_path


def start(root: Path, run: str, sent: bytes = TEXT) -> CommandResult:
    script = scripts.start("web", run, len(TEXT))
    text = script.text.replace("/run/systemd/system", f"{root}/units")
    text = text.replace("/srv/web/records", str(root))
    return shell.run(f"PATH={root}:$PATH\n{text}", sent)


def started(root: Path) -> list[str]:
    file = root / "started"
    return file.read_text().split() if file.exists() else []


def units(root: Path) -> list[str]:
    return sorted(each.name for each in (root / "units").iterdir())


def test_a_connection_that_broke_starts_nothing_twice(root: Path) -> None:
    unit = f"changeover-once.web.{FIRST[:12]}.service"
    for _ in range(3):
        assert start(root, FIRST).exit_code == 0
    assert started(root) == [unit]
    assert (root / "units" / unit).read_bytes() == TEXT


def test_p4_a_host_that_was_restarted_meanwhile_starts_nothing_twice(root: Path) -> None:
    start(root, FIRST)
    for file in (root / "units").iterdir():
        file.unlink()  # as a restart leaves /run
    for _ in range(2):
        assert start(root, FIRST).exit_code == scripts.RESTARTED
    assert len(started(root)) == 1
    assert start(root, SECOND).exit_code == 0, "another deploy was told to run it again"


@pytest.mark.parametrize("state", ["activating", "deactivating"])
def test_nothing_is_started_beside_one_that_runs(root: Path, state: str) -> None:
    start(root, FIRST)
    (root / f"changeover-once.web.{FIRST[:12]}.service.state").write_text(f"{state}\n")
    second = start(root, SECOND)
    assert second.exit_code == scripts.STILL_RUNS
    assert FIRST[:12] in second.stdout
    assert len(started(root)) == 1


@pytest.mark.parametrize("state", ["active", "failed", "inactive"])
def test_what_an_earlier_one_left_is_removed(root: Path, state: str) -> None:
    start(root, FIRST)
    (root / f"changeover-once.web.{FIRST[:12]}.service.state").write_text(f"{state}\n")
    (root / "units" / f"changeover-once.api.{FIRST[:12]}.service").write_text("another app's")
    assert start(root, SECOND).exit_code == 0
    assert units(root) == [
        f"changeover-once.api.{FIRST[:12]}.service",
        f"changeover-once.web.{SECOND[:12]}.service",
    ]


def test_half_a_unit_is_not_started(root: Path) -> None:
    assert start(root, FIRST, TEXT[:9]).exit_code == 1
    assert (units(root), started(root)) == ([], [])


def test_one_that_systemd_does_not_take_leaves_nothing(root: Path) -> None:
    (root / "refused").touch()
    assert start(root, FIRST).exit_code == 1
    assert units(root) == []
    (root / "refused").unlink()
    assert start(root, FIRST).exit_code == 0, "as when the host was starting"
