"""A release is marked as failed for its own faults alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.aws.targets import GONE, Health, Override, State
from deploy.command_result import CommandResult
from deploy.errors import BalancerError, CommandFailed, ConnectionLost, NotProven, TakenOut
from deploy.hosts.probe.request import NotHttp
from deploy.survey import blame
from deploy.survey.slot import UnitState

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


EXIT = "exit-code"
UNITS: list[tuple[str, str, int, bool]] = [
    # Active state, result, exit status, and whether the release is to blame.
    ("failed", EXIT, 1, True),
    ("failed", EXIT, 134, True),
    ("failed", EXIT, 199, True),
    ("failed", EXIT, 200, False),  # CHDIR
    ("failed", EXIT, 203, False),  # EXEC
    ("activating", EXIT, 203, False),  # it is about to be restarted
    ("failed", EXIT, 216, False),  # GROUP
    ("failed", EXIT, 217, False),  # USER
    ("failed", EXIT, 226, False),  # NAMESPACE
    ("failed", EXIT, 242, False),  # NUMA_POLICY
    ("failed", EXIT, 245, False),  # BPF
    ("failed", EXIT, 246, True),
    ("failed", EXIT, 255, True),
    ("failed", "signal", 11, True),
    ("failed", "core-dump", 6, True),
    ("failed", "timeout", 0, True),
    ("failed", "protocol", 0, True),
    ("failed", "oom-kill", 9, True),
    ("failed", "watchdog", 6, True),
    ("failed", "resources", 0, False),
    ("inactive", "exec-condition", 0, False),
    ("inactive", "condition", 0, False),
    ("inactive", "success", 0, True),
]


@pytest.mark.parametrize(("active", "result", "status", "expected"), UNITS)
def test_a_units_state_blames_the_release_unless_systemd_could_not_set_it_up(
    active: str, result: str, status: int, *, expected: bool
) -> None:
    state = UnitState("loaded", active, result=result, exit_status=status)
    assert blame.of_unit(state) is expected


def test_a_start_that_was_never_tried_blames_nobody() -> None:
    """A link that cannot be made, or a dependency that failed."""
    assert not blame.of_start(UnitState("loaded", "inactive", result="success"))
    assert not blame.of_start(UnitState())
    assert blame.of_start(UnitState("loaded", "failed", result="timeout"))
    assert not blame.of_start(UnitState("loaded", "failed", result=EXIT, exit_status=203))


STARTED = UnitState("loaded", "active", "running", invocation="a" * 32)


@pytest.mark.parametrize(
    ("state", "expected", "blames"),
    [
        (replace(STARTED, invocation="b" * 32), "an update of the host (needrestart)", False),
        (replace(STARTED, invocation="b" * 32, restarts=1), "restarted by systemd", True),
        (replace(STARTED, restarts=1), "restarted by systemd", True),
        (replace(STARTED, active="failed", result=EXIT, exit_status=1), "status 1", True),
    ],
)
def test_a_start_that_systemd_does_not_count_blames_no_release(
    state: UnitState, expected: str, *, blames: bool
) -> None:
    """An operator, needrestart after an update of a library, or a reboot has started it again."""
    with pytest.raises(NotProven) as caught:
        blame.see_steady("host-1", "web@5000.service", state, STARTED)
    assert expected in str(caught.value)
    assert caught.value.blames_release is blames


def test_control_what_still_runs_is_steady() -> None:
    blame.see_steady("host-1", "web@5000.service", STARTED, STARTED)


def test_who_is_to_blame_for_an_error_is_known_by_its_kind() -> None:
    ended = CommandResult("systemctl", 1, "", "")
    errors = {
        CommandFailed("host-1", "looking", ended): False,
        ConnectionLost("the connection broke"): False,
        BalancerError("refused"): False,
        TakenOut("draining"): False,
        NotProven("answer 503"): True,
        NotHttp("no HTTP answer"): True,
    }
    assert [error.blames_release for error in errors] == list(errors.values())
