"""P5: one deploy at a time, on real files and a real flock, each host a folder of its own."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from lockhosts import PATIENCE_SECONDS, FolderHost, forged
from shell import typed

from deploy.clock import Clock
from deploy.errors import (
    ConnectionLost,
    DeployError,
    LockDisputed,
    Locked,
    LockLost,
    Unreachable,
)
from deploy.hosts.lock import claim, heartbeat, many_hosts, view, watch
from deploy.hosts.lock.claim import Claim
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.lock.watch import Life
from deploy.hosts.scripts import base as commands
from deploy.hosts.scripts import lock
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from deploy.hosts.ssh.remote import Remote

TTL_SECONDS = 3.0
"""Longer than a busy machine takes for a script; a third of it would do on an idle one."""

Hosts = dict[str, FolderHost]


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return folders(tmp_path, 4)


def folders(root: Path, count: int) -> Hosts:
    """So many honest hosts."""
    found: Hosts = {}
    for number in range(1, count + 1):
        (root / f"host-{number}").mkdir()
        found[f"host-{number}"] = FolderHost(root / f"host-{number}")
    return found


class Asleep(Clock):
    """A machine that may have slept.

    seconds: for how long.
    """

    seconds = 0.0

    def awake(self) -> float:
        return super().awake() + self.seconds


def sleep(lease: Lease, seconds: float = 7200) -> None:
    """Have the machine of a lease sleep."""
    cast("Asleep", lease._clock).seconds += seconds


def lease(
    hosts: Hosts,
    author: str = "ana@one",
    ttl_seconds: float = TTL_SECONDS,
    ended: Collection[str] = (),
) -> Lease:
    """ended: the hosts that are no more, by name."""
    holder = Holder.of_this_process(author, "deploy", ttl_seconds)
    remotes = cast("dict[str, Remote]", hosts)
    return Lease(Scope("lab"), remotes, holder, Asleep(), has_ended=lambda name: name in ended)


def silent(_: str) -> None:
    return


def held_by(hosts: Hosts) -> set[str]:
    return {holder.author for holder in shown_by(hosts).values()}


def shown_by(hosts: Hosts) -> dict[str, Holder]:
    return dict(view.read("lab", cast("Any", hosts)).holders)


def watched(hosts: Hosts, holder: Holder) -> Life:
    return watch.watch("lab", cast("Any", hosts), TTL_SECONDS).life(holder.token)


def broken(hosts: Hosts, why: str = "because") -> Mapping[str, str]:
    """Break whatever lock there is; the hosts that failed."""
    seen = view.read("lab", cast("Any", hosts))
    failed = dict(watch.clean("lab", cast("Any", hosts), seen, why))
    for holder, _ in seen.each():
        failed |= watch.destroy("lab", cast("Any", hosts), seen, holder.token, why)
    return failed


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not claim():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


def test_a_lock_is_on_every_host_while_it_is_held_and_nowhere_after(hosts: Hosts) -> None:
    with lease(hosts) as first:
        first.take(0, silent)
        assert len(shown_by(hosts)) == 4
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
        until(lambda: any("od -A" in s for s in hosts["host-1"].asked))
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
            if mine._try({}, {}, {}) is None:
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
        script = lock.take_lock("lab", holder.token, holder.as_line())
        assert hosts[name].ask(script).exit_code == 0
    return holder


def test_a_dead_deploys_lock_is_taken_over_after_its_time(hosts: Hosts) -> None:
    dead(hosts)
    told: list[str] = []
    began = time.monotonic()
    with lease(hosts, "bob@two") as second:
        second.take(0, told.append)
        assert time.monotonic() - began >= TTL_SECONDS
        assert held_by(hosts) == {"bob@two"}
    assert any("shows no life for 3 s: taking over" in text for text in told)


def found_dead_and_awake(hosts: Hosts, where: Sequence[str]) -> tuple[Holder, watch.Watched]:
    """A deploy that was watched and found dead, and then sent a heartbeat to these hosts."""
    holder = dead(hosts)
    seen = watch.watch("lab", cast("Any", hosts), TTL_SECONDS)
    awake = replace(holder, beat=holder.beat + 1)
    for name in where:
        script = lock.beat_lock("lab", holder.token, awake.as_line())
        assert hosts[name].ask(script) == 0
    return holder, seen


@pytest.mark.parametrize("where", [("host-1",), ("host-4",), ("host-1", "host-2", "host-4")])
def test_a_heartbeat_after_the_last_look_keeps_the_lock(hosts: Hosts, where: Sequence[str]) -> None:
    """A deploy that slept for its time to live, and counts on before another has taken its lock.

    Then both would hold it: the one by its heartbeat, the other by what it saw before.
    """
    holder, seen = found_dead_and_awake(hosts, where)
    assert set(seen.left()) == set(hosts)
    second = Holder.of_this_process("bob@two", "deploy", TTL_SECONDS)
    found = Claim("lab", cast("Any", hosts), second, seen.left(), seen.view.files)
    found.make()
    assert not found.is_won
    assert {other.token for other in found.others.values()} == {holder.token}
    found.withdraw()
    assert held_by({name: hosts[name] for name in where}) == {holder.author}


def test_control_a_takeover_that_compares_tokens_alone_makes_two_holders(hosts: Hosts) -> None:
    _, seen = found_dead_and_awake(hosts, tuple(hosts))
    second = Holder.of_this_process("bob@two", "deploy", TTL_SECONDS)
    found = Claim("lab", cast("Any", hosts), second, seen.left())
    found.make()
    assert found.is_won


def test_one_that_was_killed_in_the_middle_of_a_heartbeat_is_dead(hosts: Hosts) -> None:
    """Its newest count had reached two hosts of four."""
    holder = dead(hosts)
    newer = replace(holder, beat=holder.beat + 1)
    for name in ("host-2", "host-4"):
        hosts[name].ask(lock.beat_lock("lab", holder.token, newer.as_line()))
    assert watched(hosts, holder) is Life.DEAD


def test_what_a_dead_deploy_left_on_a_few_hosts_stops_nobody(hosts: Hosts) -> None:
    dead(hosts, "host-3")
    with lease(hosts, "bob@two") as second:
        second.take(0, silent)
        assert held_by(hosts) == {"bob@two"}


def test_a_living_deploy_is_not_taken_for_dead(hosts: Hosts) -> None:
    with lease(hosts) as first:
        first.take(0, silent)
        holder = next(iter(shown_by(hosts).values()))
        assert watched(hosts, holder) is Life.ALIVE
    assert watched(hosts, holder) is Life.GONE


def test_who_was_taken_over_knows_it_and_its_changes_end_on_the_host(hosts: Hosts) -> None:
    """A laptop that wakes up: the heartbeat, `confirm`, and the host itself all say no."""
    lost = threading.Event()
    with lease(hosts) as first:
        first.take(0, silent)
        first.when_lost(lost.set)
        first.confirm()
        assert hosts["host-2"].ask(typed(f"{first.fence.text}echo changed")).stdout == "changed\n"
        assert broken(hosts) == {}
        ended = hosts["host-2"].ask(typed(f"{first.fence.text}echo changed"))
        assert (ended.exit_code, ended.stdout) == (commands.LOCK_LOST, "")
        assert lost.wait(PATIENCE_SECONDS)
        with pytest.raises(LockLost, match="another deploy took lab over"):
            first.confirm()
    assert (hosts["host-1"].root / "changeover" / "lab.broken").read_text().endswith(" because\n")


def test_a_loss_is_seen_before_the_next_change_even_when_no_heartbeat_saw_it(hosts: Hosts) -> None:
    """A process that was stopped for longer than its time to live, and goes on."""
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        sleep(first)
        first.confirm()
        assert broken(hosts) == {}
        sleep(first)
        with pytest.raises(LockLost):
            first.confirm()


def test_without_a_word_from_a_majority_nothing_is_changed(hosts: Hosts) -> None:
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        sleep(first)
        for name in ("host-2", "host-3"):
            hosts[name].is_down = True
        with pytest.raises(ConnectionLost, match="no word from a majority"):
            first.confirm()
        hosts["host-2"].is_down = False
        first.confirm()


def test_a_fleet_of_two_goes_on_when_one_of_them_was_terminated(tmp_path: Path) -> None:
    two = folders(tmp_path, 2)
    said: list[str] = []
    with lease(two, ended=["host-2"]) as held:
        held.take(0, said.append)
        two["host-2"].is_down = True
        sleep(held, TTL_SECONDS + 1)
        assert two["host-1"].may_change(held)
        sleep(held, TTL_SECONDS + 1)
        assert two["host-1"].may_change(held), "and also later"
    assert "lab: host-2 was terminated; its vote is none" in said
    assert not two["host-1"].file.exists()


@pytest.mark.parametrize(
    ("ended", "down"),
    [((), ["host-2"]), (["host-1"], ["host-2"]), (["host-2"], ["host-1", "host-2"])],
    ids=["it may come back", "the other one, which answers", "the one that is left is silent too"],
)
def test_control_otherwise_a_fleet_of_two_waits_for_both(
    tmp_path: Path, ended: Collection[str], down: Collection[str]
) -> None:
    two = folders(tmp_path, 2)
    with lease(two, ended=ended) as held:
        held.take(0, silent)
        for name in down:
            two[name].is_down = True
        sleep(held, TTL_SECONDS + 1)
        with pytest.raises(ConnectionLost, match="no word from a majority"):
            held.confirm()
        for name in down:
            two[name].is_down = False


def test_who_took_over_meanwhile_is_heeded_though_a_host_was_terminated(tmp_path: Path) -> None:
    two = folders(tmp_path, 2)
    with lease(two, ended=["host-2"]) as held:
        held.take(0, silent)
        two["host-2"].is_down = True
        sleep(held, TTL_SECONDS + 1)
        with lease({"host-1": two["host-1"]}, "ben@two") as other:
            two["host-1"].file.unlink()
            other.take(0, silent)
            with pytest.raises((LockLost, ConnectionLost)):
                held.confirm()


def test_a_minority_of_hosts_may_be_down(hosts: Hosts) -> None:
    hosts["host-1"].is_down = True
    with lease(hosts) as first, lease(hosts, "bob@two") as second:
        first.take(0, silent)
        assert len(shown_by(hosts)) == 3
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
        assert second._try({}, {}, {}) == holder
    assert held_by(hosts) == {"ana@one"}


def test_dropping_after_a_break_takes_nothing_from_the_next(hosts: Hosts) -> None:
    first = lease(hosts, ttl_seconds=60)
    first.take(0, silent)
    assert broken(hosts) == {}
    with lease(hosts, "bob@two", 60) as second:
        second.take(0, silent)
        with suppress(DeployError):
            first.__exit__(None, None, None)
        assert held_by(hosts) == {"bob@two"}


def test_a_dead_host_that_takes_its_time_to_fail_holds_up_no_heartbeat(hosts: Hosts) -> None:
    """A connection attempt may take longer than the time to live: a majority is enough."""
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hosts["host-4"].held_up, hosts["host-4"].is_down = threading.Event(), True
        sleep(first)
        began = time.monotonic()
        first.confirm()
        assert time.monotonic() - began < PATIENCE_SECONDS
        hosts["host-4"].held_up.set()


def test_of_many_changes_that_wait_for_a_heartbeat_one_beats(hosts: Hosts) -> None:
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        before = len(hosts["host-1"].asked)
        sleep(first)
        start = threading.Barrier(8)

        def change() -> None:
            start.wait(PATIENCE_SECONDS)
            first.confirm()

        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(change) for _ in range(8)]:
                each.result()
        until(lambda: len(hosts["host-1"].asked) > before)
        assert len(hosts["host-1"].asked) == before + 1


def test_what_one_slow_host_says_after_the_majority_is_its_own_failure(hosts: Hosts) -> None:
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hosts["host-4"].held_up = threading.Event()
        sleep(first)
        first.confirm()
        hosts["host-4"].file.write_text(forged())
        hosts["host-4"].held_up.set()
        until(lambda: "host-4" in first.heartbeat.against())
        first.confirm()
        assert not first.heartbeat.lost.is_set()


def test_a_majority_that_says_so_late_counts(hosts: Hosts) -> None:
    lost = threading.Event()
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        first.when_lost(lost.set)
        held_up = threading.Event()
        for name in ("host-2", "host-3", "host-4"):
            hosts[name].file.write_text(forged())
            hosts[name].held_up = held_up
        threading.Thread(target=first.widen, daemon=True).start()
        until(lambda: len(hosts["host-1"].asked) > 1)
        held_up.set()
        assert lost.wait(PATIENCE_SECONDS)
        with pytest.raises(LockLost, match="host-2: another's"):
            first.confirm()


def test_a_long_look_is_not_taken_for_silence(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead hosts make a look as long as the time to live: one look alone proves nothing."""
    holder, looks = dead(hosts), list[int]()
    read = view.read

    def slowly(*args: Any) -> view.View:
        found = read(*args)
        looks.append(1)
        threading.Event().wait(TTL_SECONDS)
        if len(looks) == 1:
            newer = replace(holder, beat=holder.beat + 1)
            for host in hosts.values():
                host.ask(lock.beat_lock("lab", holder.token, newer.as_line()))
        return found

    monkeypatch.setattr(watch, "read", slowly)
    assert watched(hosts, holder) is Life.ALIVE


