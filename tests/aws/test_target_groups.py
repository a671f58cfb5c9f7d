"""The load balancer's API: parsed, its errors translated once, its budget respected."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, cast

import boto3
import builders
import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)
from botocore.stub import Stubber

from deploy.aws import group_settings, target_groups
from deploy.aws.api.account import Account
from deploy.aws.health_poller import HealthPoller
from deploy.aws.registrar import Registrar
from deploy.aws.target_groups import Balancer
from deploy.aws.targets import GONE, Health, State, Target
from deploy.errors import (
    ApiError,
    BadInput,
    BalancerError,
    DeployError,
    LockLost,
    NotAllowed,
)
from lab.project import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.aws.targets import TargetGroup

ARN = builders.group().arn
NLB = builders.ALB.replace("/app/", "/net/")
ANSWER_SECONDS = 5.0
DESCRIBED = {
    "TargetGroupName": "web-lab",
    "TargetGroupArn": ARN,
    "Port": 5000,
    "TargetType": "instance",
    "ProtocolVersion": "HTTP1",
    "LoadBalancerArns": [builders.ALB],
    "HealthCheckPath": "/health",
    "HealthCheckPort": "traffic-port",
    "Matcher": {"HttpCode": "200-299"},
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "UnhealthyThresholdCount": 2,
}


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Balancer, Stubber]]:
    account = Account(builders.environment(aws={"region": "eu-west-1"}))
    client = boto3.client(
        "elbv2", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    monkeypatch.setattr(account, "_client", lambda _: client)
    with Stubber(client) as stubber:
        yield Balancer(account), stubber
        stubber.assert_no_pending_responses()


def attributes(**values: str) -> dict[str, Any]:
    return {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}


def test_a_groups_settings_are_read(stubbed: tuple[Balancer, Stubber]) -> None:
    asked, stubber = stubbed
    given = {
        "deregistration_delay.timeout_seconds": "10",
        "slow_start.duration_seconds": "30",
        "load_balancing.cross_zone.enabled": "false",
    }
    stubber.add_response(
        "describe_target_groups", {"TargetGroups": [DESCRIBED]}, {"Names": ["web-lab"]}
    )
    stubber.add_response(
        "describe_target_group_attributes", attributes(**given), {"TargetGroupArn": ARN}
    )
    assert asked.group("web-lab") == builders.group(
        matcher="200-299", slow_start_seconds=30.0, zonal=True
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "HTTP"),
        ({"Protocol": "HTTPS", "HealthCheckProtocol": "HTTPS"}, "HTTPS"),
        ({"HealthCheckProtocol": "HTTPS"}, "HTTPS"),
        ({"Protocol": "HTTPS", "HealthCheckProtocol": None}, "HTTPS"),
        ({"Protocol": "HTTPS", "HealthCheckProtocol": "HTTP"}, "HTTP"),
    ],
)
def test_how_the_check_asks_is_read(
    changes: dict[str, Any], expected: str, stubbed: tuple[Balancer, Stubber]
) -> None:
    asked, stubber = stubbed
    described = {key: value for key, value in (DESCRIBED | changes).items() if value is not None}
    stubber.add_response("describe_target_groups", {"TargetGroups": [described]})
    stubber.add_response("describe_target_group_attributes", attributes())
    assert asked.group("web-lab").health_protocol == expected


@pytest.mark.parametrize(
    ("changes", "version", "path", "matcher"),
    [
        ({}, "HTTP1", "/health", "200-299"),
        ({"ProtocolVersion": None}, "HTTP1", "/health", "200-299"),
        ({"ProtocolVersion": "HTTP2"}, "HTTP2", "/health", "200-299"),
        ({"ProtocolVersion": "HTTP2", "Matcher": None}, "HTTP2", "/health", "200"),
        ({"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "0-99"}}, "GRPC", "/health", "0-99"),
        (
            {"ProtocolVersion": "GRPC", "Matcher": None, "HealthCheckPath": None},
            "GRPC",
            "/AWS.ALB/healthcheck",
            "12",
        ),
    ],
)
def test_p11_the_protocol_and_what_counts_as_healthy_are_read(
    changes: dict[str, Any],
    version: str,
    path: str,
    matcher: str,
    stubbed: tuple[Balancer, Stubber],
) -> None:
    """Refused before: a group of version GRPC."""
    asked, stubber = stubbed
    described = {key: value for key, value in (DESCRIBED | changes).items() if value is not None}
    stubber.add_response("describe_target_groups", {"TargetGroups": [described]})
    stubber.add_response("describe_target_group_attributes", attributes())
    found = asked.group("web-lab")
    assert (found.protocol_version, found.health_path, found.matcher) == (version, path, matcher)


@pytest.mark.parametrize(
    ("version", "expect", "is_good"),
    [
        ("HTTP1", "200-299", True),
        ("HTTP2", "204", True),
        ("GRPC", "0,12", True),
        ("GRPC", None, True),
        ("GRPC", "200", False),
        ("HTTP1", "12", False),
        ("HTTP2", "0-99", False),
    ],
)
def test_p8_codes_in_the_settings_fit_the_groups_protocol(
    version: str, expect: str | None, *, is_good: bool
) -> None:
    app = builders.app(health={"expect": expect})
    groups = {"web": (builders.group(protocol_version=version),)}
    if is_good:
        group_settings.refuse_expect([app, builders.worker()], groups | {"jobs": ()})
        return
    said = f"app web: `health: expect:` does not fit target group web-lab of version {version}: "
    with pytest.raises(BadInput, match=said):
        group_settings.refuse_expect([app], groups)


def test_p10_the_agent_of_target_optimizer_is_a_proxy() -> None:
    """It takes the group's requests on each host; an app on its port would take its place."""
    groups = {"web": (builders.group(control_port=3000),), "jobs": ()}
    said = "web-lab has the target control port 3000.*such as 5000, as `target_port:`"
    with pytest.raises(BadInput, match=said):
        group_settings.refuse_agent([builders.app(), builders.worker()], groups)
    behind = builders.app("web", 8080, target_port=5000)
    group_settings.refuse_agent([behind, builders.worker()], groups)
    group_settings.refuse_agent([builders.app()], {"web": (builders.group(),)})


