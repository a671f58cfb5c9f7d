"""Hosts that freeze, die, boot, fill up or refuse in the middle of a deploy."""

from __future__ import annotations

import math
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from faults.ground import DELAY_SECONDS, RATE, SETTINGS, SLOW_SECONDS, later
from lab.load import Load
from lab.project import called, group_arn, until

if TYPE_CHECKING:
    from faults.ground import Ground
    from lab.fleet import LabHost

CONTROLS = 3


def hosts(ground: Ground) -> None:
    """A host that freezes, dies or boots while it is out costs nothing.

    One that serves costs no more than without a deploy.
    """
    version = ground.build()
    with ground.trial("a host frozen for 6 s in its drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        # A freeze cuts what is in flight, deploy or not: so that is answered first.
        threading.Event().wait(1.5 * SLOW_SECONDS)
        ground.lab.pause(ground.first)
        later(6, lambda: ground.lab.unpause(ground.first))
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("a host rebooted in its drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: stop")
        ground.lab.restart(ground.first)
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("a host dead from its drain on", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: stop")
        ground.lab.kill(ground.first)
        trial.ended(running.wait(), 5)
        ground.lab.restart(ground.first)
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        trial.said = "out and named; back by repair and deploy"
    last = max(ground.lab.hosts, key=lambda host: host.name)
    rates = [_death(ground, last) for _ in range(CONTROLS)]
    version = ground.build()
    with ground.trial("a serving host dies during a deploy", on=version) as trial:
        running = ground.deploy(version)
        running.until("@ batch 1")
        seconds = _kill(ground, last)
        # The controls' deaths cost so much a second, and differ by so much.
        trial.may_fail = math.ceil((max(rates) + max(rates) - min(rates)) * seconds)
        ran = running.wait()
        trial.expect(ran.code in {4, 5}, f"exit code {ran.code}")
        ground.lab.restart(last)
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        shown = ", ".join(f"{rate:.0f}" for rate in rates)
        trial.said = (
            f"seen after {seconds:.1f} s; the same without a deploy, as many targets out, "
            f"lost {shown} a second"
        )
    _disk(ground)
    _sudo(ground)
    version = ground.build()
    with ground.trial("a workstation whose clock is an hour behind", on=ground.good) as trial:
        trial.ended(ground.deploy(version, clock_hours=-1).wait(), 0)
        trial.ended(ground.project.inv("rollback", "--env", "lab"), 0)
        trial.said = "deployed, rolled back to the right release"


def _kill(ground: Ground, host: LabHost) -> float:
    """Kill a host that serves; the seconds until the load balancer saw that it does not.

    They differ by where in its interval the check was, which is no deploy's doing.
    """
    seen = max((event["seq"] for event in ground.lab.events()), default=0)
    ground.lab.kill(host)
    killed = time.time()

    def noticed() -> list[float]:
        return [
            event["at"]
            for event in ground.lab.events(seen)
            if event["id"] == host.instance_id and event["from"] == "healthy"
        ]

    until("the load balancer sees that it is dead", lambda: bool(noticed()))
    return noticed()[0] - killed


def _death(ground: Ground, last: LabHost) -> float:
    """The control: a host dies without a deploy, while as many targets are out as in a batch.

    Where it dies with fewer beside it, it takes more requests with it; the deploy's part in that
    is the batch, which the policy allows. The requests that were lost for each second until it
    was seen.
    """
    elb = ground.lab.client("elbv2")
    arn = group_arn(ground.lab, "web-lab")
    batch = sorted(ground.lab.hosts, key=lambda host: host.name)[: SETTINGS["rollout"]["batch"]]
    targets = [{"Id": host.instance_id, "Port": 5000} for host in batch]
    elb.deregister_targets(TargetGroupArn=arn, Targets=targets)
    threading.Event().wait(DELAY_SECONDS + 1)
    with Load(
        ground.lab.url("web"), rate=RATE, slow_share=0.01, slow_seconds=SLOW_SECONDS
    ) as control:
        seconds = _kill(ground, last)
        threading.Event().wait(2)  # what was sent to it meanwhile has failed by then
    elb.register_targets(TargetGroupArn=arn, Targets=targets)
    ground.lab.restart(last)
    ground.until_healthy()
    return control.result.failed / seconds


def _disk(ground: Ground) -> None:
    """The space that the survey found is gone when the upload begins.

    The service is started anew on the small disk, and on the old one afterwards: what runs is read
    from the folder that its process has mounted.
    """
    host = ground.first
    mount = "mount -t tmpfs -o size=160m,mode=755 tmpfs /srv/web/releases"
    keep = "cp -a /srv/web/releases /tmp/kept"
    ground.lab.shell(host, f"{keep}; {mount}; cp -a /tmp/kept/. /srv/web/releases/")
    _start_anew(ground, host)
    version = ground.build(size_mb=20)
    try:
        with ground.trial("a disk that is full while staging") as trial:
            running = ground.deploy(version)
            running.until("@ looked")
            ground.lab.shell(host, "fallocate -l 150m /srv/web/releases/full", check=False)
            trial.ended(running.wait(), 1)
            ground.lab.shell(host, "rm -f /srv/web/releases/full")
            left = ground.lab.shell(host, "ls -A /srv/web/releases")
            trial.expect(".part" not in left, "half a release is left")
            trial.said = "nothing left the load balancer, nothing half-written is left"
    finally:
        back = "umount -l /srv/web/releases; cp -an /tmp/kept/. /srv/web/releases/"
        ground.lab.shell(host, f"{back}; rm -rf /tmp/kept")
        _start_anew(ground, host)


def _start_anew(ground: Ground, host: LabHost) -> None:
    """Start a host's service anew, until it has passed a health check since and all are healthy."""
    ground.lab.shell(host, "systemctl restart web@5000.service")
    started = time.time()

    def has_passed() -> bool:
        checks = (one for one in ground.lab.checks() if one["id"] == host.instance_id)
        return any(one["began"] > started and one["status"] == HTTPStatus.OK for one in checks)

    until("it passes a check again", has_passed)
    ground.until_healthy()


def _sudo(ground: Ground) -> None:
    version = ground.build()
    host = ground.first
    with ground.trial("sudo revoked in a drain", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(host)}: drain")
        ground.lab.shell(host, "mv /etc/sudoers.d/ec2-user /root/")
        trial.ended(running.wait(), 5)
        ground.lab.shell(host, "mv /root/ec2-user /etc/sudoers.d/")
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.ended(ground.project.deploy(version), 0)
        trial.said = "out and named; back by repair and deploy"