# The lock is lost only when a majority is no longer ours, and once lost it stays lost.


def test_a_lock_file_that_was_removed_on_one_host_is_written_again(hosts: Hosts) -> None:
    """An accident, or a replaced host: the deploy goes on, and the host's own fence holds again."""
    with lease(hosts) as first:
        first.take(0, silent)
        hosts["host-3"].file.unlink()
        assert isinstance(first.refused("host-3: stop"), LockDisputed)
        until(lambda: hosts["host-3"].may_change(first))
        assert not first.heartbeat.lost.is_set()


def test_a_heartbeat_alone_never_makes_a_lock_file(hosts: Hosts) -> None:
    holder = dead(hosts)
    host = hosts["host-1"]
    host.file.unlink()
    script = lock.beat_lock("lab", holder.token, holder.as_line())
    assert host.ask(script) == lock.LOCK_GONE
    host.file.touch()
    assert host.ask(script) == lock.LOCK_GONE
    host.file.write_text(forged())
    assert host.ask(script) == commands.LOCK_LOST
    assert host.file.read_text() == forged()


def test_a_broken_lock_stays_lost_even_where_hosts_are_reached_one_by_one(hosts: Hosts) -> None:
    """Between two of them a heartbeat may be confirmed by the others: it is not written again."""
    with lease(hosts, ttl_seconds=60) as first:
        first.take(0, silent)
        holder = next(iter(shown_by(hosts).values()))
        script = lock.break_lock("lab", holder.token, "because")
        for host in hosts.values():
            assert host.ask(script) == 0
            first.refused("somewhere: something")
            threading.Event().wait(0.2)
        with pytest.raises(LockLost):
            first.confirm()
        assert held_by(hosts) == set()


