"""A decision counts for one deploy alone, and only where a majority of the hosts shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from lockhosts import FolderHost

from deploy.hosts.lock import decision
from deploy.hosts.lock.decision import Decision, Word
from deploy.hosts.lock.holder import Holder
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.hosts.ssh.remote import Remote

TOKEN = "ab" * 16
BY = "ana@laptop at 2026-11-29T12:00:00+00:00"


def folders(root: Path, count: int, token: str = TOKEN) -> dict[str, FolderHost]:
    """So many hosts on which a deploy holds the lock."""
    holder = Holder(token, "me@here", "2026-11-29T12:00:00+00:00", "deploy", "", 30.0)
    found: dict[str, FolderHost] = {}
    for number in range(1, count + 1):
        host = found[f"host-{number}"] = FolderHost(root / f"host-{number}")
        host.root.mkdir()
        taken = host.ask(lock.take_lock("lab", holder.token, holder.as_line()))
        assert taken.exit_code == 0
    return found


def remotes(hosts: Mapping[str, FolderHost]) -> Mapping[str, Remote]:
    return cast("Mapping[str, Remote]", hosts)


@pytest.mark.parametrize("word", Word)
def test_p5_what_a_majority_shows_counts_and_is_forgotten_when_the_next_hold_begins(
    tmp_path: Path, word: Word
) -> None:
    hosts = remotes(folders(tmp_path, 3))
    assert decision.read("lab", hosts, TOKEN) is None
    assert decision.write("lab", hosts, TOKEN, word, BY) == {}
    assert decision.read("lab", hosts, TOKEN) == Decision(TOKEN, word, BY)
    decision.forget("lab", hosts, TOKEN)
    assert decision.read("lab", hosts, TOKEN) is None


@pytest.mark.parametrize(
    ("size", "down", "counts"), [(1, 0, True), (2, 1, False), (3, 1, True), (4, 2, False)]
)
def test_p12_hosts_that_do_not_show_it_count_against_it(
    tmp_path: Path, size: int, down: int, *, counts: bool
) -> None:
    hosts = folders(tmp_path, size)
    silent = [*hosts.values()][:down]
    for host in silent:
        host.is_down = True
    failed = decision.write("lab", remotes(hosts), TOKEN, Word.PROMOTE, BY)
    assert len(failed) == down
    for host in silent:
        host.is_down = False
    assert (decision.read("lab", remotes(hosts), TOKEN) is not None) is counts


def test_p12_one_host_that_made_a_decision_up_decides_nothing(tmp_path: Path) -> None:
    hosts = folders(tmp_path, 3)
    liar = hosts["host-1"].file.with_suffix(".decision")
    liar.write_text(f"{TOKEN} abort mallory\n")
    assert decision.read("lab", remotes(hosts), TOKEN) is None
    decision.write("lab", remotes(hosts), TOKEN, Word.PROMOTE, BY)
    liar.write_text(f"{TOKEN} abort mallory\n")
    assert decision.read("lab", remotes(hosts), TOKEN) == Decision(TOKEN, Word.PROMOTE, BY)


def test_p5_it_is_written_for_the_deploy_that_holds_the_lock_and_counts_for_no_later_one(
    tmp_path: Path,
) -> None:
    hosts = remotes(folders(tmp_path, 3))
    other = "cd" * 16
    failed = decision.write("lab", hosts, other, Word.ABORT, BY)
    assert set(failed.values()) == {
        f"host-{number}: that deploy does not hold its lock" for number in (1, 2, 3)
    }
    decision.write("lab", hosts, TOKEN, Word.ABORT, BY)
    assert decision.read("lab", hosts, other) is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"\xff\x00",
        f"{TOKEN} promote".encode(),
        f"{TOKEN} destroy me\n".encode(),
        f"{TOKEN} promote a\nb".encode(),
        f"{TOKEN} promote \x1b[2J\n".encode(),
        f"{TOKEN} promote {'x' * 2000}\n".encode(),
        f"{TOKEN.upper()} promote me\n".encode(),
    ],
)
def test_anything_else_on_a_host_is_no_decision(raw: bytes | None) -> None:
    assert Decision.parse(raw) is None


def test_who_decided_may_have_any_name(tmp_path: Path) -> None:
    hosts = remotes(folders(tmp_path, 1))
    assert decision.write("lab", hosts, TOKEN, Word.PROMOTE, "Zoë's \n laptop $(id) `x`") == {}
    found = decision.read("lab", hosts, TOKEN)
    assert found
    assert found.by == "Zo\\xeb's   laptop $(id) `x`"
