"""What hosts print becomes a survey, old systemds and surprises included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import builders
import pytest

from deploy import survey
from deploy.balancer import GONE
from deploy.errors import BadInput, CommandResult, ConnectionLost, RemoteError
from deploy.records import Record
from deploy.survey import Listener, Slot, UnitState

if TYPE_CHECKING:
    from deploy.balancer import Balancer, Health, Target, TargetGroup
    from deploy.remote import Remote

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
    facts = survey.parse_host(builders.host(), PRINTED, [builders.app()])
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
    facts = survey.parse_host(builders.host(), "init=systemd\nnoise\n", [builders.app()])
    assert facts.slots == {"web": Slot()}
    assert (facts.systemd, facts.free_kb) == (0, 0)
    assert not facts.slots["web"].unit.is_loaded


def test_apps_are_kept_apart() -> None:
    printed = "web.5000.link=../releases/1.0.0-a\nadmin.5100.link=../releases/2.0.0-b\n"
    slots = survey.parse_host(
        builders.host(), printed, [builders.app(), builders.app("admin", 5100)]
    ).slots
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
    found = survey.parse_show(printed)
    if isinstance(expected, UnitState):
        assert found == expected
    else:
        assert (found.load, found.active, found.restarts) == expected


@pytest.mark.parametrize(
    ("active", "runs"),
    [("active", True), ("activating", True), ("reloading", True), ("failed", False)],
)
def test_a_unit_about_to_run_counts_as_running(active: str, runs: bool) -> None:
    assert UnitState(active=active).is_running is runs


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("252~rc1", 252), ("x", 0), ("", 0)])
def test_numbers_are_read_from_the_front(text: str, number: int) -> None:
    assert survey.number(text) == number


def test_a_target_goes_by_instance_or_by_address() -> None:
    web, host = builders.app(), builders.host(3)
    assert survey.target_of(builders.group(), host, web).id == host.instance_id
    assert survey.target_of(builders.group(target_type="ip"), host, web).id == host.address
    public = replace(host, address="198.51.100.7", private_address="10.0.0.3")
    assert survey.target_of(builders.group(target_type="ip"), public, web).id == "10.0.0.3"
    assert builders.survey(health={"host-1": GONE}).health_of(builders.host(), web) == GONE


class Telling:
    """A host that answers the survey with a text, an exit code or an error."""

    def __init__(
        self, number: int, answer: CommandResult | RemoteError, *first: RemoteError
    ) -> None:
        """`first`: what goes wrong before the answer."""
        self.host = builders.host(number)
        self._answer, self._first = answer, list(first)

    def ask(self, script: str, what: str, timeout_seconds: float) -> CommandResult:
        del script, what, timeout_seconds
        if self._first:
            raise self._first.pop(0)
        if isinstance(self._answer, RemoteError):
            raise self._answer
        return self._answer


class Healthy:
    """A balancer that knows nothing but its groups."""

    @staticmethod
    def health(group: TargetGroup) -> dict[Target, Health]:
        del group
        return {}


def gather(*hosts: Telling, allow_unreachable: bool = False) -> survey.Survey:
    remotes = {one.host.name: cast("Remote", one) for one in hosts}
    return survey.gather(
        builders.environment(),
        remotes,
        cast("Balancer", Healthy()),
        {"web": builders.group()},
        allow_unreachable=allow_unreachable,
    )


def answered(text: str, code: int = 0, stderr: str = "") -> CommandResult:
    return CommandResult("survey", code, text, stderr)


def test_every_host_that_cannot_be_read_is_named() -> None:
    broken = [Telling(number, RemoteError(f"host-{number}: gone")) for number in (2, 3)]
    with pytest.raises(BadInput) as refused:
        gather(Telling(1, answered(PRINTED)), *broken)
    assert str(refused.value) == "host-2: gone\nhost-3: gone"


def test_a_host_whose_connection_breaks_is_asked_again() -> None:
    lost = ConnectionLost("host-1: survey: the connection broke")
    assert gather(Telling(1, answered(PRINTED), lost)).hosts


def test_status_goes_on_without_them() -> None:
    seen = gather(
        Telling(1, answered(PRINTED)),
        Telling(2, RemoteError("host-2: gone")),
        allow_unreachable=True,
    )
    assert [facts.host.name for facts in seen.hosts] == ["host-1"]
    assert seen.unreachable == {"host-2": "host-2: gone"}


def test_a_user_without_sudo_is_told_what_to_allow() -> None:
    refusal = answered("", 1, "sudo: a password is required\n")
    with pytest.raises(BadInput) as refused:
        gather(Telling(1, refusal))
    assert str(refused.value).startswith(
        "host-1: sudo without a password does not work for the SSH user: "
        "sudo: a password is required; allow it in /etc/sudoers.d"
    )