ROUTING = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
FAILOVER = "target_group_health.dns_failover.minimum_healthy_targets"


@pytest.mark.parametrize(
    ("given", "registered", "fewest"),
    [
        ({}, 10, 1),
        ({f"{ROUTING}.count": "3", f"{ROUTING}.percentage": "off"}, 10, 3),
        ({f"{ROUTING}.count": "off", f"{ROUTING}.percentage": "50"}, 9, 5),
        ({f"{ROUTING}.count": "2", f"{ROUTING}.percentage": "50"}, 2, 2),
        ({f"{ROUTING}.percentage": "100"}, 7, 7),
        ({f"{FAILOVER}.count": "2"}, 10, 2),
        ({f"{FAILOVER}.count": "off", f"{FAILOVER}.percentage": "off"}, 10, 1),
        ({f"{FAILOVER}.count": "2", f"{ROUTING}.count": "3"}, 10, 3),
        ({f"{FAILOVER}.count": "3", f"{ROUTING}.count": "2"}, 10, 3),
        ({f"{FAILOVER}.percentage": "50", f"{ROUTING}.percentage": "20"}, 10, 5),
        ({f"{FAILOVER}.percentage": "20", f"{ROUTING}.count": "3"}, 20, 4),
    ],
)
def test_p10_what_keeps_a_group_from_failing_open_and_a_zone_in_dns_is_read(
    given: dict[str, str], registered: int, fewest: int, stubbed: tuple[Balancer, Stubber]
) -> None:
    asked, stubber = stubbed
    stubber.add_response("describe_target_groups", {"TargetGroups": [DESCRIBED]})
    stubber.add_response("describe_target_group_attributes", attributes(**given))
    assert asked.group("web-lab").fewest(registered) == fewest


def test_a_group_may_be_named_by_arn_and_defaults_are_awss(
    stubbed: tuple[Balancer, Stubber],
) -> None:
    asked, stubber = stubbed
    bare = {key: value for key, value in DESCRIBED.items() if key not in {"Matcher", "TargetType"}}
    stubber.add_response(
        "describe_target_groups", {"TargetGroups": [bare]}, {"TargetGroupArns": [ARN]}
    )
    stubber.add_response("describe_target_group_attributes", attributes())
    found = asked.group(ARN)
    assert (found.matcher, found.delay_seconds, found.target_type) == ("200", 300.0, "instance")
    assert not found.zonal


