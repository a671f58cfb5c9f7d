"""Hosts and groups that cannot take a release are refused, all of them in one message."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from builders import NEW, RUNNING

from deploy import fitness
from deploy.balancer import GONE, Health, State
from deploy.errors import BadInput
from deploy.facts import Listener, Slot

FOREIGN = Listener(7, "nginx.service", "nginx")


def refused(
    facts: dict[str, Any] | None = None,
    slot: dict[str, Any] | None = None,
    app: dict[str, Any] | None = None,
    health: Health = builders.HEALTHY,
    group: dict[str, Any] | None = None,
) -> str:
    """What is said of one host that differs from a fit one as told; empty if nothing is."""
    web = builders.app(**(app or {}))
    host = builders.facts(slots={"web": Slot(**(slot or {}))}, **(facts or {}))
    seen = builders.survey([host], {"host-1": health}, [web], **(group or {}))
    try:
        fitness.refuse_unfit((web,), seen)
    except BadInput as error:
        return str(error)
    return ""


def test_a_fit_host_is_left_in_peace() -> None:
    assert refused() == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"facts": {"init": "sh"}}, "host-1: has no systemd (process 1 is sh)"),
        ({"facts": {"init": ""}}, "host-1: has no systemd (process 1 is unknown)"),
        ({"facts": {"systemd": 219}}, "host-1: systemd 219 is too old; 240 or newer is needed"),
        (
            {"facts": {"tools": builders.TOOLS - {"ss"}}},
            "host-1: has no `ss`; install the package iproute2",
        ),
        (
            {"facts": {"tools": builders.TOOLS - {"xargs"}}},
            "host-1: has no `xargs`; install the package findutils",
        ),
        (
            {"facts": {"tools": builders.TOOLS - {"tar"}}},
            "host-1: has no `tar`; install the package tar",
        ),
        ({"health": GONE}, "host-1: is no target of group web-lab; register it first: aws elbv2"),
        (
            {"health": Health(State.UNUSED, "Target.NotInUse", "No listener")},
            "host-1: target i-00000000000000001:5000 of web-lab is unused (Target.NotInUse): "
            "No listener",
        ),
        (
            {"slot": {"listeners": (FOREIGN,)}},
            "host-1: port 5000 of web is held by nginx.service (pid 7, nginx); stop it, choose "
            "another port, or name its unit under `replaces:`",
        ),
        (
            {"slot": {"listeners": (Listener(8, "", "python3"),)}},
            "host-1: port 5000 of web is held by python3 (pid 8, python3); stop it",
        ),
        (
            {"app": {"environment_file": "/etc/web.env"}},
            "host-1: environment_file /etc/web.env does not exist",
        ),
        (
            {
                "app": {"environment_file": "/etc/web.env"},
                "slot": {"environment_file": "644 root"},
            },
            "host-1: environment_file /etc/web.env has mode 644, so others can read its secrets; "
            "run there: sudo chmod 600 /etc/web.env",
        ),
        (
            {"group": {"target_type": "lambda"}},
            "target group web-lab has targets of type 'lambda'; hosts can be deployed in groups "
            "of type instance or ip",
        ),
    ],
)
def test_what_is_wrong_is_told_with_host_and_remedy(given: dict[str, Any], expected: str) -> None:
    assert refused(**given).startswith(expected)


@pytest.mark.parametrize(
    "given",
    [
        {"slot": {"out": "{}"}, "health": GONE},
        {"slot": {"unit": RUNNING, "listeners": (Listener(1, "web@5000.service", "web"),)}},
        {
            "slot": {"listeners": (Listener(1, "nginx.service", "nginx"),)},
            "app": {"replaces": "nginx.service"},
        },
        {"app": {"environment_file": "/etc/e"}, "slot": {"environment_file": "600 root"}},
        {"health": Health(State.UNHEALTHY, "Target.Timeout")},
    ],
    ids=["taken out by us", "our own listener", "the unit replaced", "a 0600 file", "sick"],
)
def test_what_a_deploy_can_mend_is_no_reason_to_refuse(given: dict[str, Any]) -> None:
    assert refused(**given) == ""


def test_every_problem_of_every_host_is_told_at_once() -> None:
    hosts = [builders.facts(1, init="sh"), builders.facts(2, systemd=200)]
    with pytest.raises(BadInput) as problem:
        fitness.refuse_unfit((builders.app(),), builders.survey(hosts))
    assert [line[:7] for line in str(problem.value).splitlines()] == ["host-1:", "host-2:"]


def test_a_host_without_space_is_named_with_both_figures() -> None:
    web = builders.app()
    hosts = [builders.facts(1), builders.facts(2, free_kb=63 * 1024)]
    offers = (builders.offer(web, hosts),)
    with pytest.raises(BadInput) as problem:
        fitness.refuse_too_large(offers, builders.survey(hosts))
    assert str(problem.value) == (
        "host-2: no space for the release: 63 MiB free under /srv, 64 MiB needed; make room there"
    )


def test_what_a_torn_upload_holds_counts_as_free() -> None:
    hosts = [builders.facts(slots={"web": Slot(torn={NEW: 1024})}, free_kb=64 * 1024)]
    fitness.refuse_too_large((builders.offer(builders.app(), hosts),), builders.survey(hosts))
    hosts = [builders.facts(slots={"web": Slot(torn={NEW: 900})}, free_kb=64 * 1024)]
    with pytest.raises(BadInput, match="64 MiB free under /srv, 64 MiB needed"):
        fitness.refuse_too_large((builders.offer(builders.app(), hosts),), builders.survey(hosts))


def test_a_host_that_has_the_release_needs_no_space() -> None:
    host = builders.facts(slots={"web": Slot(releases=(NEW,))}, free_kb=0)
    fitness.refuse_too_large((builders.offer(builders.app(), [host]),), builders.survey([host]))
