"""What the lab takes for granted about moto, so that an upgrade of it fails here and loudly."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from botocore.parsers import ResponseParserError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup
from paper_account import HOSTS, Account, running

from deploy.aws import target_groups
from deploy.aws.instances import SCALING_TAG
from lab import aws
from lab.api import Moto, replaced
from lab.knobs import Events, Knobs
from lab.reconciler import Reconciler
from lab.targets import Outcome, Reason
from lab.zones import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator


BOGUS = "i-00000000000000000"


@pytest.fixture(scope="module")
def api() -> Iterator[Account]:
    with running() as account:
        yield account


@pytest.fixture
def account(api: Account) -> Account:
    api.reset()
    return api


@pytest.fixture
def elb(account: Account) -> Any:
    return account.client("elbv2")


def arn(elb: Any, name: str = "web-lab") -> str:
    return str(elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"])


def health(elb: Any, group: str = "web-lab", **parameters: Any) -> dict[tuple[str, int], Any]:
    answer = elb.describe_target_health(TargetGroupArn=arn(elb, group), **parameters)
    return {
        (one["Target"]["Id"], one["Target"]["Port"]): (
            one["TargetHealth"]["State"],
            one["TargetHealth"].get("Reason"),
        )
        for one in answer["TargetHealthDescriptions"]
    }


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (FakeTargetGroup.register, ["self", "targets"]),
        (FakeTargetGroup.deregister, ["self", "targets"]),
        (ELBv2Backend.describe_target_health, ["self", "target_group_arn", "targets"]),
        (
            FakeHealthStatus.__init__,
            ["self", "instance_id", "port", "health_port", "status", "reason", "description"],
        ),
    ],
)
def test_the_functions_we_replace_are_still_there(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


def test_moto_s_own_functions_come_back() -> None:
    before = FakeTargetGroup.register
    with replaced(Reconciler(Moto(), {}, Knobs(), Events())):
        assert FakeTargetGroup.register is not before
    assert FakeTargetGroup.register is before


def test_what_a_deploy_asks_of_health_is_taken(elb: Any) -> None:
    assert health(elb, Include=["AnomalyDetection"]) == health(elb)


def test_instances_are_found_by_tag_with_the_hosts_own_addresses(account: Account) -> None:
    answer = account.client("ec2").describe_instances(
        Filters=[{"Name": "tag:Environment", "Values": ["lab"]}]
    )
    found = {
        next(tag["Value"] for tag in one["Tags"] if tag["Key"] == "Name"): one
        for reservation in answer["Reservations"]
        for one in reservation["Instances"]
    }
    assert {name: one["PrivateIpAddress"] for name, one in found.items()} == {
        aws.short_name(host["name"]): host["address"] for host in HOSTS
    }
    ids = {aws.short_name(name): instance for name, instance in account.instances.items()}
    assert {name: one["InstanceId"] for name, one in found.items()} == ids
    assert {one["Placement"]["AvailabilityZone"] for one in found.values()} == {ZONES[0]}


def test_who_am_i(account: Account) -> None:
    assert account.client("sts").get_caller_identity()["Account"].isdigit()


def test_a_member_of_a_scaling_group_carries_its_name_while_it_belongs_there(
    account: Account,
) -> None:
    scaling, member = account.client("autoscaling"), [next(iter(account.instances.values()))]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        InstanceId=member[0],
        AvailabilityZones=[ZONES[0]],
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
    )

    def tags() -> dict[str, str]:
        found = account.client("ec2").describe_instances(InstanceIds=member)
        instance = found["Reservations"][0]["Instances"][0]
        return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}

    assert SCALING_TAG not in tags()
    scaling.attach_instances(AutoScalingGroupName="fleet", InstanceIds=member)
    assert tags()[SCALING_TAG] == "fleet"
    scaling.detach_instances(
        AutoScalingGroupName="fleet", InstanceIds=member, ShouldDecrementDesiredCapacity=True
    )
    assert SCALING_TAG not in tags()


def test_groups_tell_their_checks_and_delay(elb: Any) -> None:
    (group,) = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"]
    assert {name: group[name] for name in aws.HEALTH_CHECK} == aws.HEALTH_CHECK
    assert group["TargetType"] == "instance"
    assert len(group["LoadBalancerArns"]) == 1
    attributes = elb.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
    pairs = {one["Key"]: one["Value"] for one in attributes["Attributes"]}
    assert {name: pairs[name] for name in aws.ATTRIBUTES} == aws.ATTRIBUTES
    (orphan,) = elb.describe_target_groups(Names=["orphan-lab"])["TargetGroups"]
    assert orphan["LoadBalancerArns"] == []


@pytest.mark.parametrize(
    ("name", "version", "path", "matcher"),
    [
        ("web-lab", "HTTP1", "/health", {"HttpCode": "200"}),
        ("http2-lab", "HTTP2", "/health", {"HttpCode": "200"}),
        ("grpc-lab", "GRPC", "/AWS.ALB/healthcheck", {"GrpcCode": "12"}),
    ],
)
def test_groups_keep_their_protocol_and_its_codes(
    account: Account, elb: Any, name: str, version: str, path: str, matcher: dict[str, str]
) -> None:
    """Also when the lab was reset, which sets their checks anew."""
    (group,) = elb.describe_target_groups(Names=[name])["TargetGroups"]
    assert (group["ProtocolVersion"], group["Matcher"]) == (version, matcher)
    found = Moto().groups()[name]
    assert (found.checks.version, found.checks.path) == (version, path)
    assert found.checks.matcher in matcher.values()
    elb.register_targets(
        TargetGroupArn=group["TargetGroupArn"],
        Targets=[{"Id": account.instances["host-11"]}],
    )
    (server, *_) = account.plane.wanted[name].values()
    assert server.is_http2 is (version != "HTTP1")


def test_the_quota_of_targets_is_what_an_account_begins_with(account: Account) -> None:
    """Moto's own is 30, and answers without our replacement."""
    answer = account.client("elbv2").describe_account_limits()
    limits = {item["Name"]: item["Max"] for item in answer["Limits"]}
    assert limits[target_groups.TARGETS_QUOTA] == "1000"


