"""`inv observe` measures what the lab's load balancer was told to do, and leaves it as it was."""

from __future__ import annotations

import json
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab import replay
from lab.aws import short_name
from lab.load import Load
from lab.project import set_delay, until

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

BEYOND_SECONDS = 5
"""How much longer than the lag the delay is: what is measured comes to its end before it."""


def observed(project: Project, lab: Lab) -> tuple[str, list[dict[str, Any]]]:
    """What one observation under load says, and its rounds; no request is lost."""
    file = project.folder / "trace.json"
    host = short_name(lab.hosts[0].name)
    words = ("observe", "--env", "lab", "--app", "web", "--host", host, "--yes")
    with Load(lab.url("web"), rate=80) as load:
        ran = project.inv(*words, "--trace", str(file))
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    return ran.output, json.loads(file.read_text())["rounds"]


def see_settled(lab: Lab, lag_seconds: float) -> None:
    """Wait until what is read of so long ago is of this test, and healthy."""
    own = time.monotonic() + lag_seconds

    def is_settled() -> bool:
        return time.monotonic() > own and {*lab.health("web-lab").values()} == {"healthy"}

    until("read as healthy", is_settled)


@pytest.mark.long(110)
@pytest.mark.hosts(2)
@pytest.mark.parametrize("lag_seconds", [1.0, 4.0, 9.0])
def test_p1_lags_are_measured_and_a_trace_replayed_gives_the_same(
    project: Project, lab: Lab, lag_seconds: float
) -> None:
    project.install("1.0.0")
    set_delay(lab, "web-lab", round(lag_seconds) + BEYOND_SECONDS)
    lab.knobs(propagation_lag_seconds=lag_seconds, describe_lag_seconds=lag_seconds)
    see_settled(lab, lag_seconds)
    output, first = observed(project, lab)
    for each in first:
        assert abs(each["last_request_seconds"] - lag_seconds) <= 1.0
        assert abs(each["draining_seconds"] - lag_seconds) <= 1.0
    suggested = re.search(r"propagation_seconds: (\d+)", output)
    assert suggested, output
    # A request comes before the lag is over, so the last one may be seen a moment earlier.
    assert int(suggested[1]) >= max(lag_seconds, *(each["last_request_seconds"] for each in first))
    assert "A deploy to all 2 hosts waits about" in output
    lab.knobs(propagation_lag_seconds=0, describe_lag_seconds=0)
    replay.replay(lab, replay.read(project.folder / "trace.json"))
    see_settled(lab, lag_seconds)
    _, second = observed(project, lab)
    for one, other in zip(first, second, strict=True):
        for name in ("last_request_seconds", "draining_seconds", "healthy_seconds"):
            assert abs(one[name] - other[name]) <= 1.0, name
    assert set(project.releases().values()) == {"1.0.0"}


@pytest.mark.hosts(2)
@pytest.mark.parametrize(("propagation_seconds", "describe_seconds"), [(1.0, 4.0), (4.0, 1.0)])
def test_p1_each_lag_is_measured_whatever_the_other_one_is(
    project: Project, lab: Lab, propagation_seconds: float, describe_seconds: float
) -> None:
    """What the API shows says nothing about what load balancers do, and is not taken for it."""
    longest = max(propagation_seconds, describe_seconds)
    project.install("1.0.0")
    set_delay(lab, "web-lab", round(longest) + BEYOND_SECONDS)
    lab.knobs(propagation_lag_seconds=propagation_seconds, describe_lag_seconds=describe_seconds)
    see_settled(lab, longest)
    _, rounds = observed(project, lab)
    for each in rounds:
        assert abs(each["last_request_seconds"] - propagation_seconds) <= 1.0
        assert abs(each["draining_seconds"] - describe_seconds) <= 1.0


@pytest.mark.hosts(2)
@pytest.mark.parametrize("step", ["watch serving", "deregister", "watch draining", "register"])
def test_p4_ctrl_c_leaves_the_target_in_service(project: Project, lab: Lab, step: str) -> None:
    project.install("1.0.0")
    set_delay(lab, "web-lab", 4)
    host = short_name(lab.hosts[0].name)
    words = ("observe", "--env", "lab", "--app", "web", "--host", host, "--yes")
    with Load(lab.url("web"), rate=80) as load:
        running = project.hooked().start(*words)
        running.until(f"@ {host}: {step}")
        running.send(signal.SIGINT)
        ran = running.wait()
    assert ran.code == 130, ran.output
    assert load.result.failed == 0, load.result.failures
    until("in service", lambda: {*lab.health("web-lab").values()} == {"healthy"})
    assert project.inv("status", "--env", "lab").code == 0
