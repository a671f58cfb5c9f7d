"""The load balancer of the lab sees a target that answers too late, and when it is well again."""

from __future__ import annotations

import pytest

from deploy.hosts.scripts import connections
from lab.fleet import Lab
from lab.load import Load
from lab.project import Project, until

pytestmark = pytest.mark.hosts(2)


def test_a_target_that_does_not_answer_in_time_is_unhealthy_until_it_does(
    project: Project, lab: Lab
) -> None:
    """Its process is suspended: the kernel still takes the connections."""
    project.install("1.0.0")
    host = lab.hosts[0]
    seen = lab.events()[-1]["seq"]
    lab.shell(host, "systemctl kill -s STOP web@5000.service")
    until("it is unhealthy", lambda: lab.health("web-lab")[host.name] == "unhealthy")
    told = [event for event in lab.events(seen) if event["group"] == "web-lab"]
    assert [(event["id"], event["reason"]) for event in told] == [
        (host.instance_id, "Target.Timeout")
    ]
    lab.shell(host, "systemctl kill -s CONT web@5000.service")
    until("it is healthy again", lambda: set(lab.health("web-lab").values()) == {"healthy"})


def test_the_load_balancer_keeps_its_connections_to_the_targets(project: Project, lab: Lab) -> None:
    """As an ALB does; without that, what happens to idle connections would never be tried."""
    project.install("1.0.0")
    with Load(lab.url("web"), rate=100) as load:
        until("many requests came by one connection", lambda: most_received(lab) > 10 * SMALLEST)
    assert load.result.failed == 0


SMALLEST = 50
"""Bytes of a request, at least."""


def most_received(lab: Lab) -> int:
    """The bytes that came by one of the first host's connections."""
    said = lab.shell(lab.hosts[0], "ss -tinH state established 'sport = :5000'")
    return max((each.received for each in connections.parse(said)), default=0)
