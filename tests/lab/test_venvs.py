"""A plain Python venv, whose interpreter is a link to the host's, is deployed like any release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.load import MODEST_RATE, Load

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

LINKS = {"python3": "/usr/bin/python3", "python": "python3"}


@pytest.mark.hosts(2)
def test_p1_a_venv_is_deployed_under_load(project: Project, lab: Lab) -> None:
    """Absolute links were refused, and so were venvs."""
    project.install("1.0.0")
    packed = project.build("2.0.0", form="folder")
    assert packed.is_dir()
    (packed / "venv" / "bin").mkdir(parents=True)
    for name, target in LINKS.items():
        (packed / "venv" / "bin" / name).symlink_to(target)
    project.web["command"] = "venv/bin/python web --port {port}"
    project.configure()
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result
    assert set(project.releases().values()) == {"2.0.0"}
