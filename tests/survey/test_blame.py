"""A release is marked as failed for its own faults alone."""

from __future__ import annotations

import pytest

from deploy.aws.targets import GONE, Health, Override, State
from deploy.survey import blame

SICK = State.UNHEALTHY
CASES: list[tuple[Health, bool, bool]] = [
    # A target's state, and whether it blames a release that was never healthy, or was before.
    (Health(SICK, "Target.ResponseCodeMismatch"), True, True),
    (Health(SICK, "Target.FailedHealthChecks"), True, True),
    (Health(SICK), True, True),
    (Health(SICK, "Target.Timeout"), False, True),
    (Health(State.UNHEALTHY_DRAINING, "Target.FailedHealthChecks"), True, True),
    (Health(SICK, "Elb.InternalError"), False, False),
    (Health(State.UNAVAILABLE, "Elb.InternalError"), False, False),
    (Health(State.INITIAL, "Elb.RegistrationInProgress"), False, False),
    (Health(State.INITIAL, "Elb.InitialHealthChecking"), False, False),
    (Health(State.UNUSED, "Target.NotInUse"), False, False),
    (Health(State.UNUSED, "Target.InvalidState"), False, False),
    (Health(State.UNUSED, "Target.IpUnusable"), False, False),
    (Health(State.UNAVAILABLE, "Target.HealthCheckDisabled"), False, False),
    (Health(State.DRAINING, "Target.DeregistrationInProgress"), False, False),
    (GONE, False, False),
    (Health(SICK, "Target.FailedHealthChecks", override=Override.SHIFTED), False, False),
    (Health(SICK, "Target.ANewReason"), False, False),
]


@pytest.mark.parametrize(("health", "never_healthy", "was_healthy"), CASES)
def test_a_targets_state_blames_the_release_for_its_answers_alone(
    health: Health, *, never_healthy: bool, was_healthy: bool
) -> None:
    assert blame.of_target(health, was_healthy=False) is never_healthy
    assert blame.of_target(health, was_healthy=True) is was_healthy
