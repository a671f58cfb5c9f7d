"""Whether a release is to blame for what AWS reports; another fault marks nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import State

if TYPE_CHECKING:
    from deploy.aws.targets import Health

ANSWERS = frozenset({"", "Target.ResponseCodeMismatch", "Target.FailedHealthChecks"})
"""The reasons of an unhealthy target that are about its answers (ELB API, TargetHealth)."""
NO_ANSWER = "Target.Timeout"


def of_target(health: Health, *, was_healthy: bool) -> bool:
    """Whether a release that answered on its own host is to blame for its target's state.

    A target that was never healthy and gives AWS no answer is behind a security group or network
    ACL that drops the question: the release has answered the same on its host. AWS's own states
    (`Elb.…`), a target that is not in use or was taken out, and a zone that traffic is shifted away
    from say nothing about its answers.

    was_healthy: whether AWS found it healthy since it was registered.
    """
    is_sick = health.state in {State.UNHEALTHY, State.UNHEALTHY_DRAINING}
    if not is_sick or health.is_shifted:
        return False
    return health.reason in ANSWERS or (was_healthy and health.reason == NO_ANSWER)
