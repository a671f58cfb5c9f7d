"""Hosts as they are found: without forwarding, with a chatty shell, or frozen in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fleet import Lab
from lab.load import Load
from lab.project import Project, set_delay, until

FREEZE_SECONDS = 10
"""How long a host drains, so that it is frozen by then."""


@pytest.mark.parametrize("tools", ["with curl", "without curl"])
def test_where_sshd_forbids_forwarding_the_host_is_asked_on_itself(
    project: Project, lab: Lab, tools: str
) -> None:
    for host in lab.hosts:
        lab.shell(
            host,
            "sed -i '1i AllowTcpForwarding no' /etc/ssh/sshd_config && systemctl restart ssh",
        )
        if tools == "without curl":
            lab.shell(host, "mv /usr/bin/curl /usr/bin/curl.away")
    try:
        project.install("1.0.0", anew=True)
        assert project.status()["well"], str(project.status())
        project.build("2.0.0", sick=True)
        ran = project.deploy("2.0.0")
        assert ran.code == 1, ran.output
        assert "answer 503, not 200" in ran.output
    finally:
        for host in lab.hosts:
            lab.shell(host, "[ -e /usr/bin/curl ] || mv /usr/bin/curl.away /usr/bin/curl")


def test_a_shell_that_speaks_at_login_is_not_taken_for_an_answer(
    project: Project, lab: Lab
) -> None:
    for host in lab.hosts:
        lab.shell(host, "sed -i '1i echo Welcome to prod' /home/ec2-user/.bashrc")
    try:
        project.install("1.0.0", anew=True)
    finally:
        for host in lab.hosts:
            lab.shell(host, "sed -i '/Welcome to prod/d' /home/ec2-user/.bashrc")


def test_a_host_that_freezes_costs_itself_and_no_hour(project: Project, lab: Lab) -> None:
    """Frozen while it drains: it stays out, named; the others serve, nothing is lost."""
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", FREEZE_SECONDS)
    seen = lab.events()[-1]["seq"]

    def draining() -> list[str]:
        return [event["id"] for event in lab.events(seen) if event["to"] == "draining"]

    with Load(lab.url("web"), rate=100, slow_share=0) as load, ThreadPoolExecutor(1) as pool:
        deploy = pool.submit(project.deploy, "2.0.0")
        until("a host drains", lambda: bool(draining()))
        frozen = next(host for host in lab.hosts if host.instance_id == draining()[0])
        until("its drain has begun", lambda: "draining" in lab.health("web-lab").values())
        lab.pause(frozen)
        try:
            ran = deploy.result()
        finally:
            lab.unpause(frozen)
    assert ran.code == 5, ran.output
    assert "connection broke" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0"}
    set_delay(lab, "web-lab", 3)
    again = project.deploy("2.0.0")
    assert again.code == 0, again.output
    assert project.status()["well"], str(project.status())
