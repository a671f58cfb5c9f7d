"""Keeps what the lab's AWS API answers, having brought the lab into every state that it knows."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from lab import aws
from lab.targets import Outcome, Reason
from lab.zones import ZONES

if TYPE_CHECKING:
    from paper_account import Account

WHOLE_PAGE = 5
WINDOWS = "ami-12c6146b"


@dataclass
class Recorder:
    """Clients of the lab's API that keep every answer, as it came over the wire.

    Attributes:
        account: The lab's API.
        operations: botocore's model of each operation that was called, by its name.
        bodies: The answers to each operation, by its name.
        errors: The error codes of each operation, by its name.
    """

    account: Account
    operations: dict[str, Any] = field(default_factory=dict)
    bodies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    errors: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def client(self, service: str) -> Any:
        client = self.account.client(service)
        client.meta.events.register("before-parse", self._keep)
        return client

    def refused(self, call: Any, **arguments: Any) -> None:
        """Make a call that the API answers with an error."""
        with pytest.raises(ClientError) as error:
            call(**arguments)
        self.errors[error.value.operation_name].add(error.value.response["Error"]["Code"])

    def _keep(self, operation_model: Any, response_dict: Any, **_: Any) -> None:
        self.operations[operation_model.name] = operation_model
        if response_dict["status_code"] == 200:
            self.bodies[operation_model.name].append(response_dict["body"])


def record(account: Account) -> Recorder:
    """Make each call of the product, in all the states of the lab."""
    recorder = Recorder(account)
    read_targets(recorder)
    read_groups(recorder)
    read_instances(recorder)
    read_scaling_groups(recorder)
    recorder.client("sts").get_caller_identity()
    return recorder


def read_targets(recorder: Recorder) -> None:
    """Read targets in each state, with each reason."""
    account, elb, ec2 = recorder.account, recorder.client("elbv2"), recorder.client("ec2")
    groups = elb.describe_target_groups()["TargetGroups"]
    arns = {group["TargetGroupName"]: group["TargetGroupArn"] for group in groups}
    web, (first, second) = arns["web-lab"], account.instances.values()

    def look(**only: Any) -> None:
        account.reconciler.advance(time.time())
        elb.describe_target_health(TargetGroupArn=web, **only)

    look()
    failed = Outcome(reason=Reason.FAILED)
    for outcome in (failed, failed, Outcome(reason=Reason.TIMEOUT), Outcome(status=503)):
        account.check(outcome)
        look()
    for _ in range(aws.HEALTH_CHECK["HealthyThresholdCount"]):
        account.check(Outcome(status=200))
    look()
    account.knobs.update({"shifted_zone": ZONES[0]})
    look()
    account.knobs.update({"shifted_zone": None})
    elb.deregister_targets(TargetGroupArn=web, Targets=[{"Id": first}])
    look()
    account.reconciler.advance(time.time() + aws.DELAY_SECONDS + 1)
    look(Targets=[{"Id": first}])
    elb.register_targets(TargetGroupArn=arns["orphan-lab"], Targets=[{"Id": first}])
    elb.describe_target_health(TargetGroupArn=arns["orphan-lab"])
    ec2.stop_instances(InstanceIds=[second])
    look()
    recorder.refused(elb.register_targets, TargetGroupArn=web, Targets=[{"Id": second}])
    recorder.refused(elb.register_targets, TargetGroupArn=web, Targets=[{"Id": "i-0"}])


def read_groups(recorder: Recorder) -> None:
    """Read groups of each kind; the lab's own are HTTP groups of type instance."""
    elb = recorder.client("elbv2")
    known = elb.describe_target_groups()["TargetGroups"][0]
    common = {"Port": 443, "VpcId": known["VpcId"]}
    elb.create_target_group(Name="tls", Protocol="HTTPS", TargetType="ip", **common)
    elb.create_target_group(Name="grpc", Protocol="HTTP", ProtocolVersion="GRPC", **common)
    elb.create_target_group(Name="tcp", Protocol="TCP", **common)
    elb.create_target_group(Name="function", TargetType="lambda")
    for group in elb.describe_target_groups()["TargetGroups"]:
        elb.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
    elb.describe_account_limits()
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    elb.describe_listeners(LoadBalancerArn=balancers[0]["LoadBalancerArn"])
    nowhere = known["TargetGroupArn"] + "0"
    recorder.refused(elb.describe_target_groups, Names=["nowhere"])
    for call in (elb.describe_target_group_attributes, elb.describe_target_health):
        recorder.refused(call, TargetGroupArn=nowhere)


def read_instances(recorder: Recorder) -> None:
    """Read more instances than fit on a page: one of them is terminated, others run Windows."""
    ec2 = recorder.client("ec2")
    for _ in range(WHOLE_PAGE):
        (last,) = ec2.run_instances(ImageId=WINDOWS, MinCount=1, MaxCount=1)["Instances"]
    ec2.terminate_instances(InstanceIds=[last["InstanceId"]])
    page = ec2.describe_instances(MaxResults=WHOLE_PAGE)
    ec2.describe_instances(MaxResults=WHOLE_PAGE, NextToken=page["NextToken"])
    recorder.refused(ec2.describe_instances, InstanceIds=["i-00000000000000000"])
    ec2.get_console_output(InstanceId=next(iter(recorder.account.instances.values())))


def read_scaling_groups(recorder: Recorder) -> None:
    """Read a group with a member, suspended processes and a scheduled action."""
    scaling = recorder.client("autoscaling")
    member = next(iter(recorder.account.instances.values()))
    name = {"AutoScalingGroupName": "fleet"}
    scaling.create_auto_scaling_group(
        **name, InstanceId=member, AvailabilityZones=[ZONES[0]], MinSize=0, MaxSize=2
    )
    scaling.attach_instances(**name, InstanceIds=[member])
    scaling.suspend_processes(**name, ScalingProcesses=["AZRebalance"])
    scaling.put_scheduled_update_group_action(
        **name,
        ScheduledActionName="night",
        Recurrence="0 22 * * *",
        StartTime="2030-01-01T00:00:00Z",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
    )
    scaling.describe_auto_scaling_instances(InstanceIds=[member])
    scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["fleet"])
    scaling.describe_scheduled_actions(**name)
    scaling.describe_instance_refreshes(**name)
