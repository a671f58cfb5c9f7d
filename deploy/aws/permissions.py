"""The calls that Changeover makes, as an IAM policy. Pure.

docs/permissions.md shows the same policy (tests/test_docs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REGISTER = "elasticloadbalancing:RegisterTargets"
DEREGISTER = "elasticloadbalancing:DeregisterTargets"

LOOK, CHANGE = "Look", "TakeOutAndPutIn"
SCALING, SETTING_UP = "LookAtAutoScaling", "LookWhenSettingUp"

ACTIONS: Mapping[str, tuple[str, ...]] = {
    LOOK: (
        "sts:GetCallerIdentity",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeAccountLimits",
        "ec2:DescribeInstances",
    ),
    CHANGE: (REGISTER, DEREGISTER),
    SCALING: (
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeScheduledActions",
        "autoscaling:DescribeInstanceRefreshes",
    ),
    SETTING_UP: ("elasticloadbalancing:DescribeListeners", "ec2:GetConsoleOutput"),
}
"""The actions of each statement, by its Sid.

LOOK: what every command reads. CHANGE: what a deploy writes. SCALING: read where hosts belong to an
Auto Scaling group. SETTING_UP: read by `inv check` and `changeover init` alone; both do without.
"""


def policy(groups: Sequence[str]) -> dict[str, Any]:
    """Return the policy for an environment's target groups, as IAM takes it.

    groups: their ARNs. IAM knows no narrower resource than `*` for what only reads.
    """
    own = groups[0] if len(groups) == 1 else list(groups)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Action": list(actions),
                "Resource": own if sid == CHANGE else "*",
            }
            for sid, actions in ACTIONS.items()
            if groups or sid != CHANGE
        ],
    }
