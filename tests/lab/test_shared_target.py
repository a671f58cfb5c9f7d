"""Apps behind one proxy on their host: the target goes out once, and in when all of them serve."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from lab.load import Load
from lab.project import called, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.fleet import Lab
    from lab.project import Project

pytestmark = pytest.mark.hosts(2)

EDGE_PORT, RATE = 8080, 60
PROXY = f"""
import asyncio, itertools
turns = itertools.cycle((5000, 5001))
async def front(reader, writer):
    try:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        first, _, rest = head.partition(b"\\r\\n")
        port = 5000 if b"/health" in first else next(turns)
        behind, to = await asyncio.open_connection("127.0.0.1", port)
        to.write(first + b"\\r\\nConnection: close\\r\\n" + rest)
        while data := await behind.read(65536):
            writer.write(data)
        await writer.drain()
        to.close()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(front, "", {EDGE_PORT})
    await server.serve_forever()
asyncio.run(main())
"""
"""A reverse proxy that sends requests to the two apps in turn, and the load balancer's check to the
first: a dead second one would not be noticed by it.
"""


@pytest.fixture
def both(project: Project, lab: Lab) -> Iterator[Project]:
    """Two apps at 1.0.0 behind a proxy on each host."""
    elb = lab.client("elbv2")
    group = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"][0]["TargetGroupArn"]
    lab.knobs(delay_divisor=100)
    targets = [{"Id": host.instance_id, "Port": 5000} for host in lab.hosts]
    elb.deregister_targets(TargetGroupArn=group, Targets=targets)
    until("gone", lambda: not lab.health("web-lab"))
    lab.knobs(delay_divisor=1)
    for host in lab.hosts:
        lab.shell(host, f"systemd-run --unit=beside --collect python3 -c '{PROXY}'")
    project.web["target_port"] = EDGE_PORT
    apps = project.settings["deploy"]["apps"]
    apps["api"] = project.web | {
        "package": "packages/api.*",
        "command": "api --port {port}",
        "ports": [5001],
    }
    project.shorten_lock()
    project.build("1.0.0")
    project.build("1.0.0", name="api")
    ran = project.inv("deploy", "--env", "lab", "--yes", "--batch", "100%")
    assert ran.code == 0, ran.output
    yield project
    for host in lab.hosts:
        lab.shell(host, "systemctl stop beside.service")


def versions(project: Project) -> set[tuple[str, str, str]]:
    """Each app, version and state that a host shows."""
    return {
        (row["app"], row["release"].partition("-")[0], row["state"])
        for row in project.status()["hosts"]
    }


def test_p1_apps_that_share_a_target_go_out_once_and_in_together(both: Project, lab: Lab) -> None:
    both.build("2.0.0")
    both.build("2.0.0", name="api")
    seen = lab.events()[-1]["seq"]
    with Load(lab.url("web"), rate=RATE) as load:
        ran = both.inv("deploy", "--env", "lab", "--yes")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    out = [event["id"] for event in lab.events(seen) if event["to"] == "draining"]
    assert sorted(out) == sorted(host.instance_id for host in lab.hosts), "once each"
    assert versions(both) == {("api", "2.0.0", "healthy"), ("web", "2.0.0", "healthy")}


def test_p1_one_of_them_alone_and_one_that_fails_cost_the_other_nothing(
    both: Project, lab: Lab
) -> None:
    both.build("2.0.0", name="api")
    with Load(lab.url("web"), rate=RATE) as load:
        ran = both.inv("deploy", "--env", "lab", "--yes", "--app", "api")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert versions(both) == {("api", "2.0.0", "healthy"), ("web", "1.0.0", "healthy")}
    both.build("3.0.0", name="api", crash_at_once=True)
    both.build("3.0.0")
    with Load(lab.url("web"), rate=RATE) as load:
        ran = both.inv("deploy", "--env", "lab", "--yes")
    assert ran.code in {1, 4}, ran.output
    assert load.result.failed == 0, load.result.failures
    assert {row[2] for row in versions(both)} == {"healthy"}
    assert ("api", "3.0.0", "healthy") not in versions(both)


@pytest.mark.parametrize("step", ["stop web", "stop api", "daemon-reload, enable and start api"])
def test_p4_a_killed_deploy_of_both_is_repaired_whole(both: Project, lab: Lab, step: str) -> None:
    """Seen on paper: the app that ran would have been registered while the other was down."""
    both.build("2.0.0")
    both.build("2.0.0", name="api")
    victim = both.hooked(kill=f"{called(lab.hosts[0])}: {step}", after=0.02)
    with Load(lab.url("web"), rate=RATE) as load:
        ran = victim.inv("deploy", "--env", "lab", "--yes")
        assert ran.code == -signal.SIGKILL, ran.output
        one = both.inv("deploy", "--env", "lab", "--yes", "--app", "web", "--wait-lock", "60")
        ran = both.inv("repair", "--env", "lab", "--yes", "--wait-lock", "60")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    if step.startswith("daemon-reload"):
        assert one.code != 0, "the app beside it is not asked for, and down"
    assert {row[2] for row in versions(both)} == {"healthy"}, one.output
