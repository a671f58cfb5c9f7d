"""The load balancer of the lab sees a target that answers too late, and when it is well again."""

from __future__ import annotations

from lab.fleet import Lab
from lab.project import Project, until


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
