"""What is no trace is refused with its file; a trace turns the knobs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from observe.test_findings import GROUP, SEEN

from deploy.errors import BadInput
from deploy.observe import trace
from lab import replay

if TYPE_CHECKING:
    from pathlib import Path

    from lab.fleet import Lab

BAD = {
    "no JSON": "{",
    "another format": json.dumps({"format": 2}),
    "no rounds": json.dumps({"format": 1, "groups": [{"delay_seconds": 3}], "rounds": []}),
    "no groups": json.dumps({"format": 1, "groups": [], "rounds": [{"healthy_seconds": 3}]}),
    "a list": "[]",
    "a part of one": json.dumps(
        {"format": 1, "groups": [{"delay_seconds": 3}], "rounds": [{"healthy_seconds": 3}]}
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_trace_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "trace.json"
    file.write_text(BAD[name])
    with pytest.raises(BadInput, match=r"trace\.json: is no trace of format 1"):
        replay.read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="none: No such file"):
        replay.read(tmp_path / "none")


class PaperLab:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.turned: dict[str, float] = {}
        self.changed: dict[str, Any] = {}

    def knobs(self, **values: float) -> None:
        self.turned |= values

    def client(self, service: str) -> PaperLab:
        assert service == "elbv2"
        return self

    def describe_target_groups(self, Names: list[str]) -> Any:  # noqa: N803 - boto3's
        return {"TargetGroups": [{"TargetGroupArn": f"arn:{Names[0]}"}]}

    def modify_target_group(self, **values: Any) -> None:
        self.changed |= values

    def modify_target_group_attributes(self, **values: Any) -> None:
        self.changed |= values


def test_a_trace_turns_the_knobs_by_the_longest_of_its_rounds(tmp_path: Path) -> None:
    file, lab = tmp_path / "trace.json", PaperLab()
    slower = replace(SEEN, last_request_seconds=5.0, draining_seconds=1.0, healthy_seconds=7.0)
    idle = replace(SEEN, arrivals=0)
    file.write_text(trace.as_json([GROUP], [SEEN, slower, idle]))
    replay.replay(cast("Lab", lab), replay.read(file))
    assert lab.turned == {
        "propagation_lag_seconds": 5.0,
        "describe_lag_seconds": 1.0,
        "first_check_delay_seconds": 6.0,
    }
    assert lab.changed["HealthCheckIntervalSeconds"] == 5
    assert lab.changed["Attributes"][0]["Value"] == "60"
