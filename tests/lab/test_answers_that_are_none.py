"""H8 and M2 on real hosts: pages in place of AWS's answers, and a service whose answer trickles."""

from __future__ import annotations

import time

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project

pytestmark = pytest.mark.hosts(2)


def test_h8_pages_in_place_of_answers_leave_no_host_out(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = project.start(*words)
        running.until("batch 1 of")
        lab.knobs(api_html={"action": "DescribeTargetHealth", "count": 4})
        ended = running.wait()
    assert ended.code == 0, ended.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
    assert "Traceback" not in ended.output


def test_m2_an_answer_that_trickles_is_not_proven_and_the_old_release_comes_back(
    project: Project, lab: Lab
) -> None:
    project.web["start_timeout_seconds"] = 8
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0", trickle_seconds=0.5)
    began = time.monotonic()
    ran = project.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert "an answer that was not complete" in ran.output
    assert time.monotonic() - began < 90
    assert set(project.releases().values()) == {"1.0.0"}
    assert project.status()["well"], str(project.status())
    assert lab.health("web-lab")
