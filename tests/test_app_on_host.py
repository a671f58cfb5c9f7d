"""One app on one host: both slots, and targets in as many groups as the app has."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from builders import HEALTHY, NEW, OLD, UNHEALTHY

from deploy.aws.targets import GONE, Health, State
from deploy.hosts.records import Record
from deploy.survey.app_on_host import AppOnHost, Membership, is_mixed
from deploy.survey.slot import Slot, UnitState

DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
LEGACY = UnitState("loaded", "active", "running", "enabled")


def on_host(*states: Health, used: Slot | None = None, spare: Slot | None = None) -> AppOnHost:
    """Web in two slots; with a target of these states in as many groups, or in one, healthy."""
    web = builders.app("web", 5000, 5001, replaces="legacy.service")
    facts = builders.facts(1, {"web": used or builders.slot()}, spares={"web": spare or Slot()})
    on = builders.survey([facts], apps=[web]).on(facts.host, web)
    (member,) = on.memberships
    groups = [builders.group(f"web-{number}", target_type="ip") for number in range(len(states))]
    members = [
        Membership(group, member.target, state) for group, state in zip(groups, states, strict=True)
    ]
    return replace(on, memberships=tuple(members)) if members else on


def test_an_app_is_known_in_the_slot_in_use_and_in_the_other_one() -> None:
    on = on_host(spare=builders.slot(NEW))
    assert (on.unit_name, on.slot.link, on.is_first) == ("web@5000.service", OLD, True)
    assert on.spare
    assert (on.spare.unit_name, on.spare.slot.link, on.spare.is_first) == (
        "web@5001.service",
        NEW,
        False,
    )
    assert (on.is_healthy, on.spare.health) == (True, GONE)
    single = builders.app()
    assert builders.survey().on(builders.host(), single).spare is None


@pytest.mark.parametrize(
    ("states", "healthy", "receives", "registered", "drains"),
    [
        ((HEALTHY, HEALTHY), True, True, True, False),
        ((HEALTHY, UNHEALTHY), False, True, True, False),
        ((HEALTHY, DRAINING), False, True, True, True),
        ((GONE, DRAINING), False, False, True, True),
        ((GONE, GONE), False, False, False, False),
    ],
)
def test_of_several_groups_all_must_be_healthy_and_one_may_send_requests(
    states: tuple[Health, ...], *, healthy: bool, receives: bool, registered: bool, drains: bool
) -> None:
    on = on_host(*states)
    assert (on.is_healthy, on.may_receive) == (healthy, receives)
    assert (on.is_registered, on.drains_by_address) == (registered, drains)
    assert [group.name for group in on.groups] == ["web-0", "web-1"]
    assert len(on.targets) == len(states)
    assert on.health == next((each for each in states if each != HEALTHY), HEALTHY)


def test_what_runs_is_counted_once_over_slots_and_hosts() -> None:
    old, new = on_host(), on_host(used=builders.slot(NEW))
    assert not is_mixed([old, old])
    assert is_mixed([old, new])
    assert is_mixed([on_host(spare=builders.slot(NEW))])
    legacy = on_host(used=Slot(replaces=LEGACY))
    assert legacy.running == {"legacy.service"}
    assert is_mixed([legacy, old])
    assert not is_mixed([legacy, on_host(used=Slot())])


def test_a_slot_is_as_deployed_where_no_deploy_left_anything() -> None:
    other = Record(OLD, "0" * 12)
    assert builders.slot().is_as_deployed
    assert not builders.slot(out="{}").is_as_deployed
    assert not builders.slot(history=()).is_as_deployed
    assert not builders.slot(history=(other,)).runs_deployed
    assert Slot().is_as_deployed
    assert not Slot(out="{}").is_as_deployed


NOTE = '{"format": 1, "group": "web-0", "target": "i-1:5000"}'


@pytest.mark.parametrize(
    ("states", "used", "is_new", "taken_out"),
    [
        ((GONE,), Slot(), True, 0),
        ((GONE, GONE), Slot(), True, 0),
        ((GONE,), Slot(unit_state=UnitState("loaded", "failed")), True, 0),
        ((DRAINING,), Slot(), False, 1),
        ((DRAINING,), builders.slot(), False, 1),
        ((DRAINING,), builders.slot(out=NOTE), False, 0),
        ((GONE,), Slot(out=NOTE), False, 0),
        ((GONE, HEALTHY), Slot(), False, 1),
        ((GONE,), Slot(replaces=LEGACY), False, 1),
        ((GONE,), builders.slot(), False, 1),
        ((GONE, GONE), builders.slot(), False, 2),
        ((HEALTHY, GONE), builders.slot(), False, 1),
        ((GONE, GONE), builders.slot(out=NOTE), False, 0),
        ((GONE, DRAINING), builders.slot(out=NOTE), False, 0),
        ((HEALTHY, HEALTHY), builders.slot(), False, 0),
    ],
)
def test_a_host_is_new_or_somebody_took_it_out_or_we_did(
    states: tuple[Health, ...], used: Slot, *, is_new: bool, taken_out: int
) -> None:
    web = builders.app("web", 5000, replaces="legacy.service")
    facts = builders.facts(1, {"web": used})
    on = builders.survey([facts], {"host-1": GONE}, [web]).on(facts.host, web)
    (member,) = on.memberships
    own = tuple(
        Membership(builders.group(f"web-{number}"), member.target, state)
        for number, state in enumerate(states)
    )
    seen = replace(on, memberships=own)
    assert seen.is_new is is_new
    assert len(seen.taken_out) == taken_out
