"""`inv lock.status` and `inv lock.break`: which deploy holds the lock, and how it loses it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from deploy.commands import lock as lock_commands
from deploy.errors import BadInput, Locked, LockLost, Unreachable
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.session.arguments import read_settings
from deploy.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback import Project

    from deploy.hosts.lock.lease import Lease

PATIENCE_SECONDS = 20.0


@pytest.fixture
def living(project: Project) -> Iterator[Lease]:
    """The lease of a deploy that lives."""
    project.outlast_pauses()
    asked = project.asked()
    loaded = read_settings(asked, Screen())
    with (
        Session(loaded, scope=asked.scope("deploy")) as opened,
        opened.lease("deploy", 0, lambda _: None) as lease,
    ):
        yield lease


def test_an_environment_that_nobody_deploys_to_is_not_locked(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock_commands.status(project.asked()) is ExitCode.DONE
    assert "lab is not locked." in capsys.readouterr().out
    assert lock_commands.destroy(project.asked(), reason="to try", force=False) is ExitCode.DONE
    assert "lab is not locked." in capsys.readouterr().out


def test_a_lock_whose_deploy_lives_is_shown_and_kept(
    project: Project, living: Lease, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock_commands.status(project.asked(json=True)) is ExitCode.LOCKED
    shown = json.loads(capsys.readouterr().out)
    (holder,) = shown["holders"]
    assert shown["locked"]
    assert (holder["life"], holder["majority"], holder["what"]) == ("alive", True, "deploy")
    assert holder["hosts"] == sorted(project.hosts)
    assert "token" not in holder, "who knows it could drop the lock"
    with pytest.raises(Locked, match="which is alive; end it there"):
        lock_commands.destroy(project.asked(), reason="impatience", force=False)
    assert set(project.locks()) == set(project.hosts)
    living.confirm()


def test_by_force_the_lock_of_a_living_deploy_is_broken_and_that_one_changes_nothing_more(
    project: Project, living: Lease, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = threading.Event()
    living.when_lost(lost.set)
    assert lock_commands.destroy(project.asked(), reason="it hangs", force=True) is ExitCode.DONE
    assert "Broken on host-1, host-2, host-3: deploy by " in capsys.readouterr().out
    assert lost.wait(PATIENCE_SECONDS)
    with pytest.raises(LockLost):
        living.confirm()
    assert project.locks() == {}


def test_the_lock_of_a_dead_deploy_is_broken_and_the_reason_is_written_on_each_host(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = project.leave_lock()
    assert lock_commands.status(project.asked()) is ExitCode.LOCKED
    assert f"lab is locked: {holder}; on 3 of 3 hosts, heartbeat 0, dead" in capsys.readouterr().out
    asked = project.asked(program="changeover")
    assert (
        lock_commands.destroy(asked, reason="its job\nwas cancelled", force=False) is ExitCode.DONE
    )
    assert project.locks() == {}
    for host in project.hosts.values():
        (note,) = host.notes.splitlines()
        assert note.startswith(f"{holder.token} ")
        assert note.endswith(f"broke {holder}: its job was cancelled")
    said = capsys.readouterr().out
    assert f"changeover repair --env lab --settings {project.settings} repairs it." in said


def test_what_is_no_lock_is_removed_where_it_is(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.hosts["host-2"].lock.write_text("who knows\n")
    assert lock_commands.status(project.asked()) is ExitCode.DONE
    said = capsys.readouterr().out
    assert "host-2: /var/lib/changeover/lab.lock is not a lock that Changeover wrote" in said
    assert "lab is not locked." in said
    assert lock_commands.destroy(project.asked(), reason="garbage", force=False) is ExitCode.DONE
    assert "Removed on host-2: a lock that names no holder." in capsys.readouterr().out
    assert project.locks() == {}
    assert "a lock that names no holder: garbage" in project.hosts["host-2"].notes


def test_one_host_of_three_that_is_down_keeps_no_lock_from_being_broken(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.leave_lock()
    project.hosts["host-3"].sshd.stop()
    assert lock_commands.destroy(project.asked(), reason="it died", force=False) is ExitCode.DONE
    shown = capsys.readouterr()
    assert "Broken on host-1, host-2: deploy by eve@ci" in shown.out
    assert "Not reached: host-3" in shown.err
    assert set(project.locks()) == {"host-3"}


def test_where_most_hosts_are_down_nothing_is_known_and_nothing_broken(project: Project) -> None:
    project.leave_lock()
    for name in ("host-2", "host-3"):
        project.hosts[name].sshd.stop()
    with pytest.raises(Unreachable, match="its lock cannot be read: 1 of 3 hosts answered"):
        lock_commands.status(project.asked(json=True))
    with pytest.raises(Unreachable, match="its lock cannot be read"):
        lock_commands.destroy(project.asked(), reason="it died", force=True)
    assert set(project.locks()) == set(project.hosts)


def test_hosts_that_do_not_obey_are_named_and_the_lock_may_still_be_held(project: Project) -> None:
    project.leave_lock()
    for name in ("host-2", "host-3"):
        project.hosts[name].program("rm", "#!/bin/sh\nexit 1\n")
    with pytest.raises(Unreachable, match=r"hosts that did not obey: host-2.*host-3"):
        lock_commands.destroy(project.asked(), reason="it died", force=False)
    assert set(project.locks()) == {"host-2", "host-3"}


def test_a_lock_is_not_broken_without_a_reason(project: Project) -> None:
    with pytest.raises(BadInput, match="--reason is empty"):
        lock_commands.destroy(project.asked(), reason=" ", force=True)
