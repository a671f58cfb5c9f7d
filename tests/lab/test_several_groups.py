"""An app in several target groups, and groups that no setting names: no request fails in any."""

from __future__ import annotations

import signal
import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Self

import pytest

from lab.aws import short_name
from lab.load import Load
from lab.project import group_arn, listed, set_delay, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.fleet import Lab, LabHost
    from lab.project import Project

BOTH = ["web-lab", "internal-lab"]
OTHER_PORT = 8080
PROXY = f"""
import socket, time
listening = socket.create_server(("", {OTHER_PORT}))
while True:
    if "{{to}}":
        behind = socket.create_connection(("127.0.0.1", int("{{to}}")))
    time.sleep(1)
"""
"""A program that listens, and holds a connection to the app as a proxy's pool does."""


def register(lab: Lab, group: str, *hosts: LabHost, port: int = 5000) -> None:
    """Put hosts into a group, and see the API show them there."""
    set_delay(lab, group, 3)
    targets = [{"Id": host.instance_id, "Port": port} for host in hosts]
    lab.client("elbv2").register_targets(TargetGroupArn=group_arn(lab, group), Targets=targets)
    wanted = {(host.instance_id, port) for host in hosts}
    until("shown in the group", lambda: wanted <= listed(lab, group))


def deregister(lab: Lab, group: str, *hosts: LabHost) -> None:
    """Take hosts out of a group by hand, and see them gone."""
    lab.knobs(delay_divisor=100)
    targets = [{"Id": host.instance_id, "Port": 5000} for host in hosts]
    lab.client("elbv2").deregister_targets(TargetGroupArn=group_arn(lab, group), Targets=targets)
    until("gone", lambda: not {host.name for host in hosts} & lab.health(group).keys())
    lab.knobs(delay_divisor=1)


def healthy_in(lab: Lab, group: str) -> Callable[[], bool]:
    """Whether every host is healthy in a group."""
    return lambda: [*lab.health(group).values()] == ["healthy"] * len(lab.hosts)


def in_both(project: Project, lab: Lab) -> None:
    """Release 1.0.0 serves on every host, which both groups have."""
    project.install("1.0.0")
    register(lab, "internal-lab", *lab.hosts)
    until("healthy in both", healthy_in(lab, "internal-lab"))


def names_both(project: Project) -> None:
    """Let the settings name both groups."""
    del project.web["target_group"]
    project.web["target_groups"] = BOTH


@pytest.mark.hosts(2)
@pytest.mark.parametrize("strategy", ["rolling", "surge"])
def test_p1_no_request_fails_in_any_of_an_apps_groups(
    project: Project, lab: Lab, strategy: str
) -> None:
    in_both(project, lab)
    names_both(project)
    if strategy == "surge":
        project.web["ports"] = [5000, 5001]
        project.environment["rollout"] = {"strategy": "surge"}
    project.configure()
    project.build("2.0.0")
    with Load(lab.url("web"), rate=80) as public, Load(lab.url("internal"), rate=80) as internal:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert (public.result.failed, internal.result.failed) == (0, 0), internal.result.failures
    assert min(public.result.requests, internal.result.requests) > 0
    assert set(project.releases().values()) == {"2.0.0"}
    assert "from web-lab and internal-lab" in ran.output
    assert project.inv("status", "--env", "lab").code == 0


