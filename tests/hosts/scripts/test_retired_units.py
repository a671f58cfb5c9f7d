"""A unit that was retired can be started again by its name, wherever its file lies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from shell import run, typed

from deploy.hosts.scripts import service

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
case $1 in
  cat) [ -e {folder}/etc/systemd/system/$2 ] || [ -e {folder}/etc/systemd/system/web@.service ] ;;
  disable) find {folder}/etc/systemd/system -type l -delete ;; # as systemd's own does
esac
"""


def retire(tmp_path: Path, unit: str) -> list[str]:
    """What systemctl was called for while a unit was retired, without the looks."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "systemctl").chmod(0o755)
    text = service.retire_unit(unit).text.replace("/etc/systemd/", f"{tmp_path}/etc/systemd/")
    ran = run(text, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert ran.exit_code == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    return [call for call in calls if not call.startswith(("show ", "cat "))]


@pytest.mark.parametrize(
    ("unit", "file"),
    [("legacy.service", "legacy.service"), ("web@5000.service", "web@.service")],
)
def test_p3_a_unit_whose_file_is_linked_is_known_afterwards(
    tmp_path: Path, unit: str, file: str
) -> None:
    """`systemctl enable /opt/legacy/legacy.service`, or a link that a playbook made."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    there = tmp_path / file
    there.write_text("[Service]\n")
    (folder / file).symlink_to(there)
    assert retire(tmp_path, unit) == [f"disable --now --quiet {unit}", "daemon-reload"]
    assert (folder / file).readlink() == there


def test_control_a_file_stays_without_a_further_reload(tmp_path: Path) -> None:
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    (folder / "legacy.service").write_text("[Service]\n")
    assert retire(tmp_path, "legacy.service") == ["disable --now --quiet legacy.service"]
    assert [each.name for each in folder.iterdir()] == ["legacy.service"]


def test_a_path_without_sbin_hides_no_program() -> None:
    """By sudo without secure_path, and Debian's PATH for SSH: useradd was "not installed"."""
    ran = run(typed('echo "$PATH"'), environ={"PATH": "/usr/bin:/bin"})
    assert ran.stdout.strip() == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