def test_a_group_that_is_not_there_says_so(elb: Any) -> None:
    with pytest.raises(ClientError) as error:
        elb.describe_target_groups(Names=["nowhere"])
    assert code(error) == "TargetGroupNotFound"


def test_targets_pass_are_taken_out_and_come_back(account: Account, elb: Any) -> None:
    first, second = ((one, 5000) for one in account.instances.values())
    new = ("initial", "Elb.RegistrationInProgress")
    assert health(elb) == {first: new, second: new}
    assert account.plane.serving("web-lab") == set()
    account.check(Outcome(status=200))
    assert health(elb) == {first: ("healthy", None), second: ("healthy", None)}
    assert account.plane.serving("web-lab") == {"10.88.0.11", "10.88.0.12"}

    target = {"Id": first[0], "Port": first[1]}
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[target])
    draining = ("draining", "Target.DeregistrationInProgress")
    assert health(elb) == {first: draining, second: ("healthy", None)}
    assert account.plane.serving("web-lab") == {"10.88.0.12"}
    assert len(account.plane.wanted["web-lab"]) == 2

    account.reconciler.advance(time.time() + 11)
    assert health(elb) == {second: ("healthy", None)}
    assert health(elb, Targets=[target]) == {first: ("unused", "Target.NotRegistered")}
    assert len(account.plane.wanted["web-lab"]) == 1

    elb.register_targets(TargetGroupArn=arn(elb), Targets=[target])
    assert health(elb)[first] == new
    account.check(Outcome(reason=Reason.FAILED))
    account.check(Outcome(reason=Reason.FAILED))
    assert health(elb)[first] == ("unhealthy", "Target.FailedHealthChecks")


def test_lag_lets_new_requests_through_and_a_return_ends_the_drain(
    account: Account, elb: Any
) -> None:
    account.check(Outcome(status=200))
    account.knobs.update({"propagation_lag_seconds": 5})
    target = {"Id": account.instances["host-11"]}
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[target])
    assert account.plane.serving("web-lab") == {"10.88.0.11", "10.88.0.12"}
    account.reconciler.advance(time.time() + 6)
    assert account.plane.serving("web-lab") == {"10.88.0.12"}
    elb.register_targets(TargetGroupArn=arn(elb), Targets=[target])
    assert health(elb)[target["Id"], 5000][0] == "initial"
    account.reconciler.advance(time.time() + 11)
    assert health(elb)[target["Id"], 5000][0] == "initial"


