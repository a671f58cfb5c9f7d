"""Writes an observation to a file that may be published: figures and no names. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.aws.targets import TargetGroup
    from deploy.steps.observation import Observation

FORMAT = 1
SHOWN = (
    *("interval_seconds", "timeout_seconds", "unhealthy_threshold", "delay_seconds"),
    *("slow_start_seconds", "target_type", "protocol_version", "health_protocol", "zonal"),
)
"""What of a target group's settings bears on the times, and identifies no one."""


def is_one(file: Path) -> bool:
    """Whether a file is a trace, which a new one may replace."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"format", "groups", "rounds"} <= found.keys()


def as_json(groups: Sequence[TargetGroup], seen: Sequence[Observation]) -> str:
    """The trace: the groups' settings and the rounds' figures, in seconds with two digits."""
    rounds = [
        {
            name: round(value, 2) if isinstance(value, float) else value
            for name, value in asdict(each).items()
        }
        for each in seen
    ]
    settings = [{name: getattr(group, name) for name in SHOWN} for group in groups]
    trace = {"format": FORMAT, "groups": settings, "rounds": rounds}
    return json.dumps(trace, indent=2) + "\n"
