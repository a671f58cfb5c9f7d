"""Records of what is run once: real files under the scripts that hosts run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import pytest
from lockhosts import FolderHost

from deploy.errors import LockLost, Unreachable
from deploy.hosts.lock.holder import Holder
from deploy.hosts.once import ledger, scripts
from deploy.hosts.once.evidence import Standing
from deploy.hosts.once.ledger import Ledger
from deploy.hosts.once.record import OnceRecord, State
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.hosts.ssh.remote import Remote

TOKEN, RUN = "ab" * 16, "cd" * 16
RELEASE, OTHER = "2.0.0-bbbbbbbbbbbb", "3.0.0-cccccccccccc"
STARTED = OnceRecord(State.STARTED, RUN, "host-1", "2026-11-29T12:00:00+00:00", "ana@laptop")
DONE = OnceRecord(State.DONE, RUN, "host-1", "2026-11-29T12:00:09+00:00", "ana@laptop")


class Host(FolderHost):
    """A host whose apps lie in its folder, too."""

    def moved(self, text: str) -> str:
        return super().moved(text).replace("/srv/", f"{self.root}/srv-")


def hosts(root: Path, count: int) -> dict[str, FolderHost]:
    """So many hosts on which a deploy holds the lock."""
    holder = Holder(TOKEN, "me@here", "2026-11-29T12:00:00+00:00", "deploy", "", 30.0)
    found: dict[str, FolderHost] = {}
    for number in range(1, count + 1):
        host = found[f"host-{number}"] = Host(root / f"host-{number}")
        host.root.mkdir()
        assert host.ask(lock.take_lock("lab", TOKEN, holder.as_line())).exit_code == 0
    return found


def of(found: Mapping[str, FolderHost], token: str = TOKEN) -> Ledger:
    return Ledger("lab", cast("Mapping[str, Remote]", found), token)


def standing(found: Mapping[str, FolderHost], app: str = "web", release: str = RELEASE) -> Standing:
    return ledger.read("lab", cast("Mapping[str, Remote]", found), app, release).standing


def test_p4_what_is_written_is_found_by_another_command(tmp_path: Path) -> None:
    found = hosts(tmp_path, 3)
    assert standing(found) is Standing.NOT_RUN
    of(found).write("web", RELEASE, STARTED)
    assert standing(found) is Standing.STARTED
    of(found).write("web", RELEASE, DONE)
    assert standing(found) is Standing.DONE
    shown = ledger.read("lab", cast("Mapping[str, Remote]", found), "web", RELEASE)
    assert shown.record == DONE
    assert set(shown.records) == set(found)


def test_each_environment_app_and_release_has_its_own(tmp_path: Path) -> None:
    found = hosts(tmp_path, 1)
    of(found).write("web", RELEASE, DONE)
    assert standing(found, "web", OTHER) is Standing.NOT_RUN
    assert standing(found, "admin") is Standing.NOT_RUN
    remotes = cast("Mapping[str, Remote]", found)
    assert ledger.read("other", remotes, "web", RELEASE).standing is Standing.NOT_RUN


def test_a_host_without_a_release_of_the_app_cannot_know(tmp_path: Path) -> None:
    found = hosts(tmp_path, 1)
    remotes = cast("Mapping[str, Remote]", found)
    assert ledger.read("lab", remotes, "web", RELEASE).blank == {"host-1"}
    history = found["host-1"].root / "srv-web" / "records" / "history"
    history.parent.mkdir(parents=True)
    history.write_text("{}\n")
    assert ledger.read("lab", remotes, "web", RELEASE).blank == frozenset()


@pytest.mark.parametrize(
    ("size", "down", "is_written"), [(3, 1, True), (3, 2, False), (2, 1, False)]
)
def test_p4_it_counts_as_written_on_a_majority_alone(
    tmp_path: Path, size: int, down: int, *, is_written: bool
) -> None:
    found = hosts(tmp_path, size)
    for host in [*found.values()][:down]:
        host.is_down = True
    if is_written:
        of(found).write("web", RELEASE, STARTED)
        return
    with pytest.raises(Unreachable, match=rf"{size - down} do: host-1: no connection|host-1"):
        of(found).write("web", RELEASE, STARTED)


def test_p5_who_does_not_hold_the_lock_writes_nothing(tmp_path: Path) -> None:
    found = hosts(tmp_path, 3)
    with pytest.raises(LockLost):
        of(found, "ef" * 16).write("web", RELEASE, STARTED)
    assert standing(found) is Standing.NOT_RUN


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\x00",
        b"{}",
        b'{"state": "done"}',
        b'{"format": 99, "state": "done", "run": "' + RUN.encode() + b'"}',
        b'{"state": "done", "run": "../../x", "host": "", "at": "", "by": ""}',
        b'{"state": "undone", "run": "' + RUN.encode() + b'", "host": "", "at": "", "by": ""}',
    ],
)
def test_what_cannot_be_read_is_no_answer(tmp_path: Path, raw: bytes) -> None:
    found = hosts(tmp_path, 3)
    of(found).write("web", RELEASE, DONE)
    (tmp_path / "host-1" / "changeover" / "lab.once" / f"web.{RELEASE}").write_bytes(raw)
    shown = ledger.read("lab", cast("Mapping[str, Remote]", found), "web", RELEASE)
    assert (set(shown.silent), shown.standing) == ({"host-1"}, Standing.DONE)


def test_the_oldest_releases_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "KEPT", 2)
    found = hosts(tmp_path, 1)
    folder = tmp_path / "host-1" / "changeover" / "lab.once"
    for number in range(4):
        of(found).write("web", f"{number}.0.0-bbbbbbbbbbbb", DONE)
        for place, file in enumerate(sorted(folder.iterdir())):
            _age(file, place)
    assert [each.name for each in sorted(folder.iterdir())] == [
        "web.2.0.0-bbbbbbbbbbbb",
        "web.3.0.0-bbbbbbbbbbbb",
    ]


def _age(file: Path, seconds: int) -> None:
    os.utime(file, (1_000_000 + seconds, 1_000_000 + seconds))
