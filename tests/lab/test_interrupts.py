"""P9 and P1 when something comes between: signals, a cut connection, an API that is down."""

from __future__ import annotations

import signal
import threading

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, Running

pytestmark = pytest.mark.hosts(2)

CUT = "pkill -KILL -f '[s]shd: ec2-user' || true"  # and not the shell that says so


def deploy(project: Project, version: str) -> Running:
    """A deploy that tells each step as it begins."""
    return project.hooked().start(
        "deploy", "--env", "lab", "--app", "web", "--package", version, "--yes"
    )


@pytest.mark.parametrize(
    ("number", "step", "code", "version"),
    [
        (signal.SIGINT, "drain", 130, {"1.0.0"}),
        (signal.SIGTERM, "prove", 143, {"1.0.0", "2.0.0"}),
        (signal.SIGHUP, "upload", 129, {"1.0.0"}),
    ],
)
def test_p9_a_signal_leaves_nobody_out(
    project: Project, lab: Lab, number: signal.Signals, step: str, code: int, version: set[str]
) -> None:
    """In a drain the host goes back in; past that point it is seen through."""
    project.install("1.0.0")
    project.build("2.0.0", size_mb=5)
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = deploy(project, "2.0.0")
        running.until(f"@ bookworm-1: {step}")
        running.send(number)
        ran = running.wait()
    assert ran.code == code, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == version
    assert all(row["state"] == "healthy" for row in project.status()["hosts"])
    assert project.status()["lock"] == ""


def test_p9_a_cis_cancel_is_one_interrupt_and_a_second_one_ends_at_once(
    project: Project, lab: Lab
) -> None:
    """SIGTERM after SIGINT aborts nothing; what a second SIGINT leaves, repair mends."""
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = deploy(project, "2.0.0")
        running.until("@ bookworm-1: drain")
        running.send(signal.SIGINT)
        running.send(signal.SIGTERM)
        ran = running.wait()
        assert ran.code == 130, ran.output
        assert project.status()["well"], str(project.status())
        running = deploy(project, "2.0.0")
        running.until("@ bookworm-1: daemon-reload")
        running.send(signal.SIGINT)
        running.until("Stopping")
        running.send(signal.SIGINT)
        ran = running.wait()
        assert ran.code == 130, ran.output
        assert "Aborted at once" in ran.output
        assert project.status()["lock"] == "", "it was released in order"
        mended = project.inv("repair", "--env", "lab")
        assert mended.code == 0, mended.output
    assert load.result.failed == 0, load.result.failures
    assert project.status()["well"], str(project.status())


def test_a_connection_that_is_cut_and_an_api_that_is_down_are_waited_for(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    host = next(each for each in lab.hosts if each.name.endswith("bookworm-1"))
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = deploy(project, "2.0.0")
        running.until("@ bookworm-1: daemon-reload")
        lab.shell(host, CUT)
        running.until("@ batch 2")
        lab.knobs(api_down=True)
        threading.Timer(10, lambda: lab.knobs(api_down=False)).start()
        ran = running.wait()
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"2.0.0"}
    assert project.status()["well"], str(project.status())
