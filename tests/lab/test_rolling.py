"""P1, P2, P3, P6 on real hosts under load, and what must lose requests so that zeros mean much."""

from __future__ import annotations

import http.client
import socket
import time
from typing import Any

import pytest

from lab.fleet import Lab, LabHost
from lab.held import held_on
from lab.load import MODEST_RATE, Load
from lab.project import POLL_SECONDS, Project, group_arn, set_delay, until

RATE = 150
START_SECONDS = 3
LAG_SECONDS = 60


def test_p1_a_good_deploy_loses_no_request_and_p6_does_what_it_printed(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0", start_seconds=1, size_mb=5)
    lab.knobs(propagation_lag_seconds=1)
    set_delay(lab, "web-lab", 5)
    planned = project.deploy("2.0.0", "--dry-run", "--full")
    assert planned.code == 0
    assert set(project.releases().values()) == {"1.0.0"}, "a dry run changed something"
    calls, began = lab.calls()["DescribeTargetHealth"], time.monotonic()
    with Load(lab.url("web"), rate=RATE, slow_share=0.02, slow_seconds=2.0) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0", "2.0.0"}
    ticks = (time.monotonic() - began) / POLL_SECONDS
    prompt_polls_of_a_host = 3  # deregistered, drained, registered
    polled = lab.calls()["DescribeTargetHealth"] - calls
    assert polled <= ticks + prompt_polls_of_a_host * len(lab.hosts)
    assert load.result.requests > 20 * RATE

    printed = [line.strip() for line in planned.stdout.splitlines() if line.startswith("  ")]
    assert printed
    assert by_host(ran.steps()) == by_host(printed)
    assert set(project.releases().values()) == {"2.0.0"}


def by_host(steps: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps:
        host, _, text = step.partition(": ")
        found.setdefault(host, []).append(text)
    return found


@pytest.mark.hosts(2)
def test_p2_a_plan_that_leaves_nothing_in_service_is_refused(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    before = len(lab.events())
    ran = project.deploy("2.0.0", "--batch", "100%")
    assert ran.code == 2, ran.output
    assert "would leave no target of web-lab in service" in ran.output
    assert "--allow-downtime" in ran.output
    assert len(lab.events()) == before
    assert set(project.releases().values()) == {"1.0.0"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "crashes at once": ({"crash_at_once": True}, "web@5000.service"),
    "crashes after a second": ({"crash_after_seconds": 1}, "web@5000.service ended"),
    "is sick": ({"sick": True}, "answer 503, not 200"),
    "never listens": ({"never_listen": True}, "no answer within 2 s on port 5000"),
    "listens elsewhere": ({"listen_port": 5999}, "no answer within 2 s on port 5000"),
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("name", BAD)
def test_p3_a_bad_release_never_reaches_the_load_balancer(
    project: Project, lab: Lab, name: str
) -> None:
    """Its host goes back by itself, nothing is lost, and the report says why and where."""
    behaviour, words = BAD[name]
    project.web["start_timeout_seconds"] = 6
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0", **behaviour)
    lab.knobs(propagation_lag_seconds=1)
    seen = lab.events()[-1]["seq"]
    with Load(lab.url("web"), rate=MODEST_RATE, slow_share=0.02, slow_seconds=1.0) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0"}
    assert words in ran.output
    assert "| " in ran.output, "the journal's last lines are missing"
    assert "back on what it ran" in ran.output
    moved = {event["id"] for event in lab.events(seen)}
    assert len(moved) == 1, "more than one host was touched"
    assert project.status()["well"], str(project.status())
    assert set(project.releases().values()) == {"1.0.0"}
    assert_refused_unless_named(project, "2.0.0")


def assert_refused_unless_named(project: Project, version: str) -> None:
    """The newest package is not tried again by default once it failed here."""
    ran = project.inv("deploy", "--env", "lab", "--app", "web", "--dry-run")
    assert ran.code == 2, ran.output
    assert f"--app web --package {version}" in ran.output


@pytest.mark.hosts(2)
def test_a_release_that_crashes_after_three_seconds_is_caught_by_the_default_proof(
    project: Project, lab: Lab
) -> None:
    """With `prove_seconds` as it comes; the next good deploy finds the fleet whole."""
    del project.web["prove_seconds"]
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0", crash_after_seconds=3)
    seen = lab.events()[-1]["seq"]
    ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert len({event["id"] for event in lab.events(seen)}) == 1
    assert set(project.releases().values()) == {"1.0.0"}

    project.build("2.0.1")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        again = project.deploy("2.0.1")
    assert again.code == 0, again.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.1"}
    assert project.status()["well"], str(project.status())


@pytest.mark.hosts(2)
def test_an_executable_that_is_missing_is_refused_before_any_change(project: Project) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    project.web["command"] = "./wbe --port {port}"
    project.configure()
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert "wbe" in ran.output
    assert "'web'" in ran.output
    assert set(project.releases().values()) == {"1.0.0"}


# Controls: each of these must lose requests, or the zeros above mean nothing.


@pytest.fixture
def serving(project: Project, lab: Lab) -> Lab:
    """A release that takes 3 s to listen, and checks that take longer to see that it does not."""
    project.install("1.0.0", start_seconds=START_SECONDS)
    lab.knobs(time_divisor=1)
    return lab


def serves(host: LabHost) -> bool:
    """Whether something listens on the host's port."""
    try:
        with socket.create_connection((host.address, 5000), timeout=1):
            return True
    except OSError:
        return False


def restarts(lab: Lab, host: LabHost) -> int:
    shown = lab.shell(host, "systemctl show web@5000.service -p NRestarts --value")
    return int(shown.strip() or 0)


@pytest.mark.hosts(2)
def test_control_a_restart_without_deregistering_loses_requests(serving: Lab) -> None:
    with Load(serving.url("web"), rate=RATE) as load:
        for host in serving.hosts:
            serving.shell(host, "systemctl restart web@5000.service")
        until("all serve again", lambda: all(serves(host) for host in serving.hosts))
    assert load.result.failed > 0


@pytest.mark.hosts(2)
def test_control_a_killed_target_loses_requests(serving: Lab) -> None:
    host = serving.hosts[0]
    with Load(serving.url("web"), rate=RATE) as load:
        serving.shell(host, "systemctl kill -s KILL web@5000.service")
        until("the target's restart", lambda: restarts(serving, host) > 0)
        until("it serves again", lambda: serves(host))
    assert load.result.failed > 0


def deregister(lab: Lab, host_index: int = 0) -> None:
    target = {"Id": lab.hosts[host_index].instance_id, "Port": 5000}
    lab.client("elbv2").deregister_targets(
        TargetGroupArn=group_arn(lab, "web-lab"), Targets=[target]
    )


def is_lost(lab: Lab) -> bool:
    """Whether one request, to whichever host comes next, gets no good answer."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.port("web"), timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status != http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return True
    finally:
        connection.close()


@pytest.mark.hosts(2)
def test_control_propagation_lag_without_a_floor_loses_requests(serving: Lab) -> None:
    """Deregistered, and stopped as soon as the API says `draining`, within the lag."""
    set_delay(serving, "web-lab", LAG_SECONDS)
    serving.knobs(propagation_lag_seconds=LAG_SECONDS)
    with Load(serving.url("web"), rate=RATE) as load:
        deregister(serving)
        serving.shell(serving.hosts[0], "systemctl stop web@5000.service")
        for _ in range(3):
            until("one more is lost", lambda: is_lost(serving), LAG_SECONDS)
    assert load.result.failed > 0


@pytest.mark.hosts(2)
def test_control_an_app_that_drops_its_work_loses_requests(project: Project, lab: Lab) -> None:
    """Stopped at `draining`, long before the delay is over, with a request that is under way."""
    project.install("1.0.0", drop_in_flight=True)
    set_delay(lab, "web-lab", LAG_SECONDS)
    with held_on(lab, lab.hosts[0]) as held:
        deregister(lab)
        lab.shell(lab.hosts[0], "systemctl stop web@5000.service")
        assert not held.is_whole()
