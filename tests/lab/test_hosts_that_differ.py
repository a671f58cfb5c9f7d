"""Hosts as they are found: without forwarding, with a chatty shell, or frozen in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.fleet import Lab
from lab.leaving import first_to_drain
from lab.load import MODEST_RATE, Load
from lab.project import Project, called, set_delay

FREEZE_SECONDS = 10
"""How long a host drains, so that it is frozen by then."""


@pytest.mark.hosts(2)
def test_where_sshd_forbids_forwarding_the_host_is_asked_on_itself(
    project: Project, lab: Lab
) -> None:
    """By curl, and on the second host, which has none, by python3."""
    for host in lab.hosts:
        lab.shell(
            host,
            "sed -i '1i AllowTcpForwarding no' /etc/ssh/sshd_config && systemctl restart ssh",
        )
    without = lab.hosts[1]
    lab.shell(without, "mv /usr/bin/curl /usr/bin/curl.away")
    try:
        project.install("1.0.0", anew=True)
        assert project.status()["well"], str(project.status())
        project.build("2.0.0", sick=True)
        for host in lab.hosts:
            ran = project.deploy("2.0.0", "--hosts", called(host))
            assert ran.code == 1, ran.output
            assert "answer 503, not 200" in ran.output
    finally:
        lab.shell(without, "mv /usr/bin/curl.away /usr/bin/curl")


@pytest.mark.long(190)
@pytest.mark.hosts(3)
def test_a_host_that_freezes_costs_itself_and_no_hour(project: Project, lab: Lab) -> None:
    """Frozen while it drains: it stays out, named; the others serve, nothing is lost."""
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", FREEZE_SECONDS)
    seen = lab.events()[-1]["seq"]

    with (
        Load(lab.url("web"), rate=MODEST_RATE, slow_share=0) as load,
        ThreadPoolExecutor(1) as pool,
    ):
        deploy = pool.submit(project.deploy, "2.0.0")
        frozen = first_to_drain(lab, seen)
        lab.pause(frozen)
        try:
            ran = deploy.result()
        finally:
            lab.unpause(frozen)
    assert ran.code == 5, ran.output
    # The looks of its drain have given the connection up: the stop finds that none can be made.
    own = [line for line in ran.output.splitlines() if called(frozen) in line]
    said = ("the connection broke", "no SSH connection on port 22")
    assert any(words in line for line in own for words in said), ran.output
    assert f"{called(frozen)}: out of service" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0"}
    set_delay(lab, "web-lab", 3)
    again = project.deploy("2.0.0", "--batch", "100%", "--allow-downtime")
    assert again.code == 0, again.output
    assert project.status()["well"], str(project.status())
