"""A deploy that ended on this machine is known to have ended: the kernel says so, no clock does."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, cast

import pytest
from lockhosts import MemoryHost

from deploy.errors import Locked, LockLost
from deploy.hosts.lock import lease as leases
from deploy.hosts.lock import view, watch, witness
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.lock.watch import Life
from deploy.hosts.lock.witness import Witness
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.hosts.ssh.remote import Remote

TTL_SECONDS = 3.0
HOLD = """
import sys
from pathlib import Path
from deploy.hosts.lock.witness import Witness
held = Witness(Path(sys.argv[1]))
held.begin(sys.argv[2])
print("held", flush=True)
if sys.stdin.readline().strip() == "in order":
    held.end()
"""
"""A process that holds a lock, until it is killed or told to release it in order."""

Hosts = dict[str, MemoryHost]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "changeover"


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex


class Process:
    """A deploy on this machine."""

    def __init__(self, folder: Path, token: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout
        assert self.popen.stdout.readline() == "held\n"

    def end(self, order: str = "") -> None:
        """Have it release its lock in order, or else kill it."""
        if order:
            self.popen.communicate(f"{order}\n")
        else:
            self.popen.kill()
            self.popen.communicate()


@pytest.fixture
def process(folder: Path, token: str) -> Iterator[Process]:
    made = Process(folder, token)
    yield made
    made.end()


def test_a_holder_runs_here_while_its_process_has_the_flock_and_only_on_this_boot(
    folder: Path, token: str, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Witness(folder)
    assert asked.is_running(token)
    assert not asked.is_running(uuid.uuid4().hex), "another's"
    with monkeypatch.context() as patched:
        patched.setattr(witness, "boot", lambda: "another boot")
        assert not asked.is_running(token)
    process.end()
    assert not asked.is_running(token)
    assert asked.has_ended(token)


def test_a_process_that_lives_or_sleeps_has_not_ended_and_one_that_was_killed_has(
    folder: Path, token: str, process: Process
) -> None:
    asked = Witness(folder)
    assert not asked.has_ended(token)
    process.popen.send_signal(signal.SIGSTOP)
    assert not asked.has_ended(token), "a laptop that sleeps"
    process.popen.send_signal(signal.SIGCONT)
    process.end()
    assert asked.has_ended(token)
    assert asked.has_ended(token), "to ask changes nothing"
    assert not asked.has_ended(uuid.uuid4().hex), "one that never ran here"


def test_one_that_ended_in_order_leaves_nothing(folder: Path, token: str, process: Process) -> None:
    process.end("in order")
    assert not Witness(folder).has_ended(token), "its lock is released: there is nothing to prove"
    assert list(folder.iterdir()) == []


def test_a_child_that_outlives_a_deploy_does_not_keep_it_alive(folder: Path, token: str) -> None:
    held = Witness(folder)
    held.begin(token)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        os.close(held._descriptor)  # what the kernel does for a process that ends
        held._descriptor = -1
        assert Witness(folder).has_ended(token)
        child.communicate()


def test_of_another_boot_or_none_nothing_is_known(
    folder: Path, token: str, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may lie on a disk that several machines share, or in a copy of a machine."""
    process.end()
    for other in ("1e7e0a3c-0000-0000-0000-000000000000", ""):
        monkeypatch.setattr(witness, "boot", lambda other=other: other)
        assert not Witness(folder).has_ended(token)


def test_a_folder_that_others_can_write_to_proves_nothing(
    folder: Path, token: str, process: Process
) -> None:
    process.end()
    folder.chmod(0o770)
    assert not Witness(folder).has_ended(token)
    held = Witness(folder)
    held.begin(uuid.uuid4().hex)
    assert len(list(folder.iterdir())) == 1, "nothing is written there either"
    folder.chmod(0o700)
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    assert not Witness(folder).has_ended(token)


@pytest.mark.parametrize("place", ["a file", "nowhere"])
def test_where_nothing_can_be_written_nothing_fails(tmp_path: Path, token: str, place: str) -> None:
    (tmp_path / "a file").touch()
    folder = tmp_path / "a file" if place == "a file" else witness.NOWHERE
    held = Witness(folder)
    held.begin(token)
    assert not held.has_ended(token)
    held.end()


def test_what_killed_deploys_left_is_removed_a_day_later(folder: Path, token: str) -> None:
    for kind, age in (("old", 2), ("new", 0), ("alive", 2)):
        left = Witness(folder)
        left.begin(kind)
        path = left._path_of(kind)
        os.utime(path, (time.time() - age * 86_400,) * 2)
        if kind != "alive":
            os.close(left._descriptor)
    Witness(folder).begin(token)
    kept = {left._path_of(kind).name for kind in ("new", "alive", token)}
    assert {path.name for path in folder.iterdir()} == kept