def test_ports_and_groups_are_targets_of_their_own(account: Account, elb: Any) -> None:
    account.check(Outcome(status=200))
    one = account.instances["host-11"]
    elb.register_targets(TargetGroupArn=arn(elb), Targets=[{"Id": one, "Port": 5001}])
    assert health(elb)[one, 5001][0] == "initial"
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[{"Id": one}])
    assert health(elb)[one, 5000][0] == "draining"
    assert health(elb)[one, 5001][0] == "initial"
    assert health(elb, "admin-lab")[one, 5100][0] == "healthy"


def test_unknown_targets_are_refused_in_and_passed_over_out(account: Account, elb: Any) -> None:
    with pytest.raises(ClientError) as error:
        elb.register_targets(TargetGroupArn=arn(elb), Targets=[{"Id": BOGUS}])
    assert code(error) == "InvalidTarget"
    before = health(elb)
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[{"Id": BOGUS}])
    elb.deregister_targets(
        TargetGroupArn=arn(elb), Targets=[{"Id": account.instances["host-11"], "Port": 9}]
    )
    assert health(elb) == before


def test_unused_says_why(account: Account, elb: Any) -> None:
    account.check(Outcome(status=200))
    one = account.instances["host-12"]
    elb.register_targets(TargetGroupArn=arn(elb, "orphan-lab"), Targets=[{"Id": one}])
    assert health(elb, "orphan-lab") == {(one, 5000): ("unused", "Target.NotInUse")}
    ec2 = account.client("ec2")
    ec2.stop_instances(InstanceIds=[one])
    account.reconciler.advance(time.time())
    assert health(elb)[one, 5000] == ("unused", "Target.InvalidState")
    assert account.plane.serving("web-lab") == {"10.88.0.11"}
    ec2.start_instances(InstanceIds=[one])
    account.reconciler.advance(time.time())
    assert health(elb)[one, 5000] == ("initial", "Elb.RegistrationInProgress")


def test_changes_of_a_group_count_at_once(account: Account, elb: Any) -> None:
    elb.modify_target_group(
        TargetGroupArn=arn(elb),
        HealthCheckIntervalSeconds=7,
        HealthCheckPath="/alive",
        Matcher={"HttpCode": "200-299"},
    )
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "0"}
    elb.modify_target_group_attributes(TargetGroupArn=arn(elb), Attributes=[delay])
    group = Moto().groups()["web-lab"]
    assert (group.checks.interval_seconds, group.checks.path) == (7, "/alive")
    assert (group.checks.matcher, group.delay_seconds) == ("200-299", 0)
    one = account.instances["host-11"]
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[{"Id": one}])
    assert (one, 5000) not in health(elb)


def test_a_check_from_before_a_drain_does_not_count_after_it(account: Account, elb: Any) -> None:
    checks = account.reconciler.due_checks(time.time())
    target = {"Id": account.instances["host-11"]}
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[target])
    elb.register_targets(TargetGroupArn=arn(elb), Targets=[target])
    for check in checks:
        account.reconciler.record(check, Outcome(status=200))
    assert health(elb)[target["Id"], 5000][0] == "initial"
    assert health(elb)[account.instances["host-12"], 5000][0] == "healthy"


def test_every_transition_is_written_down(account: Account, elb: Any) -> None:
    last = account.events.since(0)[-1].seq
    account.check(Outcome(status=200))
    one = account.instances["host-11"]
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[{"Id": one}])
    account.reconciler.advance(time.time() + 11)
    steps = [
        (event.as_dict()["from"], event.as_dict()["to"])
        for event in account.events.since(last)
        if (event.group, event.id, event.port) == ("web-lab", one, 5000)
    ]
    assert steps == [("initial", "healthy"), ("healthy", "draining"), ("draining", "unused")]


