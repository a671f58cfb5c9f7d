"""P11: the proof asks what the load balancer asks, and what serves is asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.load import Load
from lab.project import set_check, set_delay, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.fleet import Lab
    from lab.project import Project

OWN_PORT = 8081
FORBIDDEN, AGAIN = "AllowTcpForwarding no", "systemctl restart ssh"


@pytest.fixture
def own_port(lab: Lab) -> Iterator[int]:
    """The group checks a port of its own, as for Spring's actuator."""
    set_check(lab, "web-lab", HealthCheckPort=str(OWN_PORT))
    yield OWN_PORT
    set_check(lab, "web-lab", HealthCheckPort="traffic-port")


@pytest.mark.hosts(2)
def test_p11_a_check_on_a_port_of_its_own_is_asked_there(
    project: Project, lab: Lab, own_port: int
) -> None:
    """Case 6: the port of the app answers 404, and hosts were left out of service."""
    project.install("1.0.0", anew=True, health_port=own_port)
    set_delay(lab, "web-lab", 3)
    project.build("2.0.0", health_port=own_port)
    with Load(lab.url("web"), rate=100) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert f"GET :{own_port}/health gives 200" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("forwards", [True, False], ids=["by SSH", "on the host"])
def test_p11_a_check_within_tls_is_asked_within_tls(
    project: Project, lab: Lab, own_port: int, *, forwards: bool
) -> None:
    """Refused before: a group that checks over HTTPS."""
    set_check(lab, "web-lab", HealthCheckProtocol="HTTPS")
    if not forwards:
        for host in lab.hosts:
            lab.shell(host, f"sed -i '1i {FORBIDDEN}' /etc/ssh/sshd_config && {AGAIN}")
    try:
        project.install("1.0.0", anew=True, health_port=own_port, health_tls=True)
        set_delay(lab, "web-lab", 3)
        project.build("2.0.0", health_port=own_port, health_tls=True)
        with Load(lab.url("web"), rate=100) as load:
            ran = project.deploy("2.0.0")
    finally:
        set_check(lab, "web-lab", HealthCheckProtocol="HTTP")
        for host in lab.hosts:
            lab.shell(host, f"sed -i '/^{FORBIDDEN}$/d' /etc/ssh/sshd_config && {AGAIN}")
    assert ran.code == 0, ran.output
    assert f"GET :{own_port}/health over TLS gives 200" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("command", ["deploy", "rollback"])
def test_p11_a_question_that_what_serves_does_not_pass_is_refused_before_any_drain(
    project: Project, lab: Lab, command: str
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    if command == "rollback":
        assert project.deploy("2.0.0", "--batch", "100%", "--allow-downtime").code == 0
    seen = len(lab.events())
    project.web["health"] = {"path": "/ready"}
    project.configure()
    if command == "deploy":
        ran = project.deploy("2.0.0")
    else:
        ran = project.inv("rollback", "--env", "lab", "--app", "web", "--yes")
    assert ran.code == 2, ran.output
    assert "GET :5000/ready gives 200 brought answer 404, not 200" in ran.output
    assert len(lab.events()) == seen, "a target was touched"
    until("all healthy", lambda: set(lab.health("web-lab").values()) == {"healthy"})


@pytest.mark.hosts(2)
@pytest.mark.parametrize("lag_seconds", [1.0, 4.0])
def test_p1_readings_of_a_time_ago_lose_no_request_and_accuse_nobody(
    project: Project, lab: Lab, lag_seconds: float
) -> None:
    """ELBv2 is eventually consistent: what it shows of health may be of seconds ago."""
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", 3)
    lab.knobs(describe_lag_seconds=lag_seconds, propagation_lag_seconds=1)
    with Load(lab.url("web"), rate=100) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