# What it means for the lock.


@pytest.fixture
def hosts() -> Hosts:
    return {f"host-{number}": MemoryHost(f"host-{number}") for number in (1, 2, 3)}


def lease(hosts: Hosts, folder: Path, author: str = "bob@two") -> Lease:
    holder = Holder.of_this_process(author, "deploy", TTL_SECONDS)
    remotes = cast("dict[str, Remote]", hosts)
    return Lease(Scope("lab"), remotes, holder, witness=Witness(folder))


def held_by(hosts: Hosts, token: str) -> None:
    """Let a deploy with this token hold the lock, which sends no heartbeat."""
    holder = Holder(token, "ana@one", "2026-11-28T00:00:00+00:00", "deploy", "", TTL_SECONDS)
    for host in hosts.values():
        host.line = holder.as_line()


def test_p5_the_lock_of_a_deploy_that_ended_here_is_taken_at_once(
    hosts: Hosts,
    folder: Path,
    token: str,
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "LATE_SECONDS", 0.0)
    held_by(hosts, token)
    process.end()
    told: list[str] = []
    began = time.monotonic()
    with lease(hosts, folder) as second:
        second.take(0, told.append)
        assert time.monotonic() - began < TTL_SECONDS / 2
        assert all("bob@two" in host.line for host in hosts.values())
    assert any("has ended here: taking over" in text for text in told)
    assert not any(host.line for host in hosts.values())


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("state", ["living", "of another machine"])
def test_p5_the_lock_of_one_that_may_live_is_watched_for_its_time(
    hosts: Hosts, folder: Path, token: str, state: str
) -> None:
    held_by(hosts, token if state == "living" else uuid.uuid4().hex)
    began = time.monotonic()
    with lease(hosts, folder) as second:
        second.take(0, lambda _: None)
        assert time.monotonic() - began >= TTL_SECONDS


def test_p5_one_that_lives_beside_one_that_ended_is_watched(
    hosts: Hosts, folder: Path, token: str, process: Process
) -> None:
    """A host may show the lock of any deploy that it ever saw."""
    held_by(hosts, token)
    process.end()
    asked = Witness(folder)
    other = Holder.of_this_process("eve@three", "deploy", TTL_SECONDS)
    for name in ("host-2", "host-3"):
        hosts[name].line = other.as_line()
    began = time.monotonic()
    remotes = cast("dict[str, Remote]", hosts)
    seen = watch.watch("lab", remotes, TTL_SECONDS, has_ended=asked.has_ended)
    assert time.monotonic() - began >= TTL_SECONDS
    assert seen.life(other.token) is Life.DEAD


def test_a_heartbeat_that_was_on_its_way_when_a_deploy_ended_delays_nobody(
    hosts: Hosts, folder: Path, token: str, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LATE_SECONDS", 0.0)
    held_by(hosts, token)
    process.end()
    looked = threading.Event()
    show = MemoryHost.show_lock

    def late(host: MemoryHost, most: str) -> tuple[int, str]:
        answer = show(host, most)
        if host.name == "host-1" and not looked.is_set():
            looked.set()
            host.line = host.line.replace('"beat": 0', '"beat": 1')
        return answer

    monkeypatch.setattr(MemoryHost, "show_lock", late)
    began = time.monotonic()
    with lease(hosts, folder) as second:
        second.take(0, lambda _: None)
        assert looked.is_set()
        assert time.monotonic() - began < TTL_SECONDS / 2


def test_p9_a_deploy_that_is_aborted_releases_its_lock_and_changes_nothing_more(
    hosts: Hosts, folder: Path
) -> None:
    with lease(hosts, folder, "ana@one") as first:
        first.take(0, lambda _: None)
        assert hosts["host-1"].may_change(first)
        first.abandon()
        assert not any(host.line for host in hosts.values())
        with pytest.raises(LockLost):
            first.confirm()
        assert not hosts["host-1"].may_change(first)
        with lease(hosts, folder) as second:
            began = time.monotonic()
            second.take(0, lambda _: None)
            assert time.monotonic() - began < TTL_SECONDS / 2
            assert view.read("lab", cast("dict[str, Remote]", hosts)).is_proven(second.holder.token)


def test_two_deploys_of_one_process_do_not_take_each_other_for_ended(
    hosts: Hosts, folder: Path
) -> None:
    with lease(hosts, folder, "ana@one") as first, lease(hosts, folder) as second:
        first.take(0, lambda _: None)
        with pytest.raises(Locked, match="ana@one"):
            second.take(0, lambda _: None)


def test_an_exclusive_flock_is_seen_by_whoever_asks(folder: Path, token: str) -> None:
    """The kernel's own rule, on which all of this rests."""
    held = Witness(folder)
    held.begin(token)
    with held._path_of(token).open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    held.end()
