"""systemd 247, 252 and 257 in one fleet, deployed in one go."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit import sandbox
from lab.fleet import Lab, LabHost
from lab.image import SuiteUnavailable
from lab.load import MODEST_RATE, Load
from lab.project import ROOT, Project

SUITES = ("bullseye", "bookworm", "trixie")
pytestmark = pytest.mark.long(60)
INSTALL_SECONDS = 300.0
"""For Node from Debian's mirror, on a machine that is busy with other labs."""


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One host of each; Debian 11 only while its packages are to be had."""
    root = tmp_path_factory.mktemp("mixed")
    try:
        lab = Lab.up(root, 3, SUITES)
    except SuiteUnavailable as gone:
        pytest.skip(f"Debian 11 cannot be had any more: {gone}")
    yield lab
    lab.down()


@pytest.fixture
def mixed(booted: Lab) -> Lab:
    """The same with nothing deployed."""
    booted.reset()
    booted.knobs(time_divisor=5)
    return booted


def test_one_deploy_on_systemd_247_252_and_257(tmp_path: Path, mixed: Lab) -> None:
    project = Project.on(tmp_path, mixed)
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(mixed.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
    versions = {
        mixed.shell(host, "systemctl --version | head -1").split()[1] for host in mixed.hosts
    }
    assert versions == {"247", "252", "257"}


def test_the_default_unit_scores_at_most_1_5_and_the_sample_serves_under_it(
    tmp_path: Path, mixed: Lab
) -> None:
    project = Project.on(tmp_path, mixed)
    project.install("1.0.0")
    for host in mixed.hosts:
        shown = mixed.shell(host, "systemd-analyze security --no-pager web@5000.service")
        score = re.search(r"exposure level for web@5000\.service: ([0-9.]+)", shown)
        assert score
        assert float(score[1]) <= sandbox.MOST_EXPOSED, shown
    project.build("2.0.0")
    with Load(mixed.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures


def test_a_sandbox_that_a_host_cannot_set_up_is_refused_before_a_drain(
    tmp_path: Path, mixed: Lab
) -> None:
    """Control: without that line the same deploy works."""
    project = Project.on(tmp_path, mixed)
    project.install("1.0.0")
    own = (ROOT / "templates" / "service.j2").read_text()
    template = project.folder / "own.j2"
    template.write_text(own.replace("[Service]", "[Service]\nReadWritePaths=/nowhere"))
    project.web["template"] = "own.j2"
    project.configure()
    project.build("2.0.0")
    seen = mixed.events()[-1]["seq"]
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert "does not work here because of ReadWritePaths=" in ran.output
    assert "226/NAMESPACE" in ran.output
    assert mixed.events(seen) == [], "something left the load balancer"
    assert set(project.releases().values()) == {"1.0.0"}
    for host in mixed.hosts:
        left = "ls /run/systemd/system; systemctl list-units --all --no-legend 'changeover-reh*'"
        assert "changeover-rehearsal" not in mixed.shell(host, left)
    project.web["sandbox"] = {"PrivateUsers": False}
    project.configure()
    template.write_text(own)
    ran = project.deploy("2.0.0", "--batch", "100%", "--allow-downtime")
    assert ran.code == 0, ran.output
    assert "web: its sandbox goes without PrivateUsers" in ran.output
    shown = mixed.shell(mixed.hosts[0], "systemctl show web@5000.service -p PrivateUsers")
    assert shown.strip() == "PrivateUsers=no"


NODE = """\
const port = Number(process.argv[2]);
const server = require("http").createServer((_, answer) => answer.end(process.version));
server.listen(port, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
"""


def test_node_is_proven_and_serves_in_the_sandbox(tmp_path: Path, mixed: Lab) -> None:
    """Node compiles while it runs, as .NET and Java do."""
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs"
    with ThreadPoolExecutor() as pool:
        command = f"(apt-get update && {install}) > /dev/null 2>&1; command -v node || true"

        def install_on(host: LabHost) -> str:
            return mixed.shell(host, command, timeout_seconds=INSTALL_SECONDS)

        found = list(pool.map(install_on, mixed.hosts))
    if not all(found):
        pytest.skip("Debian's nodejs cannot be had here")
    project = Project.on(tmp_path, mixed)
    project.web.update(command="node server.js {port}", start_timeout_seconds=60)
    project.configure()
    package = project.folder / "packages" / "web.1.0.0"
    package.mkdir(parents=True)
    (package / "server.js").write_text(NODE)
    ran = project.deploy("1.0.0", "--batch", "100%", "--allow-downtime")
    assert ran.code == 0, ran.output
    assert set(mixed.health("web-lab").values()) == {"healthy"}
    with urllib.request.urlopen(mixed.url("web"), timeout=10) as answer:  # noqa: S310 - our own
        assert answer.read().startswith(b"v")
