"""P4, P10: a target of another VPC returns with the zone that it was registered with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY

from deploy.aws.health_poller import Reading
from deploy.aws.targets import Target
from deploy.errors import BadInput
from deploy.hosts.notes import Note
from deploy.plan import assembly, fitness
from deploy.plan.capacity import InService
from deploy.steps.fleet import Fleet
from deploy.steps.target import DeregisterTarget, RegisterTarget
from deploy.survey.app_on_host import Membership

if TYPE_CHECKING:
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.script import Script
    from deploy.survey.facts import HostFacts, Survey

WEB = builders.app()
OURS, PEERED = "vpc-0f0f0f0f", "vpc-0e0e0e0e"


def hosts(count: int = 1, *, vpc: str = PEERED, out: str = "") -> list[HostFacts]:
    """Hosts of a peered VPC."""
    found = [builders.facts(n, {"web": builders.slot(out=out)}) for n in range(1, count + 1)]
    return [replace(each, host=replace(each.host, vpc=vpc)) for each in found]


def seen(
    listed: list[HostFacts], *zones: str, ports: tuple[int, ...] = (5000,), **settings: Any
) -> Survey:
    """A survey of a group by address; zones: with which each host is registered, in turn."""
    given: dict[str, Any] = {"target_type": "ip", "vpc": OURS} | settings
    survey = builders.survey(listed, apps=[builders.app("web", *ports)], **given)
    (group,) = survey.groups["web"]
    survey.health[group.arn] = {
        Target(each.host.address, 5000, zone): HEALTHY
        for each, zone in zip(listed, zones, strict=False)
    }
    return survey


def zone_in(survey: Survey, port: int = 5000) -> str:
    """The zone of the first host's target, as it would be registered."""
    ((_, target, _),) = survey.memberships(survey.hosts[0].host, WEB.at(port))
    return target.zone


@pytest.mark.parametrize("zone", ["all", "eu-west-1b", ""])
def test_the_zone_as_registered_stays(zone: str) -> None:
    assert zone_in(seen(hosts(vpc=OURS), zone)) == zone
    # The other slot of a host has its address, and so its zone.
    assert zone_in(seen(hosts(vpc=OURS), zone, ports=(5000, 5001)), 5001) == zone


@pytest.mark.parametrize(
    ("settings", "vpc", "zone"),
    [
        ({}, PEERED, "all"),
        ({}, OURS, ""),
        ({}, "", ""),
        ({"zonal": True}, PEERED, ""),
        ({"target_type": "instance"}, PEERED, ""),
    ],
)
def test_a_new_target_of_another_vpc_is_one_of_all_zones(
    settings: dict[str, Any], vpc: str, zone: str
) -> None:
    assert zone_in(seen(hosts(vpc=vpc), **settings)) == zone


def note(zones: dict[str, str]) -> str:
    return Note("web-lab", "10.0.0.1:5000", zones=zones).as_line()


@pytest.mark.parametrize(
    ("line", "zone"),
    [
        (note({"web-lab": "eu-west-1b"}), "eu-west-1b"),
        (note({"web-lab": "all"}), "all"),
        (note({"other-lab": "eu-west-1b"}), ""),
        (note({"web-lab": "eu-west-1b; reboot"}), ""),
        (note({}), ""),
        (note({}).replace("{}", "[1]"), ""),
        ('{"target": "10.0.0.1:5000"}', ""),
        ("?", ""),
        ("", ""),
    ],
)
def test_p4_a_repair_from_elsewhere_reads_it_in_the_note(line: str, zone: str) -> None:
    assert zone_in(seen(hosts(out=line), zonal=True)) == zone


def test_p12_a_host_of_the_groups_own_vpc_cannot_choose_its_zone() -> None:
    line = note({"web-lab": "eu-west-1b"})
    assert zone_in(seen(hosts(vpc=OURS, out=line), zonal=True)) == ""


def test_p4_what_aws_shows_now_counts_before_a_note() -> None:
    line = note({"web-lab": "eu-west-1b"})
    assert zone_in(seen(hosts(out=line), "eu-west-1a", zonal=True)) == "eu-west-1a"


