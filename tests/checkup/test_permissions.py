"""Whether writes are allowed is asked with a target that cannot exist; what it came to is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.aws.target_groups import NO_INSTANCE
from deploy.checkup.doctor import listeners, permissions
from deploy.checkup.doctor.finding import Findings, Level
from deploy.errors import ApiError, DeployError, NotAllowed

if TYPE_CHECKING:
    from deploy.aws.targets import Target, TargetGroup

UNKNOWN = ApiError("AWS: InvalidTarget", "InvalidTarget", may_pass=False)
NO_ADDRESS = ApiError("AWS: ValidationError", "ValidationError", may_pass=False)
BUSY = ApiError("AWS: Throttling", "Throttling", may_pass=True)


def denied(action: str) -> NotAllowed:
    return NotAllowed(f"AWS: not allowed: {action}", action, "no policy allows it")


class Paper:
    """An API whose writes end as a test says; what it took is kept."""

    def __init__(self, register: DeployError | None, deregister: DeployError | None) -> None:
        self._errors = {"register": register, "deregister": deregister}
        self.taken: list[tuple[str, str]] = []

    def register(self, group: TargetGroup, targets: tuple[Target, ...]) -> None:
        self._write("register", group, targets)

    def deregister(self, group: TargetGroup, targets: tuple[Target, ...]) -> None:
        self._write("deregister", group, targets)

    def _write(self, what: str, _: TargetGroup, targets: tuple[Target, ...]) -> None:
        if error := self._errors[what]:
            raise error
        self.taken += [(what, target.id) for target in targets]


@pytest.mark.parametrize(
    ("register", "deregister", "noted"),
    [
        (UNKNOWN, None, [(Level.OK, "allowed on web-lab: RegisterTargets, DeregisterTargets")]),
        (NO_ADDRESS, NO_ADDRESS, [(Level.OK, "allowed on web-lab: RegisterTargets, Dereg")]),
        (
            denied("RegisterTargets"),
            None,
            [
                (Level.PROBLEM, "not allowed: elasticloadbalancing:RegisterTargets on web-lab"),
                (Level.OK, "allowed on web-lab: DeregisterTargets"),
            ],
        ),
        (
            UNKNOWN,
            denied("DeregisterTargets"),
            [
                (Level.PROBLEM, "not allowed: elasticloadbalancing:DeregisterTargets on web-lab"),
                (Level.OK, "allowed on web-lab: RegisterTargets"),
            ],
        ),
        (BUSY, BUSY, [(Level.PROBLEM, "AWS: Throttling")]),
    ],
    ids=["allowed", "of type ip", "no register", "no deregister", "no answer"],
)
def test_what_aws_answers_says_what_is_allowed(
    register: DeployError | None, deregister: DeployError | None, noted: list[tuple[Level, str]]
) -> None:
    paper: Any = Paper(register, deregister)
    findings = Findings()
    permissions.writes(paper, (builders.group(),), findings)
    assert len(findings.each) == len(noted)
    for found, (level, text) in zip(findings.each, noted, strict=True):
        assert found.level is level
        assert found.text.startswith(text)
    assert {id_ for _, id_ in paper.taken} <= {NO_INSTANCE}


def test_an_api_that_takes_what_cannot_exist_gets_it_out_again() -> None:
    paper: Any = Paper(None, None)
    findings = Findings()
    permissions.writes(paper, (builders.group(),), findings)
    assert paper.taken[:2] == [
        ("register", NO_INSTANCE),
        ("deregister", NO_INSTANCE),
    ]
    (warned,) = (each for each in findings.each if each.level is Level.WARNING)
    assert "cannot exist" in warned.text
    assert any("describe-target-health" in line for line in warned.details)


def test_what_a_deploy_does_without_is_a_warning() -> None:
    findings = Findings()
    findings.denied(denied("DescribeScheduledActions"))
    findings.denied(denied("DescribeInstances"))
    assert [(each.level, each.text) for each in findings.each] == [
        (Level.WARNING, "not allowed: autoscaling:DescribeScheduledActions"),
        (Level.PROBLEM, "not allowed: ec2:DescribeInstances"),
    ]


class Listening:
    """An account whose load balancers have these listeners."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self._found = found

    def items(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return list(self._found)


def test_a_load_balancer_that_listens_on_nothing_is_a_problem() -> None:
    findings = Findings()
    silent: Any = Listening()
    listeners.look(silent, (builders.group(),), findings)
    listens: Any = Listening({"Protocol": "HTTPS", "Port": 443}, {"Protocol": "HTTP", "Port": 80})
    other = builders.group(load_balancers=("arn:aws:x:loadbalancer/app/other/2",))
    listeners.look(listens, (other,), findings)
    assert [(each.level, each.text) for each in findings.each] == [
        (Level.PROBLEM, "app/edge/1 has no listener, so no request reaches its target groups"),
        (Level.OK, "app/other/2 listens on HTTP 80, HTTPS 443"),
    ]
