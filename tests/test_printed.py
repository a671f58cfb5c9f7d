"""What hosts print becomes facts, old systemds and surprises included."""

from __future__ import annotations

import builders
import pytest

from deploy.facts import Listener, Slot, UnitState
from deploy.printed import number, parse_host, parse_show
from deploy.records import Record

PRINTED = """\
init=systemd
systemd=systemd 252 (252.39-1~deb12u1)
selinux=Enforcing
free_kb=123456
now=1790000000
tool=ss
tool=tar
web.5000.link=../releases/1.0.0-aaaaaaaaaaaa
web.5000.unit_sha256=abc
web.5000.unit_digest=0123456789ab
web.5000.show.LoadState=loaded
web.5000.show.ActiveState=active
web.5000.show.SubState=running
web.5000.show.UnitFileState=enabled
web.5000.show.MainPID=314
web.5000.show.InvocationID=feed
web.5000.show.NRestarts=2
web.5000.show.Result=success
web.5000.show.ActiveEnterTimestamp=Sun 2026-11-22 21:20:01 UTC
web.5000.running.RELEASE=1.0.0-aaaaaaaaaaaa
web.5000.running.UNIT=0123456789ab
web.release=0.9.0-cccccccccccc
web.release=1.0.0-aaaaaaaaaaaa
web.5000.out={"target": "i-1:5000"}
web.history={"release": "0.9.0-cccccccccccc", "unit": "u", "at": "t", "by": "a=b"}
web.history={"release": "1.0.0-aaa
web.history={"release": "1.0.0-aaaaaaaaaaaa", "unit": "u", "at": "t", "by": "a=b"}
web.bad=1.1.0-bbbbbbbbbbbb
web.kept=1.0.0-aaaaaaaaaaaa.u.web@5000.service
web.group=web
web.5000.listener=314 web@5000.service web
web.5000.listener=7 nginx
web.replaces.LoadState=loaded
web.replaces.ActiveState=active
web.environment_file=600 root
"""


def test_a_hosts_lines_become_facts() -> None:
    facts = parse_host(builders.host(), PRINTED, [builders.app()])
    assert (facts.init, facts.systemd, facts.selinux, facts.free_kb) == (
        "systemd",
        252,
        "Enforcing",
        123456,
    )
    assert facts.tools == {"ss", "tar"}
    slot = facts.slots["web"]
    assert slot.link == slot.running_release == "1.0.0-aaaaaaaaaaaa"
    assert slot.releases == ("0.9.0-cccccccccccc", "1.0.0-aaaaaaaaaaaa")
    assert slot.unit == UnitState(
        "loaded",
        "active",
        "running",
        "enabled",
        314,
        "feed",
        2,
        "success",
        "Sun 2026-11-22 21:20:01 UTC",
    )
    assert slot.listeners == (Listener(314, "web@5000.service", "web"), Listener(7, "", "nginx"))
    assert slot.deployed == Record("1.0.0-aaaaaaaaaaaa", "u", "t", "a=b")
    assert [record.version for record in slot.history] == ["0.9.0", "1.0.0"]
    assert [slot.can_run(record) for record in slot.history] == [False, True]
    assert slot.bad == {"1.1.0-bbbbbbbbbbbb"}
    assert slot.replaces.is_running
    assert slot.environment_file == "600 root"
    assert (slot.running_unit, slot.unit_digest) == ("0123456789ab", "0123456789ab")


def test_a_bare_host_has_an_empty_slot() -> None:
    facts = parse_host(builders.host(), "init=systemd\nnoise\n", [builders.app()])
    assert facts.slots == {"web": Slot()}
    assert (facts.systemd, facts.free_kb) == (0, 0)
    assert not facts.slots["web"].unit.is_loaded


def test_apps_are_kept_apart() -> None:
    text = "web.5000.link=../releases/1.0.0-a\nadmin.5100.link=../releases/2.0.0-b\n"
    slots = parse_host(builders.host(), text, [builders.app(), builders.app("admin", 5100)]).slots
    assert (slots["web"].link, slots["admin"].link) == ("1.0.0-a", "2.0.0-b")


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("", UnitState()),
        ("LoadState=loaded\nActiveState=failed\nResult=exit-code\n", ("loaded", "failed", 0)),
        ("LoadState=loaded\nActiveState=active\nMainPID=9\nNRestarts=x\n", ("loaded", "active", 0)),
    ],
)
def test_what_an_older_systemd_leaves_out_is_taken_as_none(
    printed: str, expected: UnitState | tuple[str, str, int]
) -> None:
    found = parse_show(printed)
    if isinstance(expected, UnitState):
        assert found == expected
    else:
        assert (found.load, found.active, found.restarts) == expected


@pytest.mark.parametrize(("text", "expected"), [("12", 12), ("252~rc1", 252), ("x", 0), ("", 0)])
def test_numbers_are_read_from_the_front(text: str, expected: int) -> None:
    assert number(text) == expected
