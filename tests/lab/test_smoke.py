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


def through(lab: Lab) -> dict[str, str]:
    """The listener by another name than users' requests have here."""
    return {"url": lab.url("web").replace("127.0.0.1", "localhost")}


@pytest.mark.hosts(3)
@pytest.mark.parametrize("header", ["", "X-Version"])
def test_p3_a_release_that_is_wrong_through_the_load_balancer_alone_stops_after_the_canary(
    project: Project, lab: Lab, header: str
) -> None:
    project.install("1.0.0")
    project.build("2.0.0", refused_host="localhost")
    project.web["smoke"] = [{"path": "/"}]
    project.web["smoke_through"] = through(lab) | ({"release_header": header} if header else {})
    project.environment["rollout"] = {"max_failures": 2}
    project.configure()
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        failed = project.deploy("2.0.0")
    assert failed.code == 1, failed.output
    assert "failed the smoke test `GET http://localhost:" in failed.output
    assert "through the load balancer: answer 400" in failed.output
    assert set(project.releases().values()) == {"1.0.0"}
    assert load.result.failed == 0, load.result.failures
    is_marked = header != ""  # without a name, which release answered is not known
    again = project.inv("deploy", "--env", "lab", "--app", "web", "--yes", "--dry-run")
    assert ("failed" in again.output) == is_marked, again.output


@pytest.mark.hosts(3)
def test_p1_a_good_release_passes_them_and_no_request_fails(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    project.web["smoke"] = [{"path": "/"}, {"path": "/cart", "expect": "404"}]
    project.web["smoke_through"] = through(lab) | {"release_header": "X-Version"}
    project.configure()
    planned = project.inv("deploy", "--env", "lab", "--app", "web", "--yes", "--dry-run", "--full")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        passed = project.deploy("2.0.0")
    assert passed.code == 0, passed.output
    assert load.result.failed == 0, load.result.failures
    said = [line for line in passed.stdout.splitlines() if "pass 2 smoke tests through" in line]
    asked = [line for line in planned.stdout.splitlines() if "pass 2 smoke tests through" in line]
    assert len(said) == len(asked) == 1
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p8_a_listener_that_cannot_be_reached_from_here_is_refused_before_the_first_change(
    project: Project,
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    project.web["smoke"] = [{"path": "/"}]
    project.web["smoke_through"] = {"url": "http://127.0.0.1:1"}
    project.configure()
    refused = project.deploy("2.0.0")
    assert refused.code == 2, refused.output
    assert "cannot be asked from here, tried 3 times: no connection" in refused.output
    assert set(project.releases().values()) == {"1.0.0"}