class Paper:
    """A registrar, a poller and a host that keep what they are told."""

    def __init__(self) -> None:
        self.wrote: list[tuple[str, str]] = []
        self.noted: list[Note | None] = []

    def register(self, group: TargetGroup, target: Target) -> None:
        self.wrote.append((f"register in {group.name}", target.zone))

    def deregister(self, group: TargetGroup, target: Target) -> None:
        self.wrote.append((f"deregister from {group.name}", target.zone))

    def after(self, group: Any, moment: float, *_: Any, **__: Any) -> Reading:
        del group
        return Reading(moment, {})

    def first(self, group: Any) -> None:
        del group

    def change(self, app: str, script: Script[Any]) -> None:
        del app
        self.noted += [
            Note.parse(str(each.arguments[-1]))
            for each in script.programs
            if each.name == "record_out"
        ]


def test_p4_steps_write_the_zone_down_and_register_with_it() -> None:
    survey = seen(hosts(), "eu-west-1b", zonal=True)
    host, web, paper = survey.hosts[0].host, WEB.at(5000), cast("Any", Paper())
    fleet = Fleet({host.name: paper}, survey.groups, paper, paper, zones=survey.zones)
    DeregisterTarget(host, web).run(fleet)
    settled = replace(fleet, moments={})
    RegisterTarget(host, web).run(settled)
    assert paper.wrote == [
        ("deregister from web-lab", "eu-west-1b"),
        ("register in web-lab", "eu-west-1b"),
    ]
    (written,) = paper.noted
    assert written.zones == {"web-lab": "eu-west-1b"}
    again = seen(hosts(out=written.as_line()), zonal=True)
    assert zone_in(again) == "eu-west-1b"


@pytest.mark.parametrize(
    ("zones", "settings", "is_refused"),
    [
        ((), {"zonal": True}, True),
        (("",), {"zonal": True}, True),
        (("eu-west-1b",), {"zonal": True}, False),
        (("all",), {"zonal": True}, False),
        ((), {}, False),
        ((), {"zonal": True, "vpc": PEERED}, False),
        ((), {"zonal": True, "target_type": "instance"}, False),
    ],
)
def test_p10_a_zone_that_nobody_can_know_is_asked_for_before_any_drain(
    zones: tuple[str, ...], settings: dict[str, Any], *, is_refused: bool
) -> None:
    problems = fitness.without_zone((WEB,), seen(hosts(), *zones, **settings)).get("host-1", ())
    assert any("AvailabilityZone=ZONE" in each for each in problems) is is_refused


def test_p2_capacity_of_a_zonal_group_counts_in_the_registered_zones() -> None:
    """Both hosts are in one zone of their own VPC, and in two of the group's."""
    survey = seen(hosts(2), "eu-west-1b", "eu-west-1c", zonal=True)
    (group,) = survey.groups["web"]
    now = InService.of(WEB, group, survey)
    assert {each.id: zone for each, zone in now.zones.items()} == {
        "10.0.0.1": "eu-west-1b",
        "10.0.0.2": "eu-west-1c",
    }
    offers = (builders.offer(WEB, survey.hosts),)
    with pytest.raises(BadInput, match="would leave zone eu-west-1b of web-lab without a target"):
        assembly.make(builders.environment(), offers, survey)


def test_p2_a_target_of_all_zones_counts_for_none_of_them() -> None:
    survey = seen(hosts(2), "all", "all", zonal=True)
    (group,) = survey.groups["web"]
    assert InService.of(WEB, group, survey).zones == {}
    offers = (builders.offer(WEB, survey.hosts),)
    assert assembly.make(builders.environment(), offers, survey).batches


def test_a_membership_has_the_health_of_its_target() -> None:
    survey = seen(hosts(), "all")
    (group,) = survey.groups["web"]
    (found,) = survey.memberships(survey.hosts[0].host, WEB.at(5000))
    assert found == Membership(group, Target("10.0.0.1", 5000, "all"), HEALTHY)
