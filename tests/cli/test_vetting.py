"""What speaks against a plan beyond the hosts' own facts."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from documents import PaperAccount, examples

from deploy.cli import vetting
from deploy.errors import BadInput
from deploy.plan import assembly, description
from deploy.plan.plan import Plan


def plan() -> Plan:
    """A plan with one host to deploy to."""
    web, hosts = builders.app(), [builders.facts(1, {"web": builders.slot()})]
    seen = builders.survey(hosts)
    offers = (builders.offer(web, seen.hosts),)
    return assembly.make(builders.environment(), offers, seen, allow_downtime=True)


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


def test_a_plan_that_the_credentials_do_not_last_for_is_refused() -> None:
    made = plan()
    needed = made.seconds + description.MARGIN_SECONDS
    vetting.refuse_late(made, None)
    vetting.refuse_late(made, needed)
    with pytest.raises(BadInput, match=r"^the AWS credentials end in 1 min, and the plan takes"):
        vetting.refuse_late(made, needed - 1)
