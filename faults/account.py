"""Faults around the fleet: other ways to the hosts, old readings, credentials, instances that end.

Each of these lost requests, left hosts out, or passed unnoticed once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from faults.ground import RATE
from lab.api import REGION
from lab.load import Load
from lab.project import called, group_arn, listed, set_check, set_delay, until
from lab.zones import ZONES

if TYPE_CHECKING:
    from faults.ground import Ground, Trial
    from lab.project import Ran

WEB, INTERNAL = "web-lab", "internal-lab"
OTHER_PORT, CHECK_PORT = 8080, 8081


def others(ground: Ground) -> None:
    """What sends requests to the hosts and is named nowhere is refused, and stops nothing."""
    hosts = [host.instance_id for host in ground.lab.hosts]
    set_delay(ground.lab, INTERNAL, 2)
    _registered(ground, INTERNAL, hosts)
    until("all healthy", lambda: {*ground.lab.health(INTERNAL).values()} == {"healthy"})
    version = ground.build()
    with ground.trial("a second target group that no setting names") as trial:
        _refused(ground, trial, version, "which `target_groups:` of web does not name")
    with ground.trial("a second target group that was not looked for") as trial:
        ground.set({}, {"other_groups": "ignore"})
        with Load(ground.lab.url("internal"), rate=RATE) as sent:
            ran = ground.project.deploy(version)
        ground.set({}, {"other_groups": None})
        trial.ended(ran, 1)
        trial.expect("requests still reach port 5000 after its drain" in _flat(ran), "not seen")
        trial.expect(not sent.result.failed, f"the other group lost {sent.result.failed}")
        trial.said = "not stopped, its peers named"
    _deregistered(ground, INTERNAL, hosts)
    _registered(ground, WEB, hosts[:1], OTHER_PORT)
    with ground.trial("the own group with another port of a host") as trial:
        _refused(ground, trial, version, "the port is none of web's (:5000)")
    _deregistered(ground, WEB, hosts[:1], OTHER_PORT)
    _foreign(ground, version)


def _foreign(ground: Ground, version: str) -> None:
    """A target that is no host: one of the lab's is left out of the settings."""
    foreign = max(ground.lab.hosts, key=lambda host: host.name)
    ec2 = ground.lab.client("ec2")
    spare = [{"Key": "Environment", "Value": "spare"}]
    with ground.trial("a target that is no host of the environment") as trial:
        ec2.create_tags(Resources=[foreign.instance_id], Tags=spare)
        _refused(ground, trial, version, "is no host of this environment")
        ec2.create_tags(
            Resources=[foreign.instance_id], Tags=[{"Key": "Environment", "Value": "lab"}]
        )


def account(ground: Ground) -> None:
    """Old readings, a shifted zone, keys with an end, a check's own port, a host that ends."""
    version = ground.build()
    with ground.trial("readings of 4 s ago", on=version) as trial:
        ground.lab.knobs(describe_lag_seconds=4)
        ground.until_healthy()  # as it was 4 s ago
        trial.ended(ground.deploy(version).wait(), 0)
    _shifted(ground)
    _credentials(ground)
    _own_check(ground)
    _terminated(ground)


def _shifted(ground: Ground) -> None:
    """Its hosts go first; the others may not leave together, whatever became of those."""
    version = ground.build()
    with ground.trial("a zone that traffic is shifted away from", on=version) as trial:
        ground.lab.knobs(shifted_zone=ZONES[0])
        ran = trial.ended(ground.project.deploy(version), 2)
        trial.expect("would leave no target of web-lab in service" in _flat(ran), "not refused")
        trial.ended(ground.project.deploy(version, "--batch", "1"), 0)
        trial.said = "its two hosts are no capacity: a batch of both others is refused"


