"""P5: one deploy at a time, on real files and a real flock, each host a folder of its own."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy import commands, fence, lock, rival
from deploy.errors import (
    CommandResult,
    ConnectionLost,
    DeployError,
    Locked,
    LockLost,
    Unreachable,
)
from deploy.holder import Holder, run_address
from deploy.lock import Lease
from deploy.rival import Life

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.remote import Remote

TTL_SECONDS = 0.8
PATIENCE_SECONDS = 20.0


@dataclass
class FolderHost:
    """A host whose root is a folder: its scripts are really run, under another path."""

    root: Path
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    held_up: threading.Event | None = None

    def ask(self, script: str, what: str, timeout_seconds: float = 30) -> CommandResult:
        del what, timeout_seconds
        if self.held_up:
            self.held_up.wait(PATIENCE_SECONDS)
        if self.is_down:
            raise Unreachable(f"{self.root.name}: no connection")
        self.asked.append(script)
        moved = script.replace("/var/lib/", f"{self.root}/").replace("/run/", f"{self.root}/")
        done = subprocess.run(["sh", "-c", moved], capture_output=True, text=True, check=False)
        return CommandResult(script, done.returncode, done.stdout, done.stderr)

    def aside(self, script: str, timeout_seconds: float) -> CommandResult:
        return self.ask(script, "aside", timeout_seconds)


Hosts = dict[str, FolderHost]


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    found = {}
    for number in (1, 2, 3, 4):
        (tmp_path / f"host-{number}").mkdir()
        found[f"host-{number}"] = FolderHost(tmp_path / f"host-{number}")
    return found


def lease(hosts: Hosts, author: str = "ana@one", ttl_seconds: float = TTL_SECONDS) -> Lease:
    holder = Holder.of_this_process(author, "deploy", ttl_seconds)
    return Lease("lab", cast("dict[str, Remote]", hosts), holder)


def silent(_: str) -> None:
    return


def held_by(hosts: Hosts) -> set[str]:
    return {holder.author for holder in rival.read("lab", cast("Any", hosts)).values()}


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def test_a_lock_is_on_every_host_while_it_is_held_and_nowhere_after(hosts: Hosts) -> None:
    with lease(hosts) as first:
        first.take(0, silent)
        assert len(rival.read("lab", cast("Any", hosts))) == 4
    assert held_by(hosts) == set()


def test_a_second_is_refused_with_who_and_since_when_and_what_to_type(hosts: Hosts) -> None:
    with lease(hosts) as first, lease(hosts, "bob@two") as second:
        first.take(0, silent)
        with pytest.raises(Locked) as refused:
            second.take(0, silent)
        said = str(refused.value)
        assert "deploy by ana@one since 20" in said
        assert "--wait-lock" in said
        assert "inv lock.status --env lab" in said
        assert refused.value.exit_code == 3
    assert held_by(hosts) == set()


def test_a_second_that_waits_gets_its_turn(hosts: Hosts) -> None:
    with lease(hosts, "bob@two") as second, lease(hosts) as first:
        first.take(0, silent)
        waiting = threading.Thread(target=second.take, args=(PATIENCE_SECONDS, silent))
        waiting.start()
        until(lambda: any("take" in s or "cat" in s for s in hosts["host-1"].asked))
        first.__exit__(None, None, None)
        waiting.join(PATIENCE_SECONDS)
        assert held_by(hosts) == {"bob@two"}


def test_of_two_that_come_at_once_exactly_one_wins(hosts: Hosts) -> None:
    for race in range(10):
        start, winners = threading.Barrier(2), list[str]()
        both = [lease(hosts, name, 60) for name in ("ana", "bob")]

        def run(
            mine: Lease, name: str, start: threading.Barrier = start, winners: list[str] = winners
        ) -> None:
            start.wait(PATIENCE_SECONDS)
            if mine._try("") is None:
                winners.append(name)

        threads = [
            threading.Thread(target=run, args=args)
            for args in zip(both, ("ana", "bob"), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert len(winners) == 1, f"race {race}: {winners}"
        assert held_by(hosts) == set(winners)
        for mine in both:
            mine.__exit__(None, None, None)


def dead(hosts: Hosts, *names: str) -> Holder:
    """A holder whose deploy was killed: its lock lies there and nothing beats."""
    holder = Holder.of_this_process("ana@one", "deploy", TTL_SECONDS)
    for name in names or hosts:
        script = fence.take_lock("lab", holder.token, holder.as_line())
        assert hosts[name].ask(script, "").exit_code == 0
    return holder


def test_a_dead_deploys_lock_is_taken_over_after_its_time(hosts: Hosts) -> None:
    dead(hosts)
    told: list[str] = []
    began = time.monotonic()
    with lease(hosts, "bob@two") as second:
        second.take(0, told.append)
        assert time.monotonic() - began >= TTL_SECONDS
        assert held_by(hosts) == {"bob@two"}
    assert any("shows no life for 0.8 s: taking over" in text for text in told)


def test_one_that_was_killed_in_the_middle_of_a_heartbeat_is_dead(hosts: Hosts) -> None:
    """Its newest count had reached two hosts of four."""
    holder = dead(hosts)
    newer = replace(holder, beat=holder.beat + 1)
    for name in ("host-2", "host-4"):
        hosts[name].ask(fence.beat_lock("lab", holder.token, newer.as_line()), "")
    assert rival.watch("lab", cast("Any", hosts), holder) is Life.DEAD


def test_what_a_dead_deploy_left_on_a_few_hosts_stops_nobody(hosts: Hosts) -> None:
    dead(hosts, "host-3")
    with lease(hosts, "bob@two") as second:
        second.take(0, silent)
        assert held_by(hosts) == {"bob@two"}


def test_a_living_deploy_is_not_taken_for_dead(hosts: Hosts) -> None:
    with lease(hosts) as first:
        first.take(0, silent)
        holder = next(iter(rival.read("lab", cast("Any", hosts)).values()))
        assert rival.watch("lab", cast("Any", hosts), holder) is Life.ALIVE
    assert rival.watch("lab", cast("Any", hosts), holder) is Life.GONE


def test_who_was_taken_over_knows_it_and_its_changes_end_on_the_host(hosts: Hosts) -> None:
    """A laptop that wakes up: the heartbeat, `confirm`, and the host itself all say no."""
    lost = threading.Event()
    with lease(hosts) as first:
        first.take(0, silent)
        first.when_lost(lost.set)
        first.confirm()
        assert hosts["host-2"].ask(f"{first.fence}\necho changed", "").stdout == "changed\n"
        holder = next(iter(rival.read("lab", cast("Any", hosts)).values()))
        rival.destroy("lab", cast("Any", hosts), holder, "because")
        ended = hosts["host-2"].ask(f"{first.fence}\necho changed", "")
        assert (ended.exit_code, ended.stdout) == (commands.LOCK_LOST, "")
        assert lost.wait(PATIENCE_SECONDS)
        with pytest.raises(LockLost, match="another deploy took lab over"):
            first.confirm()
    assert (hosts["host-1"].root / "changeover" / "lab.broken").read_text() == "because\n"


def test_a_loss_is_seen_before_the_next_change_even_when_no_heartbeat_saw_it(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped for longer than its time to live, and goes on."""
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hours = lock.awake_seconds() + 7200
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours)
        first.confirm()
        holder = next(iter(rival.read("lab", cast("Any", hosts)).values()))
        rival.destroy("lab", cast("Any", hosts), holder, "because")
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours + 7200)
        with pytest.raises(LockLost):
            first.confirm()


