"""The lab's fixtures: one fleet for the whole run, and a project like a user's on top of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.fleet import FOLDER, Lab
from lab.project import ROOT, Project, set_delay, until
from lab.zones import ZONES

SUITES = ("bookworm", "trixie")
DELAY_SECONDS = 3
"""Longer than the load's slow requests and the lag before them: what is cut is a fault."""
SCALING_GROUP = "fleet"
LEGACY = """[Unit]
Description=The service of before
[Service]
ExecStart=/opt/legacy/web --port 5000
Restart=always
[Install]
WantedBy=multi-user.target
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder needs the lab; what takes longest begins first.

    Of several workers the last one to end decides how long the tests take, so a test of minutes may
    not be the last to begin. Tests that boot hosts of their own stay together: each worker that
    gets one of them boots those hosts.
    """
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.lab)
    items.sort(key=_expected_seconds, reverse=True)  # the others stay in their order


def _expected_seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("long")
    return float(mark.args[0]) if mark else 0.0


@pytest.fixture(scope="session")
def fleet() -> Iterator[Lab]:
    """Four hosts, Debian 12 and 13 in turn; a lab that ran before is left running.

    Each of pytest-xdist's workers has a lab of its own.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    root = ROOT / FOLDER / "workers" / worker if worker else ROOT
    root.mkdir(parents=True, exist_ok=True)
    say = partial(print, file=sys.stderr)
    with Lab.borrowed(root, 4, SUITES, say) as lab:
        yield lab


@pytest.fixture
def lab(fleet: Lab, request: pytest.FixtureRequest) -> Lab:
    """The fleet with nothing deployed, checks every second and a short deregistration delay.

    It has as many hosts as the test's mark `hosts` says: two where the others would only cost time.
    """
    mark = request.node.get_closest_marker("hosts")
    lab = fleet.first(mark.args[0]) if mark else fleet
    lab.reset()
    lab.knobs(time_divisor=5)
    set_delay(lab, "web-lab", DELAY_SECONDS)
    set_delay(lab, "admin-lab", DELAY_SECONDS)
    return lab


@pytest.fixture
def project(tmp_path: Path, lab: Lab) -> Project:
    """A project whose environment `lab` is the running lab, with short waits."""
    return Project.on(tmp_path, lab)


@pytest.fixture
def scaling(project: Project, lab: Lab) -> Iterator[Any]:
    """All hosts belong to one group."""
    client, ids = lab.client("autoscaling"), [host.instance_id for host in lab.hosts]
    client.create_auto_scaling_group(
        AutoScalingGroupName=SCALING_GROUP,
        InstanceId=ids[0],
        AvailabilityZones=[*ZONES],
        MinSize=0,
        MaxSize=len(ids),
        DesiredCapacity=0,
    )
    client.attach_instances(AutoScalingGroupName=SCALING_GROUP, InstanceIds=ids)
    project.environment["auto_scaling"] = "ignore"
    project.configure()
    yield client
    client.detach_instances(
        AutoScalingGroupName=SCALING_GROUP, InstanceIds=ids, ShouldDecrementDesiredCapacity=True
    )
    client.delete_auto_scaling_group(AutoScalingGroupName=SCALING_GROUP)
    # One that was terminated has left the group before, with its tag.
    tags = [{"Key": "aws:autoscaling:groupName"}]
    lab.client("ec2").delete_tags(Resources=ids, Tags=tags)


@pytest.fixture
def legacy(project: Project, lab: Lab) -> Project:
    """Every host runs a unit of before, in the load balancer."""
    package = project.build("0.9.0", form="folder")
    files = {
        "/opt/legacy/web": (package / "web").read_text(),
        "/opt/legacy/version.txt": "0.9.0",
        "/etc/systemd/system/legacy.service": LEGACY,
    }
    for host in lab.hosts:
        lab.shell(host, "mkdir -p /opt/legacy")
        for path, text in files.items():
            lab.shell(host, f"cat > {path} <<'THE-END'\n{text}\nTHE-END")
        lab.shell(host, "chmod 755 /opt/legacy/web; systemctl daemon-reload")
        lab.shell(host, "systemctl enable --now legacy.service")
    project.web["replaces"] = "legacy.service"
    project.configure()
    until("all healthy", lambda: set(lab.health("web-lab").values()) == {"healthy"})
    return project