def test_a_group_that_does_not_exist_names_the_region(stubbed: tuple[Balancer, Stubber]) -> None:
    asked, stubber = stubbed
    stubber.add_client_error("describe_target_groups", "TargetGroupNotFound")
    with pytest.raises(BadInput) as refused:
        asked.group("wbe-lab")
    assert str(refused.value) == (
        "target group 'wbe-lab' does not exist in region eu-west-1 of this account; check "
        "`target_group:` and the region under `aws:`"
    )


def test_a_group_without_a_load_balancer_is_refused(stubbed: tuple[Balancer, Stubber]) -> None:
    asked, stubber = stubbed
    orphan = DESCRIBED | {"LoadBalancerArns": []}
    stubber.add_response("describe_target_groups", {"TargetGroups": [orphan]})
    with pytest.raises(BadInput, match="'web-lab' belongs to no load balancer"):
        asked.group("web-lab")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"TargetType": "lambda", "Port": None, "Protocol": None}, "is of type lambda"),
        ({"TargetType": "alb", "Protocol": "TCP"}, "is of type alb"),
        ({"Protocol": "TCP", "LoadBalancerArns": [NLB]}, "protocol TCP at net/edge/1"),
        ({"Protocol": "GENEVE", "LoadBalancerArns": [NLB]}, "has the protocol GENEVE"),
        ({"LoadBalancerArns": [builders.ALB, NLB]}, "has the protocol HTTP at net/edge/1"),
        ({"ProtocolVersion": "HTTP3"}, "checks its targets over HTTP of version HTTP3, which Ch"),
        ({"HealthCheckProtocol": "TCP"}, "checks its targets over TCP, which Changeover cannot"),
        (
            {"ProtocolVersion": "GRPC", "HealthCheckProtocol": "TCP"},
            "checks its targets over TCP, which Changeover cannot ask",
        ),
    ],
)
def test_a_group_that_we_cannot_deploy_to_or_prove_for_is_refused_by_name(
    stubbed: tuple[Balancer, Stubber], changes: dict[str, Any], said: str
) -> None:
    asked, stubber = stubbed
    given = {key: value for key, value in (DESCRIBED | changes).items() if value is not None}
    stubber.add_response("describe_target_groups", {"TargetGroups": [given]})
    with pytest.raises(BadInput) as refused:
        asked.group("web-lab")
    assert "target group 'web-lab'" in str(refused.value)
    assert said in str(refused.value)


def test_health_is_asked_for_all_targets_at_once_with_their_anomalies(
    stubbed: tuple[Balancer, Stubber],
) -> None:
    asked, stubber = stubbed
    answer = [
        {
            "Target": {"Id": "i-1", "Port": 5000},
            "TargetHealth": {"State": "healthy"},
            "AnomalyDetection": {"Result": "anomalous", "MitigationInEffect": "no"},
        },
        {
            "Target": {"Id": "i-2"},
            "TargetHealth": {
                "State": "unused",
                "Reason": "Target.NotInUse",
                "Description": "No listener",
            },
        },
        {"Target": {"Id": "i-3", "Port": 5001}, "TargetHealth": {"State": "a new one"}},
    ]
    stubber.add_response(
        "describe_target_health",
        {"TargetHealthDescriptions": answer},
        {"TargetGroupArn": ARN, "Include": ["AnomalyDetection"]},
    )
    found = asked.health(builders.group())
    assert found == {
        Target("i-1", 5000): Health(State.HEALTHY, is_anomalous=True),
        Target("i-2", 5000): Health(State.UNUSED, "Target.NotInUse", "No listener"),
        Target("i-3", 5001): Health(State.UNAVAILABLE),
    }
    assert found[Target("i-2", 5000)].is_hopeless


def test_writes_name_id_and_port(stubbed: tuple[Balancer, Stubber]) -> None:
    asked, stubber = stubbed
    expected = {
        "TargetGroupArn": ARN,
        "Targets": [{"Id": "i-1", "Port": 5000}, {"Id": "i-2", "Port": 5000}],
    }
    stubber.add_response("register_targets", {}, expected)
    stubber.add_response("deregister_targets", {}, expected)
    both = {Target("i-2", 5000), Target("i-1", 5000)}
    asked.register(builders.group(), both)
    asked.deregister(builders.group(), both)


