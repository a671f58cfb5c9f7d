"""P3 with the user's own requests: a release that fails a smoke test never gets a user's."""

from __future__ import annotations

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project


@pytest.mark.hosts(2)
def test_p3_a_release_that_fails_a_smoke_test_goes_back_and_one_that_passes_serves(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    project.web["smoke"] = [{"path": "/"}, {"path": "/cart", "expect": "200"}]
    project.configure()
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        failed = project.deploy("2.0.0")
        assert failed.code == 1, failed.output
        assert "2 smoke tests" in failed.output
        assert (
            "failed the smoke test `GET :5000/cart gives 200`: answer 404, not 200" in failed.output
        )
        assert set(project.releases().values()) == {"1.0.0"}
        project.web["smoke"] = [{"path": "/"}, {"path": "/cart", "expect": "404"}]
        project.configure()
        passed = project.deploy("2.0.0")
        assert passed.code == 0, passed.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
