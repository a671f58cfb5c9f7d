"""P12: fewer than half of the hosts, lying in whatever way, neither stop nor take a deploy.

The hosts are in memory. That the real scripts do what these hosts do is seen in test_holder.py.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lockhosts import EVERY_LIE, TTL_SECONDS, FolderHost, LyingHost, MemoryHost, forged

from deploy.errors import DeployError, LockDisputed, Locked, LockLost, Unreachable
from deploy.hosts.lock import claim, many_hosts, view, watch
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.script import as_it_is
from deploy.screen import lock as lock_view
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote

Hosts = dict[str, MemoryHost]
SIZE = 3


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(claim, "FIRST_SECONDS", 0.5)
    monkeypatch.setattr(many_hosts, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(view, "LOOK_SECONDS", 0.8)


def fleet(size: int, lies: dict[int, str]) -> Hosts:
    """So many hosts; those with a number in `lies` lie."""
    names = {number: f"host-{number}" for number in range(size)}
    return {
        name: LyingHost(name, lie=lies[number]) if number in lies else MemoryHost(name)
        for number, name in names.items()
    }


def lease(hosts: Hosts, author: str = "ana@one") -> Lease:
    holder = Holder.of_this_process(author, "deploy", TTL_SECONDS)
    return Lease(Scope("lab"), cast("dict[str, Remote]", hosts), holder)


def honest(hosts: Hosts) -> list[MemoryHost]:
    return [host for host in hosts.values() if not isinstance(host, LyingHost)]


def kill(gone: Lease) -> None:
    """End its heartbeat and leave its lock where it is."""
    gone._closed.set()
    with gone._beating:
        gone._claim.is_over = True


def silent(_: str) -> None:
    return


def deploys(hosts: Hosts) -> None:
    """Take, keep, change, widen, refuse and end."""
    with lease(hosts) as mine:
        mine.take(0, silent)
        until = time.monotonic() + TTL_SECONDS * 1.5
        while time.monotonic() < until:
            assert all(host.may_change(mine) for host in honest(hosts))
            threading.Event().wait(0.1)
        mine.widen()
        assert isinstance(mine.refused("host: stop"), LockDisputed)
        mine.confirm()
    assert not any(host.line for host in honest(hosts))


def is_seen_and_broken(hosts: Hosts) -> None:
    """A deploy that lives is seen and respected; once it is dead its lock can be broken."""
    remotes = cast("Any", hosts)
    with lease(hosts) as mine:
        mine.take(0, silent)
        with lease(hosts, "bob@two") as second, pytest.raises(Locked, match="by ana@one"):
            second.take(0, silent)
        seen = watch.watch("lab", remotes, TTL_SECONDS)
        assert str(seen.alive()).startswith("deploy by ana@one")
        assert lock_view.is_locked(seen)
        assert "ana@one" in lock_view.text(Scope("lab"), seen)
        assert "ana@one" in lock_view.as_json("lab", seen)
        mine.confirm()
        kill(mine)
        seen = watch.watch("lab", remotes, TTL_SECONDS)
        assert seen.alive() is None
        for holder, _ in seen.view.each():
            watch.destroy("lab", remotes, seen.view, holder.token, "it is dead")
        assert not any(host.line for host in honest(hosts))
        assert not lock_view.is_locked(watch.watch("lab", remotes, TTL_SECONDS))


def is_taken_over(hosts: Hosts) -> None:
    """A dead deploy's lock is taken over, and it may change nothing any more."""
    gone = lease(hosts)
    gone.take(0, silent)
    kill(gone)
    with lease(hosts, "bob@two") as second:
        second.take(0, silent)
        assert all(host.may_change(second) for host in honest(hosts))
        assert not any(host.may_change(gone) for host in honest(hosts))


def has_one_winner(hosts: Hosts) -> None:
    """Of two deploys at once at least one gets its turn, and never do both hold the lock."""
    wins, most = contend(hosts, ("ana@one", "bob@two"))
    assert most == 1
    assert wins >= 1


STORIES: tuple[Callable[[Hosts], None], ...] = (
    deploys,
    is_seen_and_broken,
    is_taken_over,
    has_one_winner,
)


