"""What systemd remembers of unit files may be old: the survey looks at what lies on the disk."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import builders
import pytest
from shell import run

from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.survey.slot import Slot

UNIT = "web@5000.service"
DIGEST = "a" * 64
TEXT = f'[Service]\nEnvironment="CHANGEOVER_UNIT={DIGEST}"\n'
SYSTEMCTL = """#!/bin/sh
case "$*" in
  "is-enabled "*) echo {on_disk}; [ {on_disk} = enabled ] ;;
  "show init.scope "*) echo {all_outdated} ;;
  "show "*" -p Environment --value") echo 'A=b "C=d e" CHANGEOVER_UNIT={in_memory} F=g' ;;
  "show "*)
    echo LoadState=loaded
    echo ActiveState={active}
    case "$*" in *UnitFileState*) echo UnitFileState={remembered} ;; esac
    echo MainPID={pid}
    echo ExecMainStartTimestamp=Fri 2100-01-01 00:00:00 UTC
    echo FragmentPath=/etc/systemd/system/web@5000.service
    echo NeedDaemonReload={outdated} ;;
esac
"""
"""`systemctl` on a host; what it remembers and what lies on the disk are apart."""


def surveyed(root: Path, **systemd: object) -> Slot:
    """The slot as a host reports it whose systemd answers so; it replaces `old.service`."""
    folder = root / "etc/systemd/system"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNIT).write_text(TEXT)
    given: dict[str, object] = {
        "on_disk": "enabled",
        "remembered": "enabled",
        "active": "active",
        "outdated": "no",
        "all_outdated": "no",
        "in_memory": DIGEST,
        "pid": os.getpid(),
    }
    (root / "systemctl").write_text(SYSTEMCTL.format(**(given | systemd)))
    (root / "systemctl").chmod(0o755)
    slots = read.survey_slots([("web", 5000, UNIT)])
    script = text_of((read.survey_app("web", "nobody", "old.service", None), *slots))
    # The path that systemd names stays as it is: only the folders that are looked at move.
    moved = script.replace("/etc/systemd/", f"{root}/etc/systemd/").replace("/srv/", f"{root}/srv/")
    ran = run(moved, environ={"PATH": f"{root}:{os.environ['PATH']}"})
    return parse_host(builders.host(), ran.facts, [builders.app()]).slots["web"]


@pytest.mark.parametrize("remembered", ["enabled", "disabled"])
@pytest.mark.parametrize("on_disk", ["enabled", "disabled"])
def test_a_unit_is_enabled_if_its_links_are_there_whatever_systemd_remembers(
    tmp_path: Path, on_disk: str, remembered: str
) -> None:
    """After `disable --no-reload` the property stays `enabled`: every later plan would end it."""
    slot = surveyed(tmp_path, on_disk=on_disk, remembered=remembered)
    assert slot.unit_state.enabled == on_disk
    assert slot.replaces.enabled == on_disk


def test_a_unit_that_is_not_there_is_not_enabled(tmp_path: Path) -> None:
    """`is-enabled` prints nothing for it, or from version 253 `not-found`."""
    slot = surveyed(tmp_path, on_disk="not-found", remembered="enabled")
    assert slot.unit_state.enabled == slot.replaces.enabled == "not-found"
    assert surveyed(tmp_path, on_disk="''", remembered="").unit_state.enabled == ""


def is_as_loaded(slot: Slot) -> bool:
    return slot.running_unit_digest == slot.unit_digest == DIGEST


def test_a_unit_is_not_outdated_since_another_was_enabled_without_a_reload(tmp_path: Path) -> None:
    """From version 253 systemd then says so of every unit: all hosts would be restarted."""
    slot = surveyed(tmp_path, outdated="yes", all_outdated="yes")
    assert not slot.unit_state.needs_reload
    assert is_as_loaded(slot)


@pytest.mark.parametrize(
    "differs", [{"all_outdated": "no"}, {"in_memory": "b" * 64}, {"in_memory": ""}]
)
def test_a_unit_whose_own_file_changed_is_outdated(tmp_path: Path, differs: dict[str, str]) -> None:
    slot = surveyed(tmp_path, **({"outdated": "yes", "all_outdated": "yes"} | differs))
    assert slot.unit_state.needs_reload
    assert not is_as_loaded(slot)


@pytest.mark.parametrize("folder", ["web@5000.service.d", "web@.service.d"])
def test_a_unit_with_a_drop_in_that_may_not_be_loaded_is_outdated(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / "etc/systemd/system" / folder
    place.mkdir(parents=True)
    (place / "limits.conf").write_text("[Service]\nLimitNOFILE=9\n")
    slot = surveyed(tmp_path, outdated="yes", all_outdated="yes")
    assert slot.unit_state.needs_reload
    assert not is_as_loaded(slot)


def test_the_digest_that_the_survey_reads_is_that_of_the_file(tmp_path: Path) -> None:
    assert surveyed(tmp_path).unit_sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
