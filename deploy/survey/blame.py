"""Decides whether a release is to blame for what AWS or systemd report. Pure.

A fault of the host, the network, AWS or a setting marks no release.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.errors import NotProven
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import Health
    from deploy.survey.app_on_host import Membership
    from deploy.survey.slot import UnitState

SETTLE_SECONDS = 5.0
"""How long after a change of a target's state a reading may be of the time before (ELBv2 is
eventually consistent; 1 s was seen).
"""

ANSWERS = frozenset({"", "Target.ResponseCodeMismatch", "Target.FailedHealthChecks"})
"""The reasons of an unhealthy target that are about its answers (ELB API, TargetHealth)."""
NO_ANSWER = "Target.Timeout"
NOT_IN_SERVICE = frozenset(
    {
        State.INITIAL,
        State.UNHEALTHY,
        State.UNUSED,
        State.DRAINING,
        State.UNHEALTHY_DRAINING,
    }
)
"""The states in which a target gets no new requests, unless its group has too few healthy ones (ALB
guide, target group health).
"""
SETTING_UP = range(200, 246)
"""The exit statuses of systemd itself, where it could not set a process up (systemd.exec, "Process
exit codes"): 203/EXEC, 217/USER, 226/NAMESPACE and so on."""
NOT_STARTED = frozenset({"resources", "exec-condition", "condition", "assert", "start-limit-hit"})
"""The results of a unit whose process was not started at all, or not any more."""

OTHERS = "by an operator, an update of the host (needrestart) or a reboot"
"""Who starts a unit again beside systemd, which counts its own restarts."""


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


@dataclass
class SeenYet:
    """The states of a target since its registration; groups by their ARNs.

    fresh: groups in which `healthy` counts by now; entered: those that have let it in; sick: the
    last state for which its release is to blame; may_have_served: whether requests may have been
    sent to it; read_at: when it was read last, in seconds since the registration.
    """

    fresh: set[str] = field(default_factory=set)
    entered: set[str] = field(default_factory=set)
    sick: Health | None = None
    may_have_served: bool = False
    read_at: float = 0.0

    def add(
        self, seen: Sequence[Membership], gone: float, settled: float, *, is_exposed: bool = True
    ) -> None:
        """Take readings; gone: seconds since the registration; settled: since it was out.

        is_exposed: whether a group may send requests to targets that are not healthy.
        """
        # To be healthy and then not takes two failed checks, at least: between two readings that
        # are no further apart than one check, it was not missed.
        is_gap = gone - self.read_at > min(group.interval_seconds for group, *_ in seen)
        was_in = any(health.state not in NOT_IN_SERVICE for *_, health in seen)
        self.may_have_served |= is_gap or is_exposed or was_in
        self.read_at = gone
        for group, _, health in seen:
            is_settled = gone >= min(SETTLE_SECONDS, group.interval_seconds)
            if health.state is not State.HEALTHY or is_settled or settled >= SETTLE_SECONDS:
                self.fresh.add(group.arn)
            if health.state is State.INITIAL or (is_settled and health.may_receive):
                self.entered.add(group.arn)
            if group.arn in self.entered and of_target(health, was_healthy=False):
                self.sick = health

    def has_left(self, member: Membership, gone: float) -> bool:
        """Whether it was let in and is out again; before it settles that may be our own drain."""
        is_settled = gone >= SETTLE_SECONDS
        return is_settled and member.health.has_left and member.group.arn in self.entered


def see_steady(host: str, unit_name: str, state: UnitState, started: UnitState) -> None:
    """NotProven when a unit failed, restarted, or is another invocation than was started."""
    status = f", status {state.exit_status}" if state.exit_status else ""
    result = f"(result: {visible(state.result)}{status})"
    text, is_others = "", False
    if state.active in {"failed", "inactive"}:
        text = f"is {state.active} {result}"
    elif state.restarts > started.restarts:
        text = "ended and was restarted by systemd: it does not stay up"
    elif state.invocation != started.invocation:
        # A start that is no restart of systemd's own sets NRestarts to 0 (service_start).
        text, is_others = f"was started again, {OTHERS}: nothing shows that it ended", True
    elif state.sub == "auto-restart":
        text = f"ended {result}"
    if text:
        error = NotProven(f"{host}: {unit_name} {text}")
        error.blames_release = of_unit(state) and not is_others
        raise error
