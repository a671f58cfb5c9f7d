"""Makes the lab behave as an account was observed to: `inv lab.replay --trace FILE`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInput
from lab.project import set_check, set_delay

if TYPE_CHECKING:
    from pathlib import Path

    from lab.fleet import Lab

FORMAT = 1


def read(file: Path) -> dict[str, Any]:
    """The trace that `inv observe` wrote; raises BadInput for what is none."""
    try:
        trace = json.loads(file.read_text(encoding="utf-8"))
        assert trace["format"] == FORMAT  # noqa: S101 - one way to say that it is none
        for name in ("delay_seconds", "interval_seconds", "timeout_seconds"):
            float(trace["groups"][0][name])
        for each in (*trace["rounds"], trace["rounds"][0]):
            for name in ("last_request_seconds", "draining_seconds", "healthy_seconds"):
                float(each[name])
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AssertionError):
        raise BadInput(
            f"{file}: is no trace of format {FORMAT}, as `inv observe` writes it"
        ) from None
    return dict(trace)


def replay(lab: Lab, trace: dict[str, Any], group: str = "web-lab") -> dict[str, float]:
    """Turn the knobs, and give a group the settings of the first one that was observed.

    Returns the knobs. Health that was read late is shown late, so that much of the time until
    `healthy` is not the health check's.
    """
    settings, rounds = trace["groups"][0], trace["rounds"]
    describe_lag_seconds = _longest(rounds, "draining_seconds")
    knobs = {
        "propagation_lag_seconds": _longest(rounds, "last_request_seconds"),
        "describe_lag_seconds": describe_lag_seconds,
        "first_check_delay_seconds": max(
            0.0, _longest(rounds, "healthy_seconds") - describe_lag_seconds
        ),
    }
    set_delay(lab, group, int(settings["delay_seconds"]))
    set_check(
        lab,
        group,
        HealthCheckIntervalSeconds=int(settings["interval_seconds"]),
        HealthCheckTimeoutSeconds=int(settings["timeout_seconds"]),
    )
    lab.knobs(**knobs)
    return knobs


def _longest(rounds: list[dict[str, Any]], name: str) -> float:
    return max(float(each[name]) for each in rounds)