def test_a_lock_that_another_took_and_released_stays_lost(hosts: Hosts) -> None:
    """A laptop sleeps past its time to live; another deploys meanwhile; then it wakes up."""
    with lease(hosts, ttl_seconds=2) as first:
        first.take(0, silent)
        with first._beating, lease(hosts, "bob@two") as second:  # it sleeps: no heartbeat
            second.take(0, silent)
            assert held_by(hosts) == {"bob@two"}
        sleep(first)
        with pytest.raises(LockLost, match="took lab over, or its lock was broken"):
            first.confirm()
        first.widen()
        assert isinstance(first.refused("host-1: stop"), LockLost)
        assert held_by(hosts) == set()
        assert not any(host.may_change(first) for host in hosts.values())


@pytest.mark.parametrize("count", [1, 2])
def test_with_one_or_two_hosts_a_single_one_is_a_veto_and_is_named(
    tmp_path: Path, count: int
) -> None:
    hosts = folders(tmp_path, count)
    hosts["host-1"].file.parent.mkdir()
    hosts["host-1"].file.write_text("who knows\n")
    with lease(hosts) as first, pytest.raises(Locked) as refused:
        first.take(0, silent)
    assert "host-1: /var/lib/changeover/lab.lock is not a lock" in str(refused.value)
    assert "inv lock.break --env lab" in str(refused.value)


