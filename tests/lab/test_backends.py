"""Target groups of HTTP2, GRPC and HTTPS: no request is lost, and the proof asks as they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.aws import VERSIONS
from lab.load import MODEST_RATE, Load
from lab.project import called, group_arn, set_delay, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.fleet import Lab
    from lab.project import Project

FORBIDDEN, AGAIN = "AllowTcpForwarding no", "systemctl restart ssh"
QUESTIONS = {
    "http2-lab": "GET :5000/health over HTTP/2 gives 200",
    "grpc-lab": "gRPC :5000/AWS.ALB/healthcheck gives 12",
}
NOTE = "target group http2-lab speaks HTTP/2: what serves answers its question over HTTP/2"


@pytest.fixture(params=QUESTIONS)
def group(project: Project, lab: Lab, request: pytest.FixtureRequest) -> str:
    """The app's one group, whose service speaks HTTP/2 alone."""
    return alone_in(project, lab, str(request.param))


def alone_in(project: Project, lab: Lab, name: str) -> str:
    """Let a group be the app's one; the hosts leave the usual group."""
    leave(lab, "web-lab")
    set_delay(lab, name, 3)
    project.web["target_group"] = name
    project.configure()
    return name


def leave(lab: Lab, group: str) -> None:
    """Take every host out of a group, and see it gone."""
    lab.knobs(delay_divisor=100)
    targets = [{"Id": host.instance_id, "Port": 5000} for host in lab.hosts]
    lab.client("elbv2").deregister_targets(TargetGroupArn=group_arn(lab, group), Targets=targets)
    until("gone", lambda: not lab.health(group))
    lab.knobs(delay_divisor=1)


def all_healthy(lab: Lab, group: str) -> None:
    """Wait until every host is healthy in a group."""
    until("all healthy", lambda: [*lab.health(group).values()] == ["healthy"] * len(lab.hosts))


def as_plain_http(lab: Lab, group: str) -> None:
    """Let one host serve HTTP/1.1 without TLS for a while: it must become unhealthy."""
    host = lab.hosts[0]
    serve = "python3 -m http.server 5000 --directory /tmp"
    lab.shell(host, f"systemctl stop web@5000.service && systemd-run --unit=other {serve}")
    until("unhealthy", lambda: lab.health(group)[host.name] == "unhealthy")
    lab.shell(host, "systemctl stop other.service && systemctl start web@5000.service")
    all_healthy(lab, group)


@pytest.fixture
def closed(lab: Lab) -> Iterator[None]:
    """Every host's sshd forbids forwarding, once the test has called for it."""
    yield
    for host in lab.hosts:
        lab.shell(host, f"sed -i '/^{FORBIDDEN}$/d' /etc/ssh/sshd_config && {AGAIN}")


def close(lab: Lab) -> None:
    """Let every host's sshd forbid forwarding."""
    for host in lab.hosts:
        lab.shell(host, f"sed -i '1i {FORBIDDEN}' /etc/ssh/sshd_config && {AGAIN}")


@pytest.mark.hosts(2)
def test_p1_a_deploy_behind_an_http2_or_a_grpc_group_loses_no_request(
    project: Project, lab: Lab, group: str
) -> None:
    """Its drains are asked to be short, and are not."""
    project.environment.update({"rollout": {"drain": "quiet"}, "quiet_seconds": 1})
    project.configure()
    project.install("1.0.0", anew=True, http2=True)
    project.build("2.0.0", http2=True)
    with Load(lab.url(group.removesuffix("-lab")), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0", "2.0.0"}
    assert set(project.releases().values()) == {"2.0.0"}
    all_healthy(lab, group)
    flat = " ".join(ran.output.split())
    assert QUESTIONS[group] in flat
    assert (NOTE in flat) is (group == "http2-lab")
    whole = f"drains by the whole delay: target group {group} speaks {VERSIONS[group]}, whose "
    assert whole in flat


@pytest.mark.hosts(2)
@pytest.mark.parametrize("group", ["grpc-lab"], indirect=True)
def test_p3_a_release_whose_grpc_health_gives_another_code_returns_to_the_old_one(
    project: Project, lab: Lab, group: str
) -> None:
    project.install("1.0.0", anew=True, http2=True)
    project.build("2.0.0", http2=True, grpc_code=14)
    with Load(lab.url("grpc"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert "gRPC code 14, not 12" in " ".join(ran.output.split())
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0"}
    assert set(project.releases().values()) == {"1.0.0"}
    all_healthy(lab, group)


@pytest.mark.hosts(2)
@pytest.mark.usefixtures("closed")
def test_p10_a_question_that_sshd_does_not_let_through_is_refused_by_name(
    project: Project, lab: Lab, group: str
) -> None:
    """The service speaks HTTP/2 alone, so what curl asks on the host over HTTP/1.1 fails too."""
    project.install("1.0.0", anew=True, http2=True)
    project.build("2.0.0", http2=True)
    seen = len(lab.events())
    close(lab)
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    flat = " ".join(ran.output.split())
    version = VERSIONS[group]
    hosts = ", ".join(map(called, lab.hosts))
    said = f"2 hosts ({hosts}): the health check of a target group of version {version}"
    assert said in flat, ran.output
    assert "set `AllowTcpForwarding local` in its sshd_config" in flat
    assert len(lab.events()) == seen, "a target was touched"
    all_healthy(lab, group)


@pytest.mark.hosts(2)
def test_control_the_load_balancer_sees_a_service_that_speaks_only_http1(
    project: Project, lab: Lab, group: str
) -> None:
    """The lab's checks of these groups are no HTTP/1.1 in disguise."""
    project.install("1.0.0", anew=True, http2=True)
    as_plain_http(lab, group)


@pytest.mark.hosts(2)
def test_p1_p11_a_deploy_behind_an_https_group_loses_no_request(project: Project, lab: Lab) -> None:
    """Requests and checks are within TLS; a service that speaks none fails both."""
    group = alone_in(project, lab, "https-lab")
    project.environment.update({"rollout": {"drain": "quiet"}, "quiet_seconds": 1})
    project.configure()
    project.install("1.0.0", anew=True, tls=True)
    project.build("2.0.0", tls=True)
    with Load(lab.url("https"), rate=MODEST_RATE, slow_share=0.02, slow_seconds=1.0) as load:
        ran = project.deploy("2.0.0")
        project.build("3.0.0")
        plain = project.deploy("3.0.0")
    assert ran.code == 0, ran.output
    assert "GET :5000/health over TLS gives 200" in " ".join(ran.output.split())
    assert plain.code == 1, plain.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0", "2.0.0"}
    assert set(project.releases().values()) == {"2.0.0"}
    all_healthy(lab, group)


@pytest.mark.hosts(2)
def test_control_an_https_group_sees_a_service_that_speaks_no_tls(
    project: Project, lab: Lab
) -> None:
    group = alone_in(project, lab, "https-lab")
    project.install("1.0.0", anew=True, tls=True)
    as_plain_http(lab, group)
