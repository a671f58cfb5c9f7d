"""The load balancer in the middle of a deploy: changed by others, slow, down, refusing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.ground import DELAY_SECONDS, later
from lab.project import called, group_arn, set_delay

if TYPE_CHECKING:
    from faults.ground import Ground


def balancer(ground: Ground) -> None:
    """Another person changes the target group; an API that is slow, down, or refuses."""
    elb = ground.lab.client("elbv2")
    arn = group_arn(ground.lab, "web-lab")
    last = max(ground.lab.hosts, key=lambda host: host.name)

    def target(host_id: str) -> list[dict[str, object]]:
        return [{"Id": host_id, "Port": 5000}]

    version = ground.build()
    with ground.trial("another target deregistered by another person", on=version) as trial:
        # One host at a time: the last one's target is no part of the next batch, which waits.
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        running = ground.start(*words, "--batch", "1")
        running.until("@ batch 1")
        seen = max((event["seq"] for event in ground.lab.events()), default=0)
        elb.deregister_targets(TargetGroupArn=arn, Targets=target(last.instance_id))
        later(
            10, lambda: elb.register_targets(TargetGroupArn=arn, Targets=target(last.instance_id))
        )
        trial.ended(running.wait(), 0)
        moved = [(event["id"], event["to"]) for event in ground.lab.events(seen)]
        second = sorted(ground.lab.hosts, key=lambda host: host.name)[1]
        back, next_out = (last.instance_id, "healthy"), (second.instance_id, "draining")
        trial.expect(moved.index(back) < moved.index(next_out), f"it did not wait: {moved}")
        trial.said = "the next batch waited for it"
    version = ground.build()
    with ground.trial("the draining target registered by another person") as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        elb.register_targets(TargetGroupArn=arn, Targets=target(ground.first.instance_id))
        trial.ended(running.wait(), 1, 4)
        trial.ended(ground.project.deploy(ground.good), 0)
        trial.said = "not stopped under its requests"
    _settings_and_api(ground)


def _settings_and_api(ground: Ground) -> None:
    # The shorter one is still longer than a slow request that a node sends late: what it would cut
    # beyond that is the load balancer's doing, whatever a deploy does.
    for name, first, seconds in (("longer", DELAY_SECONDS, 8), ("shorter", 8, DELAY_SECONDS)):
        set_delay(ground.lab, "web-lab", first)
        version = ground.build()
        with ground.trial(f"the group's delay made {name} in the middle", on=version) as trial:
            running = ground.deploy(version)
            running.until("@ batch 1")
            set_delay(ground.lab, "web-lab", seconds)
            trial.ended(running.wait(), 0)
        set_delay(ground.lab, "web-lab", DELAY_SECONDS)
    version = ground.build()
    with ground.trial("the API throttled at AWS's rates", on=version) as trial:
        ground.lab.knobs(throttle=True)
        trial.ended(ground.deploy(version).wait(), 0)
        ground.lab.knobs(throttle=False)
    version = ground.build()
    with ground.trial("the API down for 30 s", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.knobs(api_down=True)
        later(30, lambda: ground.lab.knobs(api_down=False))
        trial.ended(running.wait(), 0)
        trial.said = "waited for"
    version = ground.build()
    with ground.trial("credentials that expire half way and are renewed", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.knobs(api_error="ExpiredToken")
        later(12, lambda: ground.lab.knobs(api_error=None))
        trial.ended(running.wait(), 0)
        trial.said = "waited for"
