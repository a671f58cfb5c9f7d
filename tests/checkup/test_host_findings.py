"""What hosts show, as findings: one line for all that are well, and each fault's remedy."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from deploy.checkup.doctor import host_findings
from deploy.checkup.doctor.finding import Finding, Findings, Level
from deploy.checkup.doctor.host_look import HostLook, _ahead


def look(number: int = 1, **changed: Any) -> HostLook:
    """A host that is well, but for what is changed."""
    given: dict[str, Any] = {"connect_seconds": 0.2, "failed": (), "clock_ahead": 0.0} | changed
    facts = given.pop("facts", {})
    return HostLook(builders.facts(number, **facts), **given)


def noted(*looks: HostLook, **refused: str) -> tuple[Finding, ...]:
    findings = Findings()
    host_findings.note(builders.environment(), looks, refused, findings)
    return findings.each


def test_hosts_that_are_well_take_a_line_for_each_thing_and_not_for_each_host() -> None:
    found = noted(*(look(number) for number in range(1, 13)))
    assert {each.level for each in found} == {Level.OK}
    assert [each.text for each in found] == [
        "12 hosts with a known host key, logged in within 0.2 s, sudo works",
        "systemd 252 (12 hosts)",
        "the programs that a deploy runs work on 12 hosts",
        "at least 10,240 MiB are free under /srv",
        "clocks differ from this workstation's by less than 5 s",
    ]


@pytest.mark.parametrize(
    ("changed", "level", "said", "remedy"),
    [
        ({"connect_seconds": 6.0}, Level.WARNING, "more than half of", "or raise it"),
        ({"failed": (("mv", "not a folder"),)}, Level.PROBLEM, "`mv` there does not", "install"),
        ({"clock_ahead": 7.2}, Level.WARNING, "7 s ahead of", "timedatectl set-ntp true"),
        ({"clock_ahead": -70.0}, Level.WARNING, "70 s behind", "timedatectl set-ntp true"),
        ({"facts": {"free_kb": 1024}}, Level.WARNING, "less than 1,024 MiB", "make room"),
        ({"facts": {"systemd": 219}}, Level.PROBLEM, "systemd 219 is too old", "240 or newer"),
        ({"facts": {"tools": frozenset()}}, Level.PROBLEM, "has no `flock`", "install"),
    ],
)
def test_each_fault_is_one_line_with_its_remedy(
    changed: dict[str, Any], level: Level, said: str, remedy: str
) -> None:
    found = [each for each in noted(look(1), look(2, **changed)) if each.level is level]
    assert any(said in each.text and remedy in each.text for each in found), found
    assert all(each.hosts == ("host-2",) for each in found)


def test_a_host_that_cannot_be_read_is_a_problem_and_hides_no_other() -> None:
    found = noted(look(2), **{"host-1": "host-1: no SSH connection on port 22"})
    assert [each.text for each in found if each.level is Level.PROBLEM] == [
        "host-1: no SSH connection on port 22"
    ]
    assert any(each.text.startswith("1 host with a known host key") for each in found)


@pytest.mark.parametrize(
    ("clock", "before", "after", "ahead"),
    [
        (100, 100.2, 100.4, 0.0),
        (100, 100.9, 101.2, 0.0),
        (107, 99.0, 100.0, 7.0),
        (90, 100.0, 101.0, -9.0),
    ],
)
def test_a_clock_of_whole_seconds_is_off_by_what_is_certain(
    clock: int, before: float, after: float, ahead: float
) -> None:
    assert _ahead(clock, before, after) == ahead
