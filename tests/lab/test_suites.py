"""systemd 247, 252 and 257 in one fleet, deployed in one go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import Lab
from lab.image import SuiteUnavailable
from lab.load import Load
from lab.project import Project

SUITES = ("bullseye", "bookworm", "trixie")


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Lab]:
    """One host of each; Debian 11 only while its packages are to be had."""
    root = tmp_path / "mixed"
    root.mkdir()
    try:
        lab = Lab.up(root, 3, SUITES)
    except SuiteUnavailable as gone:
        pytest.skip(f"Debian 11 cannot be had any more: {gone}")
    yield lab
    lab.down()


def test_one_deploy_on_systemd_247_252_and_257(tmp_path: Path, mixed: Lab) -> None:
    project = Project.on(tmp_path, mixed)
    mixed.knobs(time_divisor=5)
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(mixed.url("web"), rate=100) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
    versions = {
        mixed.shell(host, "systemctl --version | head -1").split()[1] for host in mixed.hosts
    }
    assert versions == {"247", "252", "257"}