@pytest.mark.hosts(2)
@pytest.mark.parametrize("policy", ["rolling", "quiet", "surge"])
def test_p1_what_still_gets_requests_at_the_end_of_its_drain_is_not_stopped(
    project: Project, lab: Lab, policy: str
) -> None:
    """A second group that nobody looked for: the host's own connections show it."""
    in_both(project, lab)
    project.environment["other_groups"] = "ignore"
    if policy == "surge":
        project.web["ports"] = [5000, 5001]
        project.environment["rollout"] = {"strategy": "surge"}
    elif policy == "quiet":
        project.environment.update({"rollout": {"drain": "quiet"}, "quiet_seconds": 1})
    project.configure()
    project.build("2.0.0")
    with Load(lab.url("web"), rate=80) as public, Load(lab.url("internal"), rate=80) as internal:
        ran = project.deploy("2.0.0")
    assert (public.result.failed, internal.result.failed) == (0, 0), internal.result.failures
    flat = " ".join(ran.output.split())
    assert "other_groups: ignore: whether others send requests was not looked at" in flat
    assert "requests still reach port 5000 after its drain, from 10." in flat
    if policy == "surge":
        assert ran.code == 4, ran.output
        assert set(project.releases().values()) == {"2.0.0"}
    else:
        assert ran.code == 1, ran.output
        assert set(project.releases().values()) == {"1.0.0"}
        until("all healthy", healthy_in(lab, "web-lab"))


@pytest.mark.hosts(2)
def test_p1_what_a_killed_deploy_left_out_and_gets_requests_elsewhere_is_not_stopped(
    project: Project, lab: Lab
) -> None:
    """The delay of the killed drain is over: no group of the settings knows the target."""
    in_both(project, lab)
    project.environment["other_groups"] = "ignore"
    project.shorten_lock()
    project.build("2.0.0")
    running = project.hooked().start("deploy", "--env", "lab", "--app", "web", "--yes")
    running.until(f"@ {short_name(lab.hosts[0].name)}: drain")
    running.send(signal.SIGKILL)
    running.wait()
    until("its delay is over", lambda: lab.hosts[0].name not in lab.health("web-lab"), 60)
    with Load(lab.url("internal"), rate=80) as internal:
        ran = project.deploy("2.0.0", "--wait-lock", "60s")
    flat = " ".join(ran.output.split())
    assert "that no requests reach web@5000.service" in flat
    assert "requests still reach port 5000 after its drain, from 10." in flat
    assert internal.result.failed == 0, internal.result.failures
    assert ran.code == 5, ran.output
    assert project.releases()[short_name(lab.hosts[0].name)] == "1.0.0"


class Caller(threading.Thread):
    """A client that has a host's own address: a request each 25 ms, each by its own connection."""

    def __init__(self, address: str, pause_seconds: float = 0.025) -> None:
        super().__init__(daemon=True)
        self._address, self._pause_seconds = address, pause_seconds
        self._is_over = threading.Event()
        self.answered = self.failed = 0

    def run(self) -> None:
        """Ask until that is over."""
        while not self._is_over.wait(self._pause_seconds):
            try:
                connection = HTTPConnection(self._address, 5000, timeout=5)
                connection.request("GET", "/")
                self.answered += connection.getresponse().status == HTTPStatus.OK
                connection.close()
            except (OSError, HTTPException):
                self.failed += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()


@pytest.mark.hosts(2)
@pytest.mark.parametrize(
    ("pause_seconds", "delay_seconds"), [(0.025, 3), (2.0, 14)], ids=["often", "each 2 s"]
)
def test_p1_connections_that_are_over_before_a_look_are_seen_too(
    project: Project, lab: Lab, pause_seconds: float, delay_seconds: int
) -> None:
    project.install("1.0.0")
    set_delay(lab, "web-lab", delay_seconds)
    project.build("2.0.0")
    with Caller(lab.hosts[0].address, pause_seconds) as caller:
        ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    flat = " ".join(ran.output.split())
    assert "requests still reach port 5000 after its drain, from 10." in flat
    assert (caller.answered > 0, caller.failed) == (True, 0)
    assert project.releases()[short_name(lab.hosts[0].name)] == "1.0.0"


@pytest.mark.hosts(2)
def test_control_without_a_look_at_the_end_of_the_drain_requests_are_lost(
    project: Project, lab: Lab
) -> None:
    in_both(project, lab)
    project.environment.update({"other_groups": "ignore", "ignore_peers": ["10.0.0.0/8"]})
    project.configure()
    project.build("2.0.0")
    with Load(lab.url("web"), rate=80) as public, Load(lab.url("internal"), rate=80) as internal:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert public.result.failed == 0
    assert internal.result.failed > 0


