"""One host's journal is read and followed, whatever breaks meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import builders
import paramiko
import pytest
from journals import Journal
from sshd import Sshd

from deploy.aws.inventory import Host
from deploy.errors import CommandFailed, DeployError
from deploy.hosts.logbook import reader
from deploy.hosts.logbook.reader import Reader
from deploy.hosts.scripts.journals import Wanted
from deploy.hosts.ssh.remote import Remote
from lab.project import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.hosts.logbook.journal_line import JournalLine

UNITS = ("web@5000.service", "web@5001.service")
RELEASE = "2.0.0-bbbbbbbbbbbb"


class Ground:
    """A host with a journal, and what was read of it."""

    def __init__(self, remote: Remote, sshd: Sshd, journal: Journal) -> None:
        self.remote, self.sshd, self.journal = remote, sshd, journal
        self.lines: list[JournalLine] = []
        self.complaints: list[str] = []
        self.notes: list[str] = []
        self.stop = threading.Event()

    def reader(self, wanted: Wanted | None = None) -> Reader:
        return Reader(
            self.remote,
            wanted or Wanted(UNITS),
            self.lines.append,
            self.complaints.append,
            self.notes.append,
        )

    def follow(self, made: Reader) -> threading.Thread:
        thread = threading.Thread(target=made.follow, args=(self.stop,), daemon=True)
        thread.start()
        return thread

    @property
    def messages(self) -> list[str]:
        return [line.message for line in self.lines]

    def until(self, *messages: str) -> None:
        until(f"{messages}, of {self.messages}", lambda: self.messages == [*messages], 20)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(reader, "PAUSE_SECONDS", 0.05)
    sshd = Sshd(tmp_path)
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    (tmp_path / "known_hosts").write_text(sshd.known_hosts())
    ssh = {"user": "deploy", "port": sshd.port, "key_files": ["key"]}
    environment = builders.environment(
        root=tmp_path,
        ssh=ssh | {"known_hosts": ["known_hosts"], "connect_timeout_seconds": 5},
        fabric={"load_ssh_configs": False, "connect_kwargs": {"allow_agent": False}},
    )
    remote = Remote(Host("127.0.0.1", "127.0.0.1", "i-1", "eu-west-1a"), environment)
    made = Ground(remote, sshd, Journal(tmp_path))
    yield made
    made.stop.set()
    remote.close()
    sshd.stop()


def test_the_last_lines_are_read_and_then_those_that_come(ground: Ground) -> None:
    for message in ("one", "two", "three"):
        ground.journal.write(message)
    made = ground.reader()
    made.last(2)
    assert ground.messages == ["two", "three"]
    ground.follow(made)
    ground.journal.write("four")
    ground.until("two", "three", "four")


def test_where_no_line_was_wanted_the_new_ones_are_those_since_then(ground: Ground) -> None:
    ground.journal.write("old", at=1_000.0)
    made = ground.reader()
    made.last(0)
    ground.journal.write("between")
    ground.follow(made)
    ground.until("between")


def test_after_a_broken_connection_it_goes_on_after_the_last_line(ground: Ground) -> None:
    made = ground.reader()
    made.last(0)
    ground.follow(made)
    ground.journal.write("one")
    ground.until("one")
    ground.sshd.drop()
    ground.journal.write("two")
    ground.until("one", "two")
    until("it is back", lambda: len(ground.notes) == 1)
    ((complaint,), (note,)) = ground.complaints, ground.notes
    assert "the connection broke" in complaint
    assert complaint.endswith("this host is tried again until it is back")
    assert note == "127.0.0.1: is back, and followed from its last line on"
    cursors = [word for asked in ground.journal.asked for word in asked if "cursor" in word]
    assert cursors == ["--after-cursor=s=0f;i=1;b=0b"]


def test_a_host_that_could_not_be_read_at_first_shows_what_is_new_when_it_is_there(
    ground: Ground,
) -> None:
    ground.journal.write("old", at=1_000.0)
    ground.sshd.refuses = "publickey"
    made = ground.reader()
    with pytest.raises(DeployError):
        made.last(10)
    ground.follow(made)
    until("it is missed", lambda: len(ground.complaints) == 1)
    ground.sshd.refuses = ""
    until("it is back", lambda: len(ground.notes) == 1)
    ground.journal.write("new", at=4_000_000_000.0)
    ground.until("new")


def test_a_pattern_that_is_none_is_an_error_with_the_hosts_own_words(ground: Ground) -> None:
    made = ground.reader(Wanted(UNITS, pattern="("))
    with pytest.raises(CommandFailed, match="missing closing parenthesis"):
        made.last(10)
    thread = ground.follow(made)
    thread.join(20)
    assert not thread.is_alive()
    (complaint,) = ground.complaints
    assert complaint.endswith("this host is not followed any more")


@pytest.mark.parametrize("wanted", [RELEASE, "2.0.0"])
def test_a_release_is_named_by_its_id_or_its_version(ground: Ground, wanted: str) -> None:
    ground.journal.write("old", release="1.0.0-aaaaaaaaaaaa")
    ground.journal.write("mine", release=RELEASE)
    ground.journal.write("whose?")
    made = ground.reader(Wanted(UNITS, release=wanted))
    assert made.last(10)
    assert ground.messages == ["mine"]
    ground.follow(made)
    ground.journal.write("older", release="1.0.0-aaaaaaaaaaaa")
    ground.journal.write("mine too", release=RELEASE)
    ground.until("mine", "mine too")


@pytest.mark.parametrize("wanted", ["2.0", "2.0.0-b", "3.0.0", "*", "2.0.0-bbbbbbbbbbbc"])
def test_a_release_that_no_line_is_of_shows_nothing(ground: Ground, wanted: str) -> None:
    ground.journal.write("mine", release=RELEASE)
    assert not ground.reader(Wanted(UNITS, release=wanted)).last(10)
    assert ground.messages == []


def test_what_the_user_typed_reaches_journalctl_as_one_word(ground: Ground) -> None:
    pattern = "it's; $(reboot) `x` --follow\n*"
    ground.journal.write(f"a {pattern}")
    ground.reader(Wanted(UNITS, since=5.25, pattern=pattern)).last(10)
    (asked,) = ground.journal.asked
    assert {f"--grep={pattern}", "--since=@5.250", *(f"--unit={unit}" for unit in UNITS)} <= {
        *asked
    }
    assert "--follow" not in asked


def test_a_unit_that_is_replaced_counts_where_it_runs(ground: Ground) -> None:
    program = ground.sshd.folder / "bin" / "systemctl"
    wanted = Wanted(UNITS, ("old.service",))
    for code in (0, 3):
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
        ground.reader(wanted).last(10)
    assert ["--unit=old.service" in asked for asked in ground.journal.asked] == [True, False]


def test_lines_that_cannot_be_read_are_said_once(ground: Ground) -> None:
    for _ in range(3):
        ground.journal.write("x", __REALTIME_TIMESTAMP="9" * 17)
    ground.reader().last(10)
    assert ground.messages == []
    assert ground.complaints == ["127.0.0.1: its journal has lines that cannot be read"]