def test_calls_are_counted_by_operation(account: Account, elb: Any) -> None:
    health(elb)
    account.client("ec2").describe_instances()
    account.client("sts").get_caller_identity()
    counts = account.calls.counts()
    assert counts == {
        "DescribeTargetGroups": 1,
        "DescribeTargetHealth": 1,
        "DescribeInstances": 1,
        "GetCallerIdentity": 1,
    }


def test_throttled_calls_arrive_as_aws_s_error(account: Account, elb: Any) -> None:
    group = arn(elb)
    account.knobs.update({"throttle": True})
    answers = []
    for _ in range(40):
        try:
            elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": BOGUS}])
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])
    assert answers == ["ThrottlingException"] * 20
    assert account.client("ec2").describe_instances()["Reservations"]


def test_a_throttled_call_to_ec2_arrives_as_aws_s_error(account: Account) -> None:
    account.knobs.update({"throttle": True})
    ec2 = account.client("ec2")
    for _ in range(100):
        ec2.describe_instances()
    with pytest.raises(ClientError) as error:
        ec2.describe_instances()
    assert code(error) == "RequestLimitExceeded"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert account.calls.counts()["DescribeInstances"] == 101


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sts", "get_caller_identity"),
        ("elbv2", "describe_target_groups"),
        ("ec2", "describe_instances"),
        ("autoscaling", "describe_auto_scaling_instances"),
        ("ssm", "describe_parameters"),
        ("secretsmanager", "list_secrets"),
        ("s3", "list_buckets"),
    ],
)
def test_an_error_arrives_with_its_code_in_every_protocol(
    account: Account, service: str, operation: str
) -> None:
    account.knobs.update({"api_error": "ExpiredToken"})
    with pytest.raises(ClientError) as error:
        getattr(account.client(service), operation)()
    assert code(error) == "ExpiredToken"


@pytest.mark.parametrize("status", [200, 503])
def test_a_page_in_place_of_an_answer_comes_as_often_as_asked_for(
    account: Account, elb: Any, status: int
) -> None:
    """What botocore cannot read is no error of the service's, whatever its status."""
    page = {"action": "DescribeTargetHealth", "count": 2, "status": status}
    account.knobs.update({"api_html": page})
    assert elb.describe_target_groups()["TargetGroups"]
    for _ in range(2):
        with pytest.raises(ResponseParserError):
            health(elb)
    assert health(elb)
    assert account.knobs.as_dict()["api_html"] is None


def test_an_api_that_is_down_closes_connections_without_an_answer(
    account: Account, elb: Any
) -> None:
    account.knobs.update({"api_down": True})
    with pytest.raises(HTTPClientError):
        elb.describe_target_groups()
    account.knobs.update({"api_down": False})
    assert elb.describe_target_groups()["TargetGroups"]


def test_the_api_may_lag_behind_what_is_true(account: Account, elb: Any) -> None:
    one, _ = account.instances.values()
    account.knobs.update({"describe_lag_seconds": 30.0})
    elb.deregister_targets(TargetGroupArn=arn(elb), Targets=[{"Id": one, "Port": 5000}])
    assert health(elb).get((one, 5000), ("", None))[0] != "draining"
    account.knobs.update({"describe_lag_seconds": 0.0})
    assert health(elb)[one, 5000][0] == "draining"


def test_a_shifted_zone_gets_no_requests_and_its_targets_stay_healthy(
    account: Account, elb: Any
) -> None:
    account.check(Outcome(status=200))
    assert len(account.plane.serving("web-lab")) == 2
    account.knobs.update({"shifted_zone": ZONES[0]})
    account.reconciler.advance(time.time())
    assert account.plane.serving("web-lab") == set()
    listed = elb.describe_target_health(TargetGroupArn=arn(elb))["TargetHealthDescriptions"]
    assert {one["AdministrativeOverride"]["State"] for one in listed} == {"zonal_shift_active"}
    assert {one["TargetHealth"]["State"] for one in listed} == {"healthy"}
    account.knobs.update({"shifted_zone": None})
    account.reconciler.advance(time.time())
    assert len(account.plane.serving("web-lab")) == 2
