"""The lock's line: a strict grammar, compared exactly at its place by the hosts' own shell."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
import shell
from hypothesis import given
from hypothesis import strategies as st
from lockhosts import FolderHost, forged

from audit import lock as audit_lock
from deploy.hosts.lock import holder
from deploy.hosts.lock.holder import Holder
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import LOCK_HELD, LOCK_LOST
from deploy.hosts.scripts.script import Facts, as_it_is

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN, OTHER = "0123456789abcdef" * 2, "f" * 32
HOLDER = Holder(TOKEN, "ana@one", "2026-11-23T08:00:00+00:00", "deploy", "https://ci/1", 30.0, 7)


def test_a_holder_is_what_was_written() -> None:
    assert Holder.parse(HOLDER.as_line()) == HOLDER
    assert str(HOLDER) == "deploy by ana@one since 2026-11-23T08:00:00+00:00, https://ci/1"
    assert "token" not in HOLDER.public()
    older = asdict(HOLDER)
    del older["tool_version"]
    assert Holder.parse(json.dumps(older)) == replace(HOLDER, tool_version="")


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(HOLDER.as_line()), **fields})


WRONG = (
    "", "{", "[]", "{}", "null", "7", "[" * 4000, '{"token":' * 400, "x" * 5000,
    json.dumps({"token": 1}),
    changed(token=".*"), changed(token=TOKEN.upper()), changed(token=TOKEN + "\n"),
    changed(token=[TOKEN]), changed(token="\u0660" * 32),
    changed(author=""), changed(author=None), changed(author="\x1b[2J"), changed(author="a\nb"),
    changed(author="\u202eb"), changed(author="a" * 900), changed(what="::stop-commands::\n"),
    changed(run=7), changed(since="yesterday"), changed(since="2026-99-23T08:00:00+00:00"),
    changed(since="2026-11-23T08:00:00+00:00\n"),
    changed(ttl_seconds="30"), changed(ttl_seconds=True), changed(ttl_seconds=0),
    changed(ttl_seconds=-1), changed(ttl_seconds=1e9), changed(ttl_seconds=10**400),
    changed(ttl_seconds=float("nan")), changed(ttl_seconds=float("inf")),
    changed(beat=-1), changed(beat=1.5), changed(beat="1"), changed(beat=True),
    changed(beat=2**53 + 1), changed(beat=[1]), changed(more=1), changed(format=3),
    changed(tool_version=1), changed(tool_version="\x1b"), changed(tool_version="1" * 50),
    changed(format=True), changed(format=None),
    " " + HOLDER.as_line(), HOLDER.as_line() + "\n" + HOLDER.as_line(),
    HOLDER.as_line().replace('"token": "', '"token":"'),
    HOLDER.as_line().replace('{"token"', f'{{"token": "{OTHER}", "token"'),
    json.dumps(dict(reversed(list(json.loads(HOLDER.as_line()).items())))),
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_anything_else_is_no_holder(text: str) -> None:
    assert Holder.parse(text) is None
    assert holder.why_unreadable(text.encode()).isprintable()


def test_a_newer_format_is_named() -> None:
    assert "upgrade Changeover" in holder.why_unreadable(changed(format=3).encode())


@given(st.text(), st.text(), st.text())
def test_whatever_the_workstation_is_called_its_line_can_be_read(
    author: str, what: str, run: str
) -> None:
    made = Holder.of_this_process(author, what, 30)
    made = replace(made, run=holder._fitted(run, 2000))
    assert len(made.as_line()) < lock.LINE_BYTES
    assert Holder.parse(made.as_line()) == made


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_a_holder_or_none(raw: bytes) -> None:
    assert holder.parsed(raw) is None
    assert holder.why_unreadable(raw).isascii()


def test_a_hosts_answer_is_read_from_its_marker_on() -> None:
    assert lock.shown("motd\nlock=6162\n") == b"ab"
    assert lock.shown("lock=\n") == b""
    for text in ("", "lock=6", "lock=zz", "lock=" + "00" * 5000, "lock=61 62", "x" * 10**6):
        assert lock.shown(text) is None


@pytest.mark.parametrize("token", ["", ".*", TOKEN.upper(), TOKEN + "\n", TOKEN[1:], "$(id)"])
def test_no_builder_takes_what_is_no_token(token: str) -> None:
    line = HOLDER.as_line()
    builds: tuple[Callable[[], object], ...] = (
        lambda: lock.take_lock("lab", token, line),
        lambda: lock.beat_lock("lab", token, line),
        lambda: lock.holds_lock("lab", token),
        lambda: lock.drop_lock("lab", token),
        lambda: lock.break_lock("lab", token, "why"),
    )
    for build in builds:
        with pytest.raises(ValueError, match="32 hexadecimal digits"):
            build()
    if token:
        with pytest.raises(ValueError, match="32 hexadecimal digits"):
            lock.take_lock("lab", TOKEN, line, token)


@pytest.mark.parametrize("line", ["", "x", HOLDER.as_line() + "\n", HOLDER.as_line() + "x" * 5000])
def test_no_builder_writes_what_is_no_line_of_its_token(line: str) -> None:
    with pytest.raises(ValueError, match="starts with its holder"):
        lock.take_lock("lab", TOKEN, line)
    with pytest.raises(ValueError, match="starts with its holder"):
        lock.beat_lock("lab", OTHER, HOLDER.as_line())


@pytest.fixture
def host(tmp_path: Path) -> FolderHost:
    (tmp_path / "changeover").mkdir()
    return FolderHost(tmp_path)


NEAR = (
    changed(token=".*"),
    changed(token=OTHER, what=TOKEN),
    changed(token=OTHER, what=f'{{"token": "{TOKEN}"'),
    f'x{{"token": "{TOKEN}"',
    TOKEN,
    f'{{"token": "{TOKEN}',
    f"\n{HOLDER.as_line()}",
)


@pytest.mark.parametrize("text", NEAR)
def test_a_token_counts_only_at_its_own_place(host: FolderHost, text: str) -> None:
    host.file.write_text(text)
    line = HOLDER.as_line()
    assert host.ask(lock.holds_lock("lab", TOKEN)) == LOCK_LOST
    assert host.ask(lock.beat_lock("lab", TOKEN, line)) == LOCK_LOST
    assert host.ask(lock.take_lock("lab", TOKEN, line)).exit_code == LOCK_HELD
    assert host.ask(lock.take_lock("lab", TOKEN, line, "e" * 32)).exit_code == LOCK_HELD
    host.ask(lock.drop_lock("lab", TOKEN))
    host.ask(lock.break_lock("lab", TOKEN, "why"))
    assert host.file.read_text() == text


def test_what_is_not_a_file_is_shown_without_being_read_and_can_be_broken(
    host: FolderHost,
) -> None:
    makers: tuple[Callable[[], None], ...] = (
        host.file.mkdir,
        lambda: host.file.symlink_to("/dev/zero"),
    )
    for make in makers:
        make()
        raw = host.ask(lock.show_lock("lab"))
        assert raw == b"not a regular file"
        taken = host.ask(lock.take_lock("lab", TOKEN, HOLDER.as_line()))
        assert taken.exit_code == LOCK_HELD
        assert host.ask(lock.break_unreadable("lab", raw, "a note\nof two")) == 0
        assert not host.file.is_symlink()
        assert not host.file.exists()
    notes = host.file.with_suffix(".broken").read_text()
    assert notes == "a note of two\n" * 2


def test_of_a_large_file_4096_bytes_are_read(host: FolderHost) -> None:
    host.file.write_bytes(b"\xff" * 1_000_000)
    assert host.ask(lock.show_lock("lab")) == b"\xff" * 4096
    host.file.write_bytes(b"x" * 1_000_000)
    printed = shell.run(host.moved(lock.survey_lock("lab").text))
    assert Facts(printed.facts).first("lock") == "x" * 4096


def test_garbage_that_changed_meanwhile_is_not_removed(host: FolderHost) -> None:
    host.file.write_text(forged())
    host.ask(lock.break_unreadable("lab", b"who knows\n", "why"))
    assert host.file.read_text() == forged()


def test_files_that_commands_lock_lie_in_a_folder_of_root(host: FolderHost) -> None:
    assert host.ask(lock.drop_lock("lab", TOKEN)) == 0
    folder = host.root / "run-changeover"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "locks").exists()
    folder.chmod(0o755)
    host.ask(lock.drop_lock("lab", TOKEN))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_that_folder_is_refused(host: FolderHost) -> None:
    (host.root / "elsewhere").mkdir()
    (host.root / "run-changeover").symlink_to(host.root / "elsewhere")
    ended = host.ask(lock.drop_lock("lab", TOKEN).read_by(as_it_is))
    assert ended.exit_code == 1
    assert "is not a folder of root" in ended.stderr


def test_environments_of_any_name_have_locks_of_their_own() -> None:
    assert lock.lock_file("prod") == "/var/lib/changeover/prod.lock"
    assert lock.lock_file("../a b") == "/var/lib/changeover/..%2Fa%20b.lock"


def test_hostile_lines_are_holders_or_nothing_and_the_parser_of_before_was_fooled() -> None:
    """The audit's wall, in small."""
    assert audit_lock.read_lines(holder.parsed, 3000).findings == ()
    assert audit_lock.read_lines(audit_lock.naive, 1000).findings != ()