NOBODY = {
    "TargetGroupArn": builders.group().arn,
    "Targets": [{"Id": "i-00000000000000000", "Port": builders.group().port}],
}


def test_p10_a_group_whose_targets_may_not_be_registered_is_known_before_one_leaves(
    stubbed: tuple[Balancer, Stubber],
) -> None:
    asked, stubber = stubbed
    stubber.add_client_error("register_targets", "AccessDenied", "no", expected_params=NOBODY)
    with pytest.raises(NotAllowed, match="not allowed: no"):
        asked.confirm_registration(builders.group())


@pytest.mark.parametrize("code", ["InvalidTarget", "ValidationError", "Throttling"])
def test_control_another_refusal_of_a_target_that_cannot_exist_forbids_nothing(
    code: str, stubbed: tuple[Balancer, Stubber]
) -> None:
    asked, stubber = stubbed
    stubber.add_client_error("register_targets", code, "no", expected_params=NOBODY)
    asked.confirm_registration(builders.group())


def test_an_api_that_registers_a_target_that_cannot_exist_loses_it_again(
    stubbed: tuple[Balancer, Stubber],
) -> None:
    asked, stubber = stubbed
    stubber.add_response("register_targets", {}, NOBODY)
    stubber.add_response("deregister_targets", {}, NOBODY)
    asked.confirm_registration(builders.group())
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("ExpiredToken", BadInput, "refuses the credentials: ExpiredToken: said; renew them"),
        ("InvalidClientTokenId", BadInput, "refuses the credentials: InvalidClientTokenId"),
        (
            "AccessDenied",
            BadInput,
            "not allowed: said; docs/permissions.md in Changeover's repository has",
        ),
        ("Throttling", ApiError, "Throttling: said"),
        ("InternalFailure", ApiError, "InternalFailure: said"),
    ],
)
def test_awss_errors_are_translated_once(
    code: str, kind: type[DeployError], expected: str, stubbed: tuple[Balancer, Stubber]
) -> None:
    asked, stubber = stubbed
    stubber.add_client_error("describe_target_health", code, "said")
    with pytest.raises(kind) as refused:
        asked.health(builders.group())
    start = "AWS (elbv2.describe_target_health, region eu-west-1)"
    assert str(refused.value).startswith(start)
    assert expected in str(refused.value)
    assert refused.value.__cause__ is not None


