"""Findings: the same on many hosts is one line, and the same from two looks is noted once."""

from __future__ import annotations

import pytest

from deploy.checkup.doctor.finding import Finding, Findings, Level
from deploy.checkup.refusals import Part
from deploy.errors import BadInput


def test_the_same_on_several_hosts_is_one_finding_that_names_them() -> None:
    findings = Findings()
    findings.of_hosts(
        {
            "web-2": ("web-2: has no `ss`; install the package iproute2",),
            "web-1": ("web-1: has no `ss`; install the package iproute2", "web-1: is full"),
        }
    )
    assert findings.each == (
        Finding(
            Part.HOSTS,
            Level.PROBLEM,
            "2 hosts (web-1, web-2): has no `ss`; install the package iproute2",
            hosts=("web-1", "web-2"),
        ),
        Finding(Part.HOSTS, Level.PROBLEM, "web-1: is full", hosts=("web-1",)),
    )


def test_what_a_second_look_finds_again_is_noted_once() -> None:
    findings = Findings()
    findings.of_hosts({"web-1": ("web-1: is full",)})
    findings.refused(Part.DEPLOY, BadInput("web-1: is full", "no host is left"))
    assert [(each.part, each.text) for each in findings.each] == [
        (Part.HOSTS, "web-1: is full"),
        (Part.DEPLOY, "no host is left"),
    ]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("web-1: is full", Part.HOSTS),
        ("web-1 (10.0.0.1): is full", Part.HOSTS),
        ("2 hosts (web-1, web-2): are full", Part.HOSTS),
        ("2 hosts cannot take part", Part.DEPLOY),
        ("web: no package", Part.DEPLOY),
    ],
)
def test_a_line_of_a_plans_refusal_that_names_a_host_is_about_hosts(line: str, part: Part) -> None:
    findings = Findings()
    findings.refused(Part.DEPLOY, BadInput(line), hosts=("web-1", "web-2"))
    assert [each.part for each in findings.each] == [part]


def test_lines_below_one_are_its_details() -> None:
    findings = Findings()
    with findings.noted(Part.HOSTS):
        raise BadInput("web-1: unknown host key", "  compare it:", "  web-1 ssh-ed25519 AAAA")
    (only,) = findings.each
    assert only.details == ("compare it:", "web-1 ssh-ed25519 AAAA")


def test_what_a_deploy_leaves_out_is_a_warning_and_what_it_does_not_a_problem() -> None:
    findings = Findings()
    findings.of_hosts({"web-1": ("web-1: is full",), "web-2": ("web-2: is down",)})
    findings.tolerate({"web-1"})
    assert [each.level for each in findings.each] == [Level.WARNING, Level.PROBLEM]
    assert findings.has_problem
    findings.tolerate({"web-1", "web-2"})
    assert not findings.has_problem


def test_an_unexpected_error_is_not_swallowed() -> None:
    with pytest.raises(KeyError), Findings().noted(Part.AWS):
        raise KeyError("a defect")