def test_without_a_word_from_a_majority_nothing_is_changed(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hours = lock.awake_seconds() + 7200
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours)
        for name in ("host-2", "host-3"):
            hosts[name].is_down = True
        with pytest.raises(ConnectionLost, match="no word from a majority"):
            first.confirm()
        hosts["host-2"].is_down = False
        first.confirm()


def test_a_minority_of_hosts_may_be_down(hosts: Hosts) -> None:
    hosts["host-1"].is_down = True
    with lease(hosts) as first, lease(hosts, "bob@two") as second:
        first.take(0, silent)
        assert len(rival.read("lab", cast("Any", hosts))) == 3
        with pytest.raises(Locked):
            second.take(0, silent)


def test_without_a_majority_nobody_has_the_lock_and_nothing_is_left(hosts: Hosts) -> None:
    for name in ("host-2", "host-4"):
        hosts[name].is_down = True
    with lease(hosts) as first, pytest.raises(Unreachable, match="needs 3 of 4 hosts"):
        first.take(0, silent)
    assert held_by(hosts) == set()


def test_one_that_loses_its_race_leaves_nothing_of_its_own(hosts: Hosts) -> None:
    holder = dead(hosts)
    with lease(hosts, "bob@two", 60) as second:
        assert second._try("") == holder
    assert held_by(hosts) == {"ana@one"}