def second_group(lab: Lab) -> None:
    register(lab, "internal-lab", *lab.hosts)


def other_port(lab: Lab) -> None:
    register(lab, "web-lab", lab.hosts[0], port=OTHER_PORT)


def proxy(lab: Lab) -> None:
    listen(lab, "5000")
    register(lab, "internal-lab", lab.hosts[0], port=OTHER_PORT)


def no_proxy(lab: Lab) -> None:
    listen(lab, "")
    register(lab, "internal-lab", lab.hosts[0], port=OTHER_PORT)


def listen(lab: Lab, to: str) -> None:
    """Start a program on the first host that listens and connects to this port, or to none."""
    unit = "--unit=beside --collect"
    text = PROXY.replace("{to}", to)
    lab.shell(lab.hosts[0], f"systemd-run {unit} python3 -c '{text}'")


OTHER_WAYS: dict[str, tuple[Callable[[Lab], None], str, str]] = {
    "a group that is not named": (
        second_group,
        "which `target_groups:` of web does not name",
        "other_groups: ignore",
    ),
    "the own group on another port": (
        other_port,
        "the port is none of web's (:5000)",
        f"other_ports: [{OTHER_PORT}]",
    ),
    "a proxy": (proxy, "listens there and has connections to the app", "other_groups: ignore"),
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("name", OTHER_WAYS)
@pytest.mark.parametrize("command", ["deploy", "rollback"])
def test_p10_another_way_in_is_refused_by_name_before_any_drain(
    project: Project, lab: Lab, name: str, command: str
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    if command == "rollback":
        assert project.deploy("2.0.0", "--batch", "100%", "--allow-downtime").code == 0
    prepare, said, remedy = OTHER_WAYS[name]
    prepare(lab)
    before = project.releases()
    told = [event for event in lab.events() if event["to"] == "draining"]
    words: dict[str, Any] = {
        "deploy": ("deploy", "--package", "2.0.0"),
        "rollback": ("rollback",),
    }
    ran = project.inv(*words[command], "--env", "lab", "--app", "web", "--yes")
    lab.shell(lab.hosts[0], "systemctl stop beside.service 2>/dev/null || true")
    assert ran.code == 2, ran.output
    flat = " ".join(ran.output.split())
    assert said in flat
    assert remedy in flat
    assert [event for event in lab.events() if event["to"] == "draining"] == told
    assert project.releases() == before


@pytest.mark.hosts(2)
def test_p10_another_port_in_the_own_group_is_accepted_by_its_number(
    project: Project, lab: Lab
) -> None:
    """Nothing listens there, so the group has an unhealthy target that counts for its size."""
    project.install("1.0.0")
    project.build("2.0.0")
    other_port(lab)
    project.environment.update({"other_groups": "ignore", "other_ports": [OTHER_PORT]})
    project.configure()
    ran = project.deploy("2.0.0", "--allow-downtime")
    assert ran.code == 0, ran.output
    flat = " ".join(ran.output.split())
    assert f"also in target group web-lab, with port {OTHER_PORT}; that is not drained" in flat
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p10_what_listens_beside_and_is_no_proxy_is_one_line_in_the_plan(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    no_proxy(lab)
    ran = project.deploy("2.0.0")
    lab.shell(lab.hosts[0], "systemctl stop beside.service")
    assert ran.code == 0, ran.output
    assert "also in target group internal-lab, with port 8080; nothing that listens" in " ".join(
        ran.output.split()
    )


@pytest.mark.hosts(2)
def test_p4_a_host_that_is_out_of_one_of_its_groups_comes_back_to_both(
    project: Project, lab: Lab
) -> None:
    """Killed while it drained, and half of it undone since."""
    in_both(project, lab)
    names_both(project)
    project.shorten_lock()
    project.build("2.0.0")
    running = project.hooked().start("deploy", "--env", "lab", "--app", "web", "--yes")
    running.until(f"@ {short_name(lab.hosts[0].name)}: drain")
    running.send(signal.SIGKILL)
    running.wait()
    register(lab, "web-lab", lab.hosts[0])
    status = project.inv("status", "--env", "lab")
    assert status.code == 5, status.output
    assert "internal-lab: " in " ".join(status.output.split())
    ran = project.inv("repair", "--env", "lab", "--yes", "--wait-lock", "60s")
    assert ran.code == 0, ran.output
    assert healthy_in(lab, "internal-lab")()
    assert project.inv("status", "--env", "lab").code == 0


@pytest.mark.hosts(2)
def test_p10_what_an_operator_took_out_is_put_back_only_where_that_is_asked_for(
    project: Project, lab: Lab
) -> None:
    in_both(project, lab)
    names_both(project)
    project.configure()
    project.build("2.0.0")
    deregister(lab, "internal-lab", lab.hosts[0])
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert "is no target of internal-lab, though web serves or was deployed there" in " ".join(
        ran.output.split()
    )
    ran = project.inv("repair", "--env", "lab", "--yes")
    assert "so it stays out" in " ".join(ran.output.split())
    assert len(lab.health("internal-lab")) < len(lab.hosts)
    ran = project.deploy("2.0.0", "--join")
    assert ran.code == 0, ran.output
    assert healthy_in(lab, "internal-lab")()
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_a_host_that_no_group_knows_yet_is_registered_by_its_first_deploy(
    project: Project, lab: Lab
) -> None:
    deregister(lab, "web-lab", *lab.hosts)
    project.build("1.0.0")
    ran = project.deploy("1.0.0")
    assert ran.code == 0, ran.output
    assert "new for web: registered in web-lab once the release is proven" in " ".join(
        ran.output.split()
    )
    assert healthy_in(lab, "web-lab")()


@pytest.mark.hosts(2)
def test_p10_a_target_that_is_no_host_is_refused_or_named(
    project: Project, lab: Lab, fleet: Lab
) -> None:
    """Seen before: it kept the old release, under "all is well"."""
    project.install("1.0.0")
    project.build("2.0.0")
    register(lab, "web-lab", fleet.hosts[-1])
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    said = f"{fleet.hosts[-1].instance_id}:5000 is no host of this environment"
    assert said in " ".join(ran.output.split())
    project.environment.update({"foreign_targets": "warn"})
    project.configure()
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert said in " ".join(ran.output.split())
    status = project.inv("status", "--env", "lab")
    assert status.code == 0, status.output
    assert "is no host of this environment" in status.output


FRONT = f"""
import asyncio
async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
async def front(reader, writer):
    try:
        behind = await asyncio.open_connection("127.0.0.1", 5000)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pipe(reader, behind[1]), pipe(behind[0], writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(front, "", {OTHER_PORT})
    await server.serve_forever()
asyncio.run(main())
"""
"""A reverse proxy in front of the app."""


@pytest.mark.hosts(2)
def test_p1_an_app_behind_a_proxy_on_its_host_loses_no_request(project: Project, lab: Lab) -> None:
    deregister(lab, "web-lab", *lab.hosts)
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{FRONT}'")
    project.web["target_port"] = OTHER_PORT
    project.configure()
    project.build("1.0.0")
    project.build("2.0.0")
    try:
        ran = project.deploy("1.0.0", "--batch", "100%")
        assert ran.code == 0, ran.output
        assert {f"{host.name}:{OTHER_PORT}" for host in lab.hosts} == set(lab.health("web-lab"))
        with Load(lab.url("web"), rate=80) as load:
            ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
        assert "GET :5000/health gives 200, GET :8080/health gives 200" in ran.output
        assert load.result.failed == 0, load.result.failures
        assert set(project.releases().values()) == {"2.0.0"}
    finally:
        for host in lab.hosts:
            lab.shell(host, "systemctl stop beside.service")


@pytest.mark.hosts(2)
def test_p1_a_fleet_behind_proxies_is_told_their_port_and_loses_no_request(
    project: Project, lab: Lab
) -> None:
    """The group has the proxies alone: the advice takes none of them out, and obeyed it works."""
    project.install("1.0.0")
    project.build("2.0.0")
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{FRONT}'")
    register(lab, "web-lab", *lab.hosts, port=OTHER_PORT)
    ports = {f"{host.name}:{OTHER_PORT}" for host in lab.hosts}
    until("served by proxies", lambda: ports <= {*healthy(lab)})
    deregister(lab, "web-lab", *lab.hosts)
    try:
        with Load(lab.url("web"), rate=80) as load:
            refused = project.deploy("2.0.0")
            assert refused.code == 2, refused.output
            flat = " ".join(refused.output.split())
            assert f"set `target_port: {OTHER_PORT}` for web" in flat
            assert "deregister it, or" not in flat
            assert "--join" not in flat
            assert set(lab.health("web-lab")) == ports
            project.web["target_port"] = OTHER_PORT
            project.configure()
            ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
        assert load.result.failed == 0, load.result.failures
        assert set(project.releases().values()) == {"2.0.0"}
    finally:
        for host in lab.hosts:
            lab.shell(host, "systemctl stop beside.service")


def healthy(lab: Lab) -> set[str]:
    """The targets of web's group that are healthy."""
    return {name for name, state in lab.health("web-lab").items() if state == "healthy"}


@pytest.mark.hosts(2)
def test_p1_behind_a_proxy_a_client_that_goes_past_it_loses_no_request(
    project: Project, lab: Lab
) -> None:
    deregister(lab, "web-lab", *lab.hosts)
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{FRONT}'")
    project.web["target_port"] = OTHER_PORT
    project.configure()
    project.build("1.0.0")
    project.build("2.0.0")
    try:
        ran = project.deploy("1.0.0", "--batch", "100%")
        assert ran.code == 0, ran.output
        set_delay(lab, "web-lab", 3)
        with Caller(lab.hosts[0].address) as caller:
            ran = project.deploy("2.0.0")
        assert ran.code == 1, ran.output
        flat = " ".join(ran.output.split())
        assert "requests still reach port 5000 after its drain, from 10." in flat
        assert (caller.answered > 0, caller.failed) == (True, 0)
    finally:
        for host in lab.hosts:
            lab.shell(host, "systemctl stop beside.service")


@pytest.mark.hosts(2)
def test_control_behind_a_proxy_that_the_settings_do_not_name_requests_are_lost(
    project: Project, lab: Lab
) -> None:
    """The proxy is the target of another group: no drain stops what it passes on.

    Its own connections come from the host itself, so that the end of the drain does not show them.
    """
    project.install("1.0.0")
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{FRONT}'")
    try:
        register(lab, "internal-lab", *lab.hosts, port=OTHER_PORT)
        until("healthy behind the proxy", healthy_in(lab, "internal-lab"))
        project.environment["other_groups"] = "ignore"
        project.configure()
        project.build("2.0.0")
        with Load(lab.url("internal"), rate=80) as load:
            ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
        assert load.result.failed > 0
    finally:
        for host in lab.hosts:
            lab.shell(host, "systemctl stop beside.service")


@pytest.mark.hosts(2)
@pytest.mark.parametrize("sidecar", [False, True], ids=["alone", "beside another client"])
def test_p10_a_proxy_with_a_connection_for_each_request_is_refused_by_name(
    project: Project, lab: Lab, sidecar: bool
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    before = project.releases()
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{FRONT}'")
        if sidecar:
            text = PROXY.replace(str(OTHER_PORT), "0").replace("{to}", "5000")
            lab.shell(host, f"systemd-run --unit=sidecar --collect python3 -c '{text}'")
    try:
        register(lab, "internal-lab", *lab.hosts, port=OTHER_PORT)
        until("healthy behind the proxy", healthy_in(lab, "internal-lab"))
        with Load(lab.url("internal"), rate=80):
            ran = project.deploy("2.0.0")
        assert ran.code == 2, ran.output
        assert "listens there" in " ".join(ran.output.split())
        assert project.releases() == before
    finally:
        for host in lab.hosts:
            lab.shell(host, "systemctl stop beside.service sidecar.service 2>/dev/null || true")
