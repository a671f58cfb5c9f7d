"""The protocols and ports on which the load balancers of target groups listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.api.answers import Answer
from deploy.aws.targets import HIGHEST_PORT
from deploy.checkup.refusals import Part
from deploy.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.api.account import Account
    from deploy.aws.targets import TargetGroup
    from deploy.checkup.doctor.finding import Findings


def look(account: Account, groups: Iterable[TargetGroup], findings: Findings) -> None:
    """Note what each load balancer listens on; one that listens on nothing is a problem."""
    arns = dict.fromkeys(arn for group in groups for arn in group.load_balancers)
    for arn in arns:
        name = arn.partition(":loadbalancer/")[2] or arn
        with findings.noted(Part.BALANCER):
            try:
                listeners = list(
                    account.items("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn)
                )
            except NotAllowed as error:
                findings.ok(
                    Part.BALANCER,
                    f"the listeners of {name} were not looked at: {error.action} is not allowed, "
                    "and no deploy needs it",
                )
                continue
            shown = [_shown(Answer("DescribeListeners", each)) for each in listeners]
            if shown:
                findings.ok(Part.BALANCER, f"{name} listens on {', '.join(sorted(set(shown)))}")
            else:
                findings.problem(
                    Part.BALANCER,
                    f"{name} has no listener, so no request reaches its target groups",
                    "add one: aws elbv2 create-listener",
                )


def _shown(listener: Answer) -> str:
    protocol, port = listener.text("Protocol", ""), listener.number("Port", 0, most=HIGHEST_PORT)
    return f"{protocol or 'any protocol'} {port}"
