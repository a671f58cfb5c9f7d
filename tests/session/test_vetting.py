"""What speaks against a plan beyond the hosts' own facts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import builders
import pytest
import run_entries
from builders import HEALTHY
from documents import PaperAccount, examples

from deploy.aws.api import lifetime
from deploy.aws.targets import GONE, ProtocolVersion, Target
from deploy.errors import BadInput, Unreachable
from deploy.hosts.probe.request import Reply, Request
from deploy.plan import assembly
from deploy.plan.plan import MARGIN_SECONDS, Plan
from deploy.recovery import longest_path
from deploy.session import vetting
from deploy.survey import foreign_targets
from deploy.survey.facts import HostFacts


def plan() -> Plan:
    """A plan with one host to deploy to."""
    web, hosts = builders.app(), [builders.facts(1, {"web": builders.slot()})]
    seen = builders.survey(hosts)
    offers = (builders.offer(web, seen.hosts),)
    return assembly.make(builders.environment(), offers, seen, allow_downtime=True)


def test_p10_a_plan_asks_once_for_each_of_its_groups_whether_hosts_can_be_put_in_again() -> None:
    asked: list[str] = []
    balancer = cast(
        "Any", SimpleNamespace(confirm_registration=lambda group: asked.append(group.name))
    )
    groups = builders.survey([builders.facts(1)]).groups
    vetting.confirm_registration(plan(), groups, balancer)
    assert asked == ["web-lab"]
    vetting.confirm_registration(replace(plan(), batches=()), groups, balancer)
    assert asked == ["web-lab"], "a plan that puts nothing in needs no permission"


def test_p10_groups_of_the_hosts_own_vpc_are_looked_at_too() -> None:
    """The environment's group may be in another one, with its targets by address."""
    facts = builders.facts(1)
    near = replace(facts, host=replace(facts.host, vpc="vpc-of-hosts"))
    seen = builders.survey([near], vpc="vpc-of-balancer")
    (group,) = examples("DescribeTargetGroups")[0]["TargetGroups"]
    target = {"Target": {"Id": near.host.instance_id, "Port": 5000}}
    healthy = target | {"TargetHealth": {"State": "healthy"}}
    for vpc, count in (("vpc-of-hosts", 1), ("vpc-of-balancer", 1), ("vpc-3", 0)):
        account = PaperAccount(
            DescribeTargetGroups=[{"TargetGroups": [group | {"VpcId": vpc}]}],
            DescribeTargetHealth=[{"TargetHealthDescriptions": [healthy]}],
        )
        found = vetting._other_targets(seen, builders.environment(), account)
        assert len(found) == count


@pytest.mark.parametrize("other_groups", ["ignore", "refuse"])
def test_p1_a_host_behind_a_proxy_gets_one_line_of_advice(other_groups: str) -> None:
    """Neither to put the app's own port in beside, nor to accept that requests fail."""
    host = builders.host()
    seen = builders.survey([builders.facts(1, {"web": builders.slot()})], {"host-1": GONE})
    seen.health[builders.group().arn][Target(host.instance_id, 80)] = HEALTHY
    environment = builders.environment(other_groups=other_groups)
    account = PaperAccount(DescribeTargetGroups=[{"TargetGroups": []}])
    _, problems = vetting.vetted(
        seen, environment, account, {"host-1": cast("Any", Silent())}, join=False
    )
    ((name, lines),) = problems.items()
    assert (name, len(lines)) == ("host-1", 1)
    assert "set `target_port: 80` for web" in lines[0]


def of_vpc(number: int, vpc: str) -> HostFacts:
    facts = builders.facts(number, {"web": builders.slot()})
    return replace(facts, host=replace(facts.host, vpc=vpc))


@pytest.mark.parametrize("kind", ["hosts", "left_out", "asked"])
def test_p10_a_host_of_another_vpc_is_refused_by_name_for_a_group_of_instances(kind: str) -> None:
    """AWS would refuse it after its release was staged, started and proven."""
    far = of_vpc(2, "vpc-other")
    seen = builders.survey([of_vpc(1, "vpc-ours")], vpc="vpc-ours")
    given: dict[str, Any] = {
        "hosts": (*seen.hosts, far),
        "left_out": {far.host: "x"},
        "asked": (far.host,),
    }
    seen = replace(seen, **{kind: given[kind]})
    with pytest.raises(BadInput) as refused:
        vetting.vetted(seen, builders.environment(), cast("Any", None), {}, join=False)
    assert str(refused.value) == (
        f"host-2 ({far.host.instance_id}) is in vpc-other, and target group web-lab takes "
        "instances of vpc-ours alone; check `hosts:`, or leave it out with --skip-host host-2"
    )


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("vpc-ours", {"vpc": "vpc-ours"}),
        ("", {"vpc": "vpc-ours"}),
        ("vpc-ours", {"vpc": ""}),
        ("vpc-other", {"vpc": "vpc-ours", "target_type": "ip"}),
    ],
)
def test_hosts_that_a_group_takes_are_not_refused(host: str, group: dict[str, Any]) -> None:
    foreign_targets.refuse_other_vpcs(builders.survey([of_vpc(1, host)], **group))