def test_with_two_hosts_a_removed_lock_file_is_named(tmp_path: Path) -> None:
    hosts = folders(tmp_path, 2)
    with lease(hosts, ttl_seconds=3600) as first:
        first.take(0, silent)
        hosts["host-2"].file.unlink()
        sleep(first)
        with pytest.raises(ConnectionLost, match=r"lab\.lock is not ours on host-2: gone"):
            first.confirm()
        assert not hosts["host-2"].file.exists()


def test_the_heartbeat_survives_any_exception_and_reports_it_once(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with lease(hosts) as first:
        first.take(0, told.append)
        beat = heartbeat.Heartbeat.beat
        failures, beats = iter(range(3)), list[int]()

        def fail(self: heartbeat.Heartbeat, names: Any) -> None:
            if next(failures, None) is not None:
                raise ValueError("a defect")
            beat(self, names)
            beats.append(1)

        monkeypatch.setattr(heartbeat.Heartbeat, "beat", fail)
        until(lambda: bool(beats))
    assert [text for text in told if "a defect" in text] == [
        "lab: a heartbeat failed: ValueError('a defect'); the next goes on"
    ]


def test_a_host_that_hangs_delays_neither_the_start_nor_the_end(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "FIRST_SECONDS", 0.3)
    monkeypatch.setattr(many_hosts, "GRACE_SECONDS", 0.3)
    hung = threading.Event()
    hosts["host-1"].held_up = hung
    began = time.monotonic()
    with lease(hosts) as first:
        first.take(0, silent)
        first.confirm()
    assert time.monotonic() - began < 15
    hung.set()
    until(lambda: hosts["host-1"].asked != [])
    until(lambda: held_by(hosts) == set())