@pytest.mark.parametrize(
    ("raised", "aws", "kind", "expected"),
    [
        (NoCredentialsError(), {}, BadInput, "no AWS credentials: log in with `aws sso login`"),
        (
            PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            {},
            BadInput,
            "incomplete: AWS_SECRET_ACCESS_KEY is missing (env)",
        ),
        (NoRegionError(), {}, BadInput, "no AWS region: set `region:` under `aws:`"),
        (UnauthorizedSSOTokenError(), {}, BadInput, "run `aws sso login`"),
        (
            UnauthorizedSSOTokenError(),
            {"profile": "prod"},
            BadInput,
            "for profile 'prod' is over: run `aws sso login --profile prod`",
        ),
        (FileNotFoundError(2, "x", "helper"), {}, BadInput, "~/.aws/config, and the variables"),
        (
            JSONDecodeError("Expecting value", "no JSON", 0),
            {},
            BadInput,
            "the profile's `credential_process` printed no JSON",
        ),
        (ValueError("Invalid endpoint: foo"), {}, BadInput, "Invalid endpoint: foo; check `aws:`"),
        (SSOTokenLoadError(error_msg="x"), {}, BadInput, "run `aws sso login`"),
        (ProfileNotFound(profile=""), {}, BadInput, "AWS_PROFILE is set and empty: unset it"),
        (ProfileNotFound(profile="prod"), {}, BadInput, "'prod' does not exist; `aws configure"),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            {"endpoint_url": "http://127.0.0.1:1"},
            BadInput,
            "the AWS API at http://127.0.0.1:1 does not answer; if this is the lab, start it with "
            "`inv lab.up`",
        ),
        (
            ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"),
            {"endpoint_url": "http://127.0.0.1:1"},
            BadInput,
            "does not answer",
        ),
        (EndpointConnectionError(endpoint_url="https://x"), {}, ApiError, "Could not connect"),
        (ReadTimeoutError(endpoint_url="https://x"), {}, ApiError, "Read timeout"),
    ],
)
def test_botocores_errors_are_translated_too(
    raised: Exception,
    aws: dict[str, str],
    kind: type[DeployError],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(builders.environment(aws={"region": "eu-west-1"} | aws))

    def fail(_: str) -> Any:
        raise raised

    monkeypatch.setattr(account, "_client", fail)
    for attempt in (
        lambda: account.call("elbv2", "describe_target_groups"),
        lambda: list(account.items("ec2", "describe_instances", "Reservations")),
    ):
        with pytest.raises(kind) as refused:
            attempt()
        assert expected in str(refused.value)
        assert refused.value.__cause__ is raised


@pytest.mark.parametrize("region", [{}, {"region": "eu-west-1"}])
def test_a_profile_that_does_not_exist_is_told_by_name(
    region: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    account = Account(builders.environment(aws={"profile": "nobody"} | region))
    with pytest.raises(BadInput, match="AWS profile 'nobody' does not exist"):
        account.verify()


class Answering(BaseHTTPRequestHandler):
    """An API that answers each call once, with the next of the server's codes."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        heard, codes = cast("Any", self.server).heard, cast("Any", self.server).codes
        heard.append(asked.partition("&")[0])
        action = heard[-1].partition("=")[2]
        result = f"<{action}Result><TargetHealthDescriptions/></{action}Result>"
        body = f"<{action}Response>{result}</{action}Response>".encode()
        self.send_response(codes.pop(0))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Account, Any]]:
    """An account whose API notes each call that reaches it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.heard, server.codes = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    yield (
        Account(builders.environment(aws={"region": "eu-west-1", "endpoint_url": endpoint})),
        server,
    )
    server.shutdown()
    thread.join()
    server.server_close()


def test_p5_nothing_is_written_once_the_lock_is_lost_not_even_a_second_try(
    api: tuple[Account, Any],
) -> None:
    """A workstation that slept may wake up between any look at the lock and the call."""
    account, server = api
    asked, group, target = Balancer(account), builders.group(), Target("i-1", 5000)

    def lost() -> None:
        raise LockLost("another deploy took it over")

    server.codes[:] = [200, 200]
    asked.deregister(group, [target])
    account.confirm = lost
    for write in (asked.register, asked.deregister):
        with pytest.raises(LockLost, match="took it over"):
            write(group, [target])
    asked.health(group)
    assert server.heard == ["Action=DeregisterTargets", "Action=DescribeTargetHealth"]

    tries: list[str] = []

    def lost_meanwhile() -> None:
        tries.append("confirmed")
        if len(tries) > 1:
            lost()

    account.confirm = lost_meanwhile
    server.codes[:] = [503, 200]
    with pytest.raises(LockLost):
        asked.register(group, [target])
    assert server.heard[2:] == ["Action=RegisterTargets"]


def test_an_api_that_cannot_be_reached_at_the_door_is_bad_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = Account(builders.environment(aws={"region": "eu-wset-1"}))

    def fail(_: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sts.eu-wset-1")

    monkeypatch.setattr(account, "_client", fail)
    with pytest.raises(BadInput, match="check the region under `aws:`"):
        account.verify()


@pytest.mark.parametrize(
    ("health", "hopeless", "receives"),
    [
        (Health(State.HEALTHY), False, True),
        (Health(State.INITIAL, "Elb.RegistrationInProgress"), False, True),
        (Health(State.UNHEALTHY, "Target.Timeout"), False, True),
        (Health(State.UNAVAILABLE, "Target.HealthCheckDisabled"), True, True),
        (Health(State.UNUSED, "Target.InvalidState"), True, False),
        (Health(State.UNUSED, "Target.IpUnusable"), True, False),
        (Health(State.DRAINING, "Target.DeregistrationInProgress"), False, False),
        (GONE, False, False),
    ],
    ids=str,
)
def test_state_and_reason_decide(health: Health, hopeless: bool, receives: bool) -> None:
    assert (health.is_hopeless, health.may_receive) == (hopeless, receives)


class Fake:
    """A balancer that counts its calls, and answers, waits or fails as told."""

    def __init__(self) -> None:
        self.polls = 0
        self.writes: list[tuple[str, set[Target]]] = []
        self.error: DeployError | None = None
        self.healths: dict[Target, Health] = {Target("i-1", 5000): Health(State.HEALTHY)}

    def health(self, group: TargetGroup) -> dict[Target, Health]:
        del group
        self.polls += 1
        if self.error:
            raise self.error
        return dict(self.healths)

    def register(self, group: TargetGroup, targets: Iterable[Target]) -> None:
        self._write("register", group, targets)

    def deregister(self, group: TargetGroup, targets: Iterable[Target]) -> None:
        self._write("deregister", group, targets)

    def _write(self, action: str, group: TargetGroup, targets: Iterable[Target]) -> None:
        self.writes.append((f"{action} {group.name}", set(targets)))
        if self.error:
            raise self.error


def fed(fake: Fake, tick_seconds: float) -> HealthPoller:
    return HealthPoller(cast("Balancer", fake), [builders.group()], tick_seconds)


def test_one_call_feeds_everybody_who_waits() -> None:
    fake, group = Fake(), builders.group()
    with fed(fake, 0.5) as poller, ThreadPoolExecutor(50) as pool:
        moment = time.monotonic() + 0.1
        found = list(pool.map(lambda _: poller.after(group, moment, ANSWER_SECONDS), range(50)))
    assert fake.polls <= 2
    assert all(reading and reading.at >= moment for reading in found)
    assert all(
        reading and reading.of(Target("i-1", 5000)).state is State.HEALTHY for reading in found
    )
    assert all(reading and reading.of(Target("i-9", 5000)) == GONE for reading in found)


def test_a_deadline_is_polled_out_of_turn() -> None:
    """Once nobody waited for some ticks, so that a call was saved."""
    fake, group, tick_seconds = Fake(), builders.group(), 0.3
    with fed(fake, tick_seconds) as poller:
        until("an idle poll", lambda: fake.polls > 1)
        moment = time.monotonic() + 0.02
        reading = poller.after(group, moment, ANSWER_SECONDS)
        assert reading is not None
        assert reading.at - moment < tick_seconds / 2


def test_polls_are_no_more_than_the_tick_asks_for() -> None:
    fake, group = Fake(), builders.group()
    with fed(fake, 60.0) as poller:
        assert poller.after(group, 0.0, ANSWER_SECONDS)
        for _ in range(5):
            assert poller.latest(group)
        assert fake.polls == 1


def test_polls_out_of_turn_are_paid_from_those_that_were_not_made() -> None:
    """However many hosts have deadlines of their own, it is a call per tick on the whole."""
    fake, group, tick_seconds = Fake(), builders.group(), 0.05
    began = time.monotonic()
    with fed(fake, tick_seconds) as poller, ThreadPoolExecutor(8) as pool:

        def wait(number: int) -> None:
            for turn in range(40):
                moment = began + (turn + number / 8) * 0.02
                assert poller.after(group, moment, ANSWER_SECONDS)

        list(pool.map(wait, range(8)))
        ticks = (time.monotonic() - began) / tick_seconds
        polls = fake.polls
    assert polls <= ticks + 1
    assert polls > ticks / 2, "and those who wait are not left waiting"


def test_an_error_reaches_those_who_wait_and_passes() -> None:
    fake, group = Fake(), builders.group()
    fake.error = BalancerError("throttled")
    with fed(fake, 0.05) as poller:
        with pytest.raises(BalancerError, match="throttled"):
            poller.after(group, time.monotonic(), ANSWER_SECONDS)
        fake.error = None
        end = time.monotonic() + ANSWER_SECONDS
        while poller.latest(group) is None and time.monotonic() < end:
            threading.Event().wait(0.01)
        assert poller.after(group, time.monotonic(), ANSWER_SECONDS)


def test_a_silent_api_is_none_and_closing_frees_those_who_wait() -> None:
    class Hanging(Fake):
        def __init__(self) -> None:
            super().__init__()
            self.go = threading.Event()

        def health(self, group: TargetGroup) -> dict[Target, Health]:
            assert self.go.wait(ANSWER_SECONDS)
            return super().health(group)

    fake, group = Hanging(), builders.group()
    with ThreadPoolExecutor(1) as pool:
        with fed(fake, 0.1) as poller:
            assert poller.latest(group) is None
            assert poller.after(group, time.monotonic(), 0.05) is None
            waiting = pool.submit(poller.after, group, time.monotonic() + 60, 60.0)
            fake.go.set()
        assert waiting.result(ANSWER_SECONDS) is None


def submit(fake: Fake, count: int, action: str = "deregister") -> list[Exception | None]:
    """So many hosts ask at the same moment; what each was told."""
    registrar, group = Registrar(cast("Balancer", fake)), builders.group()
    together = threading.Barrier(count)

    def ask(number: int) -> Exception | None:
        together.wait(ANSWER_SECONDS)
        try:
            getattr(registrar, action)(group, Target(f"i-{number}", 5000))
        except DeployError as error:
            return error
        return None

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


@pytest.mark.parametrize("action", ["register", "deregister"])
def test_hosts_that_act_together_cost_one_call(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registrar, "GATHER_SECONDS", 0.4)
    fake = Fake()
    assert submit(fake, 20, action) == [None] * 20
    assert fake.writes == [(f"{action} web-lab", {Target(f"i-{n}", 5000) for n in range(20)})]


def test_a_failed_call_reaches_every_host_it_was_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registrar, "GATHER_SECONDS", 0.4)
    fake = Fake()
    fake.error = ApiError("throttled", "Throttling", may_pass=True)
    found = submit(fake, 5)
    assert len(fake.writes) == 1
    assert [str(error) for error in found] == [
        f"deregister i-{number}:5000 (web-lab): throttled" for number in range(5)
    ]


def test_p5_a_lost_lock_is_told_to_every_host_that_waits_at_the_desk() -> None:
    fake = Fake()
    fake.error = LockLost("another deploy took it over")
    assert [type(error) for error in submit(fake, 3)] == [LockLost] * 3


def test_the_desk_works_again_after_a_failure() -> None:
    fake = Fake()
    registrar, group, target = (
        Registrar(cast("Balancer", fake)),
        builders.group(),
        Target("i-1", 5000),
    )
    fake.error = ApiError("throttled", "Throttling", may_pass=True)
    with pytest.raises(BalancerError):
        registrar.register(group, target)
    fake.error = None
    registrar.register(group, target)
    registrar.deregister(group, target)
    assert [action for action, _ in fake.writes] == [
        "register web-lab",
        "register web-lab",
        "deregister web-lab",
    ]


def test_parsing_is_pure() -> None:
    assert target_groups.parse_health([], 5000) == {}


def test_an_endpoint_from_the_surroundings_may_not_be_in_clear_text_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://10.0.0.1:1")
    account = Account(builders.environment(aws={"region": "eu-west-1"}))
    with pytest.raises(BadInput, match="would send credentials in clear text"):
        account.verify()


@pytest.mark.parametrize(
    ("given", "serves", "said"),
    [
        ({}, True, "healthy"),
        ({"AdministrativeOverride": {"State": "no_override"}}, True, "healthy"),
        ({"AdministrativeOverride": {"State": "unknown"}}, True, "healthy"),
        ({"AdministrativeOverride": {"State": "of another year"}}, True, "healthy"),
        (
            {"AdministrativeOverride": {"State": "zonal_shift_active"}},
            False,
            "healthy (its zone is shifted away)",
        ),
        ({"AdministrativeOverride": {"State": "zonal_shift_delegated_to_dns"}}, False, "healthy ("),
        ({"AnomalyDetection": {"Result": "anomalous"}}, True, "healthy (anomalous)"),
        ({"AnomalyDetection": {"Result": "normal"}}, True, "healthy"),
    ],
)
def test_a_target_in_a_shifted_zone_serves_nobody(
    given: dict[str, Any], serves: bool, said: str
) -> None:
    description = {"Target": {"Id": "i-1"}, "TargetHealth": {"State": "healthy"}} | given
    (health,) = target_groups.parse_health([description], 80).values()
    assert health.serves is serves
    assert str(health).startswith(said)