def test_p10_a_host_that_the_command_is_not_about_may_be_of_another_vpc() -> None:
    seen = builders.survey([of_vpc(1, "vpc-ours")], vpc="vpc-ours")
    others = (of_vpc(2, "vpc-other").host,)
    foreign_targets.refuse_other_vpcs(replace(seen, other_hosts=others))


@pytest.mark.parametrize(("accepted", "is_refused"), [((), True), ((9000,), False)])
def test_p10_other_groups_ignore_still_sees_other_ports_in_the_own_group(
    accepted: tuple[int, ...], *, is_refused: bool
) -> None:
    """No call is needed for that: no account is there to be asked."""
    seen = builders.survey([builders.facts(1, {"web": builders.slot()})])
    for (group,) in seen.groups.values():
        seen.health[group.arn][Target(seen.hosts[0].host.instance_id, 9000)] = HEALTHY
    environment = builders.environment(other_groups="ignore", other_ports=accepted)
    remotes = cast("Any", {"host-1": PaperHost()})
    seen, problems = vetting.vetted(seen, environment, cast("Any", None), remotes, join=False)
    assert bool(problems.get("host-1")) is is_refused
    assert any("with port 9000; that is not drained" in each for each in seen.notes) is bool(
        accepted
    )
    assert "other_groups: ignore: whether others send requests was not looked at" in seen.notes


def test_a_plan_that_the_credentials_do_not_last_for_is_refused() -> None:
    """Its recovery counts: more than ten minutes where the plan itself waits half of one."""
    made, groups = plan(), {"web": (builders.group(),)}
    needed = longest_path.of_plan(made.batches, groups, made.window) + MARGIN_SECONDS
    assert needed > made.seconds + 600
    vetting.refuse_late(made, groups, None)
    vetting.refuse_late(made, groups, needed)
    vetting.refuse_late(replace(made, staging=(), batches=()), groups, 0)
    said = (
        rf"^the AWS credentials end in \d+ min, and the plan may need them for {needed / 60:.0f} "
    )
    with pytest.raises(BadInput, match=said):
        vetting.refuse_late(made, groups, needed - 1)


def test_a_token_whose_end_is_not_known_is_a_line_of_the_plan() -> None:
    made = plan()
    said = "Warning: it is not known when the AWS session token ends"
    assert run_entries.printed(vetting.noted(made, lifetime.UNKNOWN)).count(said) == 1
    assert vetting.noted(made, lifetime.RENEWED) == made
    nothing = replace(made, batches=(), staging=())
    assert vetting.noted(nothing, lifetime.UNKNOWN) == nothing


class Silent:
    """A host that answers no question."""

    def ask(self, script: object, seconds: float) -> None:
        del script, seconds
        raise Unreachable("host-1: no answer")


class PaperHost(Silent):
    """A host whose service answers 200 over HTTP/2, and whose sshd forwards or does not."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open

    def probe(self, request: Request, seconds: float) -> Reply:
        del seconds
        return Reply(200, request.version)

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        del place, seconds
        return self.is_open


@pytest.mark.parametrize(("version", "count"), [("HTTP2", 1), ("HTTP1", 0)])
def test_p11_the_plan_says_how_what_serves_answered_an_http2_group(
    version: str, count: int
) -> None:
    web, hosts = builders.app(), [builders.facts(1, {"web": builders.slot()})]
    seen = builders.survey(hosts, protocol_version=version)
    environment = builders.environment(other_groups="ignore")
    remotes = cast("Any", {"host-1": PaperHost()})
    seen, problems = vetting.vetted(seen, environment, cast("Any", None), remotes, join=False)
    assert problems == {}
    offers = (builders.offer(web, seen.hosts),)
    made = assembly.make(environment, offers, seen, allow_downtime=True)
    shown = run_entries.printed(made, is_full=True)
    assert (
        shown.count("web-lab speaks HTTP/2: what serves answers its question over HTTP/2") == count
    )
    how = " over HTTP/2" if version == "HTTP2" else ""
    assert f"GET :5000/health{how} gives 200" in shown


def test_p10_a_host_that_cannot_be_asked_a_grpc_question_is_a_problem_of_that_host() -> None:
    seen = builders.survey(protocol_version=ProtocolVersion.GRPC, matcher="0-99")
    environment = builders.environment(other_groups="ignore")
    remotes = cast("Any", {"host-1": PaperHost(is_open=False)})
    _, problems = vetting.vetted(seen, environment, cast("Any", None), remotes, join=False)
    ((name, (problem,)),) = problems.items()
    assert (name, "AllowTcpForwarding local" in problem) == ("host-1", True)
