"""rolling.sh's hand on the target group: `target.py out|in INSTANCE`, waited for by boto3."""

from __future__ import annotations

import sys

import boto3

GROUP, PORT = "web-lab", 5000


def main(way: str, instance: str) -> None:
    """Take the instance out or in, and wait as boto3's waiters do: a look every 15 s."""
    elb = boto3.client("elbv2")
    arn = elb.describe_target_groups(Names=[GROUP])["TargetGroups"][0]["TargetGroupArn"]
    target = {"TargetGroupArn": arn, "Targets": [{"Id": instance, "Port": PORT}]}
    if way == "out":
        elb.deregister_targets(**target)
        elb.get_waiter("target_deregistered").wait(**target)
    else:
        elb.register_targets(**target)
        elb.get_waiter("target_in_service").wait(**target)


if __name__ == "__main__":
    main(*sys.argv[1:])
