"""P6, P10: hosts of an Auto Scaling group, and hosts that it ends in the middle of a deploy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from lab.aws import short_name
from lab.leaving import first_to_drain
from lab.load import MODEST_RATE, Load
from lab.project import set_delay

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

NAME = "fleet"
FREEZE_SECONDS = 8
"""How long a host drains, so that it is terminated by then."""


@pytest.mark.hosts(3)
def test_p10_what_a_group_may_do_is_said_or_refused_and_who_rests_is_left_out(
    project: Project, lab: Lab, scaling: Any
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    scaling.update_auto_scaling_group(AutoScalingGroupName=NAME, HealthCheckType="ELB")
    seen = len(lab.events())
    ran = project.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert "it may terminate a host whose release fails" in " ".join(ran.output.split())
    assert len(lab.events()) == seen, "a target was touched"
    scaling.update_auto_scaling_group(AutoScalingGroupName=NAME, HealthCheckType="EC2")
    resting = lab.hosts[1]
    scaling.enter_standby(
        AutoScalingGroupName=NAME,
        InstanceIds=[resting.instance_id],
        ShouldDecrementDesiredCapacity=True,
    )
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    flat = " ".join(ran.output.split())
    name = short_name(resting.name)
    target = f"{resting.instance_id}:5000 is {name}, Standby in the Auto Scaling group {NAME}"
    assert f"{target}, and healthy: it keeps its release" in flat
    assert "is no host of this environment" not in flat
    assert f"{name} is left out: Standby in the Auto Scaling group {NAME}" in flat
    assert "ReplaceUnhealthy, AZRebalance, AlarmNotification active" in flat
    status = project.inv("status", "--env", "lab")
    assert f"{name} is left out: Standby" in " ".join(status.output.split())
    scaling.exit_standby(AutoScalingGroupName=NAME, InstanceIds=[resting.instance_id])
    assert project.releases()[name] == "1.0.0"
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0"]


@pytest.mark.long(150)
@pytest.mark.hosts(3)
def test_p6_a_host_that_is_terminated_in_its_turn_is_no_failure(
    project: Project, lab: Lab, scaling: Any
) -> None:
    del scaling
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", FREEZE_SECONDS)
    seen = lab.events()[-1]["seq"]

    ec2 = lab.client("ec2")
    with Load(lab.url("web"), rate=MODEST_RATE, slow_share=0) as load, ThreadPoolExecutor(1) as own:
        deploy = own.submit(project.deploy, "2.0.0")
        ended = first_to_drain(lab, seen)
        lab.pause(ended)
        try:
            ec2.terminate_instances(InstanceIds=[ended.instance_id])
            ran = deploy.result()
        finally:
            lab.unpause(ended)
            ec2.start_instances(InstanceIds=[ended.instance_id])
    assert ran.code == 0, ran.output
    assert f"{short_name(ended.name)}: gone: its instance was terminated" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0"]


@pytest.mark.hosts(3)
def test_p10_a_host_that_enters_standby_in_its_turn_is_not_registered(
    project: Project, lab: Lab, scaling: Any
) -> None:
    """It is named, its release is not marked, and repair brings it back once it is in service."""
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", FREEZE_SECONDS)
    seen = lab.events()[-1]["seq"]
    with Load(lab.url("web"), rate=MODEST_RATE, slow_share=0) as load:
        with ThreadPoolExecutor(1) as own:
            deploy = own.submit(project.deploy, "2.0.0")
            resting = first_to_drain(lab, seen)
            scaling.enter_standby(
                AutoScalingGroupName=NAME,
                InstanceIds=[resting.instance_id],
                ShouldDecrementDesiredCapacity=True,
            )
            ran = deploy.result()
        moved = [each["to"] for each in lab.events(seen) if each["id"] == resting.instance_id]
        scaling.exit_standby(AutoScalingGroupName=NAME, InstanceIds=[resting.instance_id])
        repaired = project.inv("repair", "--env", "lab")
    assert ran.code == 5, ran.output
    said = f"not registered: its instance is Standby in the Auto Scaling group {NAME}"
    assert said in " ".join(ran.output.split())
    assert not {"initial", "healthy"} & set(moved), moved
    assert lab.shell(resting, "ls /srv/web/records/bad 2>/dev/null; true") == ""
    assert repaired.code == 0, repaired.output
    assert load.result.failed == 0, load.result.failures
    assert set(lab.health("web-lab").values()) == {"healthy"}
