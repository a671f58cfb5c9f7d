"""P1 without pointless waiting: no drain where nothing runs, and the entire one elsewhere."""

from __future__ import annotations

import time

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, called, set_delay, until

DELAY_SECONDS = 40
SEES = "see that nothing runs in web@5000.service"


@pytest.mark.hosts(2)
def test_a_first_install_on_registered_hosts_waits_for_no_drain(project: Project, lab: Lab) -> None:
    set_delay(lab, "web-lab", DELAY_SECONDS)
    project.build("1.0.0")
    began = time.monotonic()
    ran = project.deploy("1.0.0", "--batch", "1")
    assert ran.code == 0, ran.output
    assert sum(SEES in step for step in ran.steps()) == 2, ran.output
    assert time.monotonic() - began < DELAY_SECONDS, ran.output


@pytest.mark.hosts(3)
def test_p1_a_host_that_is_down_is_not_drained_and_those_that_serve_are(
    project: Project, lab: Lab
) -> None:
    """Under load: what is under way on the others is awaited as always."""
    project.environment["rollout"] = {"batch": 1, "min_in_service": 1}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    down = lab.hosts[0]
    lab.shell(down, "systemctl stop web@5000.service")
    until("it is unhealthy", lambda: "unhealthy" in lab.health("web-lab").values())
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    waited = [step for step in ran.steps() if SEES in step]
    assert len(waited) == 1, ran.output
    assert waited[0].startswith(called(down)), ran.output
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p1_a_release_that_never_became_healthy_goes_back_without_a_whole_delay(
    project: Project, lab: Lab
) -> None:
    """It passes the proof, which asks another path here, and not the load balancer's check."""
    project.web.update({"health": {"path": "/"}, "healthy_timeout_seconds": 8})
    project.environment.update({"rollout": {"drain": "quiet"}, "quiet_seconds": 1})
    project.configure()
    set_delay(lab, "web-lab", DELAY_SECONDS)
    project.install("1.0.0")
    project.build("2.0.0", sick=True)
    lab.knobs(propagation_lag_seconds=1)
    began = time.monotonic()
    with Load(lab.url("web"), rate=MODEST_RATE, slow_share=0.02, slow_seconds=1.0) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0"}
    assert time.monotonic() - began < DELAY_SECONDS, ran.output
    assert set(project.releases().values()) == {"1.0.0"}
