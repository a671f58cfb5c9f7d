"""Whether a release is to blame for what AWS or systemd report. Pure.

A fault of the host, the network, AWS or a setting marks no release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import State

if TYPE_CHECKING:
    from deploy.aws.targets import Health
    from deploy.survey.slot import UnitState

ANSWERS = frozenset({"", "Target.ResponseCodeMismatch", "Target.FailedHealthChecks"})
"""The reasons of an unhealthy target that are about its answers (ELB API, TargetHealth)."""
NO_ANSWER = "Target.Timeout"
SETTING_UP = range(200, 246)
"""The exit statuses of systemd itself, where it could not set a process up (systemd.exec, "Process
exit codes"): 203/EXEC, 217/USER, 226/NAMESPACE and so on."""
NOT_STARTED = frozenset({"resources", "exec-condition", "condition", "assert", "start-limit-hit"})
"""The results of a unit whose process was not started at all, or not any more."""


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


def of_unit(state: UnitState) -> bool:
    """Whether a release is to blame for the state of its unit, and not the host or the unit file.

    An exit status that systemd uses itself is systemd's: a service that ends with one of its own
    choice in that range is not marked, which is the lesser harm.
    """
    is_set_up = not (state.result == "exit-code" and state.exit_status in SETTING_UP)
    return is_set_up and state.result not in NOT_STARTED


def of_start(state: UnitState) -> bool:
    """The same of a start that systemd refused: where nothing was started, nothing is to blame."""
    is_untried = state.active == "inactive" and state.result in {"", "success"}
    return not is_untried and of_unit(state)
