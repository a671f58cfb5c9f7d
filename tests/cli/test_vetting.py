"""What speaks against a plan beyond the hosts' own facts."""

from __future__ import annotations

import builders
import pytest

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


def test_a_plan_that_the_credentials_do_not_last_for_is_refused() -> None:
    made = plan()
    needed = made.seconds + description.MARGIN_SECONDS
    vetting.refuse_late(made, None)
    vetting.refuse_late(made, needed)
    with pytest.raises(BadInput, match=r"^the AWS credentials end in 1 min, and the plan takes"):
        vetting.refuse_late(made, needed - 1)