@pytest.mark.parametrize("name", ["host-1", "host-3"])
def test_a_lock_that_cannot_be_read_is_somebodys(hosts: Hosts, name: str) -> None:
    (hosts[name].root / "changeover").mkdir()
    (hosts[name].root / "changeover" / "lab.lock").write_text("who knows\n")
    with lease(hosts, "bob@two") as second, pytest.raises(Locked, match="cannot be read: who kn"):
        second.take(0, silent)
    assert held_by(hosts) == set()


def test_a_holder_is_what_was_written() -> None:
    holder = Holder("t", "ana@one", "2026-11-23", "deploy", "https://ci.example/1", 30.0, 7)
    assert Holder.parse(holder.as_line()) == holder
    assert str(holder) == "deploy by ana@one since 2026-11-23, https://ci.example/1"
    assert "token" not in holder.public()
    for text in ("", "{", "[]", "{}", json.dumps({"token": 1})):
        assert Holder.parse(text) is None


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, ""),
        (
            {
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "5",
            },
            "https://github.com/a/b/actions/runs/5",
        ),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        ({"BUILD_URL": "https://jenkins.example/1"}, "https://jenkins.example/1"),
        (
            {
                "BUILD_BUILDID": "7",
                "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/",
                "SYSTEM_TEAMPROJECT": "p",
            },
            "https://dev.azure.com/o/p/_build/results?buildId=7",
        ),
    ],
)
def test_a_ci_run_is_named(environ: dict[str, str], address: str) -> None:
    assert run_address(environ) == address


def test_environments_of_any_name_have_locks_of_their_own() -> None:
    assert fence.lock_file("prod") == "/var/lib/changeover/prod.lock"
    assert fence.lock_file("../a b") == "/var/lib/changeover/..%2Fa%20b.lock"


def test_dropping_after_a_break_takes_nothing_from_the_next(hosts: Hosts) -> None:
    first = lease(hosts, ttl_seconds=60)
    first.take(0, silent)
    holder = next(iter(rival.read("lab", cast("Any", hosts)).values()))
    rival.destroy("lab", cast("Any", hosts), holder, "because")
    with lease(hosts, "bob@two", 60) as second:
        second.take(0, silent)
        with suppress(DeployError):
            first.__exit__(None, None, None)
        assert held_by(hosts) == {"bob@two"}


def test_a_dead_host_that_takes_its_time_to_fail_holds_up_no_heartbeat(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection attempt may take longer than the time to live: a majority is enough."""
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hosts["host-4"].held_up, hosts["host-4"].is_down = threading.Event(), True
        hours = lock.awake_seconds() + 7200
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours)
        began = time.monotonic()
        first.confirm()
        assert time.monotonic() - began < PATIENCE_SECONDS
        hosts["host-4"].held_up.set()


def test_of_many_changes_that_wait_for_a_heartbeat_one_beats(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        before = len(hosts["host-1"].asked)
        hours = lock.awake_seconds() + 7200
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours)
        start = threading.Barrier(8)

        def change() -> None:
            start.wait(PATIENCE_SECONDS)
            first.confirm()

        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(change) for _ in range(8)]:
                each.result()
        until(lambda: len(hosts["host-1"].asked) > before)
        assert len(hosts["host-1"].asked) == before + 1


def test_a_loss_that_a_slow_host_tells_after_the_majority_counts(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = threading.Event()
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        first.when_lost(lost.set)
        holder = next(iter(rival.read("lab", cast("Any", hosts)).values()))
        script = fence.break_lock("lab", holder.token, "because")
        hosts["host-4"].ask(script, "")
        hosts["host-4"].held_up = threading.Event()
        hours = lock.awake_seconds() + 7200
        monkeypatch.setattr(lock, "awake_seconds", lambda: hours)
        first.confirm()
        hosts["host-4"].held_up.set()
        assert lost.wait(PATIENCE_SECONDS)
        with pytest.raises(LockLost):
            first.confirm()


def test_a_long_look_is_not_taken_for_silence(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead hosts make a look as long as the time to live: one look alone proves nothing."""
    holder, looks = dead(hosts), list[int]()
    read = rival.read

    def slowly(*args: Any) -> dict[str, Holder]:
        found = read(*args)
        looks.append(1)
        threading.Event().wait(TTL_SECONDS)
        if len(looks) == 1:
            newer = replace(holder, beat=holder.beat + 1)
            for host in hosts.values():
                host.ask(fence.beat_lock("lab", holder.token, newer.as_line()), "")
        return found

    monkeypatch.setattr(rival, "read", slowly)
    assert rival.watch("lab", cast("Any", hosts), holder) is Life.ALIVE