def _credentials(ground: Ground) -> None:
    """Keys of the environment that end before a plan of this size would."""
    version = ground.build()
    soon = datetime.now(UTC) + timedelta(seconds=45)
    keys = {
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        "AWS_SESSION_TOKEN": "lab",
        "AWS_CREDENTIAL_EXPIRATION": soon.isoformat(),
    }
    given = ground.project.environment.get("aws")
    ours = {"region": REGION, "endpoint_url": ground.lab.api}
    words = (f"{name}={value}" for name, value in keys.items())
    ending = replace(ground.project, program=("env", *words, *ground.project.program))
    with ground.trial("credentials that end before the deploy does") as trial:
        ground.set({}, {"aws": ours | dict.fromkeys(("profile", "credentials_file"))})
        ran = ending.deploy(version)
        ground.set({}, {"aws": given})
        trial.ended(ran, 1)
        trial.expect("the AWS credentials end in" in _flat(ran), "their end is not named")
        trial.said = "no batch began that they would not last for"


def _own_check(ground: Ground) -> None:
    """The group checks a port of its own, as for Spring's actuator."""
    with ground.trial("a health check on a port of its own", on=None) as trial:
        # The check asks `/` while releases come and go that answer `/health` on either port.
        set_check(ground.lab, WEB, HealthCheckPath="/")
        trial.ended(ground.project.deploy(ground.build(health_port=CHECK_PORT)), 0)
        set_check(ground.lab, WEB, HealthCheckPath="/health", HealthCheckPort=str(CHECK_PORT))
        ran = trial.ended(ground.project.deploy(ground.build(health_port=CHECK_PORT)), 0)
        trial.expect(f"GET :{CHECK_PORT}/health gives 200" in ran.output, "not asked there")
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        set_check(ground.lab, WEB, HealthCheckPath="/", HealthCheckPort="traffic-port")
        ground.good = ground.build()
        trial.ended(ground.project.deploy(ground.good), 0)
        set_check(ground.lab, WEB, HealthCheckPath="/health")
        ground.until_healthy()
        trial.problems += ground.faults_left(ground.good)


def _terminated(ground: Ground) -> None:
    """An instance that ends while it drains is no failure, and costs nothing.

    No request takes long: one that the instance is working on is lost with it, whatever we do.
    """
    version, ec2 = ground.build(), ground.lab.client("ec2")
    quick = Load(ground.lab.url("web"), rate=RATE, slow_share=0)
    with ground.trial("an instance terminated in its drain", on=None, load=quick) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.pause(ground.first)
        ec2.terminate_instances(InstanceIds=[ground.first.instance_id])
        ran = trial.ended(running.wait(), 0)
        trial.expect("gone: its instance was terminated" in ran.output, "it is not named")
        ground.lab.unpause(ground.first)
        ec2.start_instances(InstanceIds=[ground.first.instance_id])
        trial.said = "gone and named, the others deployed"
    with ground.trial("and started again", on=version) as trial:
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0, 4)
        trial.ended(ground.project.deploy(version, "--join"), 0)


def _flat(ran: Ran) -> str:
    return " ".join(ran.output.split())


def _refused(ground: Ground, trial: Trial, version: str, words: str) -> None:
    """Expect a deploy to be refused by name, before any target is touched."""
    seen = len(ground.lab.events())
    ran = trial.ended(ground.project.deploy(version), 2)
    trial.expect(words in _flat(ran), f"not named: {words}")
    trial.expect(len(ground.lab.events()) == seen, "a target was touched")
    trial.said = "refused by name"


def _registered(ground: Ground, group: str, ids: list[str], port: int = 5000) -> None:
    targets: list[dict[str, Any]] = [{"Id": each, "Port": port} for each in ids]
    ground.lab.client("elbv2").register_targets(
        TargetGroupArn=group_arn(ground.lab, group), Targets=targets
    )
    until("in the group", lambda: listed(ground.lab, group) >= {(each, port) for each in ids})


def _deregistered(ground: Ground, group: str, ids: list[str], port: int = 5000) -> None:
    targets = [{"Id": each, "Port": port} for each in ids]
    ground.lab.client("elbv2").deregister_targets(
        TargetGroupArn=group_arn(ground.lab, group), Targets=targets
    )
    until("out of the group", lambda: not listed(ground.lab, group) & {(i, port) for i in ids})