def contend(hosts: Hosts, authors: Sequence[str]) -> tuple[int, int]:
    """Let deploys contend; how many got the lock, and the most that held it at one moment.

    A lease holds the lock while it is neither lost nor stale: then `confirm` lets it act. Only
    that is looked at, so that a thread which the machine forgets for a while spoils nothing.
    """
    leases = {author: lease(hosts, author) for author in authors}
    inside, most, wins, guard = set[str](), 0, 0, threading.Lock()
    start = threading.Barrier(len(authors))

    def count() -> None:
        nonlocal most
        held = [
            author
            for author in inside
            if not leases[author]._is_stale() and not leases[author].heartbeat.lost.is_set()
        ]
        most = max(most, len(held))

    def run(author: str) -> None:
        nonlocal wins
        start.wait(20)
        with suppress(Locked, Unreachable), leases[author] as mine:
            mine.take(0, silent)
            with guard:
                inside.add(author)
                wins += 1
            until = time.monotonic() + 0.6
            while time.monotonic() < until:
                with guard:
                    count()
                with suppress(LockLost):
                    mine.confirm()
                threading.Event().wait(0.02)
            with guard:
                inside.discard(author)

    threads = [threading.Thread(target=run, args=(author,)) for author in authors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return wins, most


def all_at_once(tries: Sequence[tuple[str, Callable[[Hosts], None], Hosts]]) -> list[str]:
    """Run stories side by side, as they mostly wait; what went wrong, one sentence each."""

    def run(one: tuple[str, Callable[[Hosts], None], Hosts]) -> str:
        name, story, hosts = one
        try:
            story(hosts)
        except (AssertionError, DeployError, pytest.fail.Exception) as error:
            return f"{name}: {story.__name__}: {type(error).__name__}: {error}"
        finally:
            for host in hosts.values():
                if isinstance(host, LyingHost):
                    host.end.set()
        return ""

    with ThreadPoolExecutor(max_workers=16) as pool:
        return [wrong for wrong in pool.map(run, tries) if wrong]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_one_host_of_three_may_tell_any_lie(story: Callable[[Hosts], None]) -> None:
    """The table: each lie, on the first host by name and on the last, for each verb."""
    tries = [
        (f"{lie} on host-{place}", story, fleet(SIZE, {place: lie}))
        for lie in EVERY_LIE
        for place in (0, SIZE - 1)
    ]
    assert all_at_once(tries) == []


lying = st.integers(1, 7).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.dictionaries(
            st.integers(0, size - 1), st.sampled_from(EVERY_LIE), max_size=(size - 1) // 2
        ),
        st.sampled_from(STORIES),
    )
)


@settings(max_examples=2, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(drawn=st.lists(lying, min_size=24, max_size=24))
def test_any_minority_of_any_fleet_may_lie(
    drawn: list[tuple[int, dict[int, str], Callable[[Hosts], None]]],
) -> None:
    tries = [(f"{size}: {lies}", story, fleet(size, lies)) for size, lies, story in drawn]
    assert all_at_once(tries) == []


@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_fleets_of_any_size(size: int) -> None:
    lies = {number: EVERY_LIE[number * 3] for number in range((size - 1) // 2)}
    assert all_at_once([(f"{size}: {lies}", story, fleet(size, lies)) for story in STORIES]) == []


def test_control_a_majority_of_liars_does_stop_a_deploy() -> None:
    lies = ("lost", "garbage", "growing", "silent")
    tries = [(lie, deploys, fleet(SIZE, {0: lie, 1: lie})) for lie in lies]
    assert len(all_at_once(tries)) == len(lies)


def both_in(hosts: Hosts) -> list[Lease]:
    """Two deploys of which each has an honest host; the first host grants it to both."""
    ana, bob = lease(hosts), lease(hosts, "bob@two")
    hosts["host-2"].line = bob.holder.as_line()
    won = []
    for each in (ana, bob):
        with suppress(Locked):
            each.take(0, silent)
            won.append(each)
    return [each for each in won if not each._is_stale()]


def test_two_deploys_that_each_have_one_honest_host_do_not_both_win(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the control: by the majority alone, both would hold the lock."""
    assert len(both_in(fleet(SIZE, {0: "ok"}))) == 1
    alone = property(lambda self: len(self.taken) >= self.quorum)
    monkeypatch.setattr(claim.Claim, "is_won", alone)
    assert len(both_in(fleet(SIZE, {0: "ok"}))) == 2


def test_the_hosts_in_memory_do_what_the_scripts_do(tmp_path: Path) -> None:
    """Every script on every state of the lock: the same exit code, answer and next state."""
    mine, other = Holder.of_this_process("ana", "deploy", 30), forged()
    token, line = mine.token, mine.as_line()
    scripts: list[Script[Any]] = [
        lock.take_lock("lab", token, line),
        lock.take_lock("lab", token, line, "f" * 32),
        lock.take_lock("lab", token, line, "e" * 32),
        lock.beat_lock("lab", token, line),
        lock.holds_lock("lab", token),
        lock.drop_lock("lab", token),
        lock.break_lock("lab", token, "why"),
        lock.show_lock("lab"),
    ]
    real, model = FolderHost(tmp_path), MemoryHost("host")
    real.file.parent.mkdir()
    for state in ("", line, other, "garbage"):
        for script in scripts:
            real.file.with_suffix(".broken").unlink(missing_ok=True)
            real.file.unlink(missing_ok=True)
            if state:
                real.file.write_text(state)
            model.line, model.broken = state, set()
            whole = script.read_by(as_it_is)
            expected, ended = model.ask(whole), real.ask(whole)
            assert ended.exit_code == expected.exit_code, (state, script)
            left = real.file.read_text().strip() if real.file.exists() else ""
            assert left == model.line, (state, script)
            got, wanted = lock.shown(ended.stdout), lock.shown(expected.stdout)
            assert (got or b"").strip() == (wanted or b"").strip()
