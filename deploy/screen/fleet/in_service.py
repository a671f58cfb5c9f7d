"""How many of an app's targets serve, in each of its groups and in each zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE
from deploy.foreign_text import visible
from deploy.screen.fleet.row import zone_of
from deploy.survey.app_on_host import target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.settings.app import App
    from deploy.survey.facts import Survey


@dataclass(frozen=True)
class Share:
    """Healthy targets, of all targets.

    Attributes:
        serving: The targets that the load balancer sends requests to; of a worker, those that run.
        total: One for each host.
    """

    serving: int
    total: int

    def __str__(self) -> str:
        return f"{self.serving} of {self.total}"


@dataclass(frozen=True)
class Service:
    """The targets of an app that are in service.

    Attributes:
        app: By name.
        group: The target group's name; empty for a worker, which has none.
        zones: By availability zone, in their order; one with an empty name where it is not known.
    """

    app: str
    group: str
    zones: Mapping[str, Share]

    @property
    def all(self) -> Share:
        """Over all zones."""
        shares = self.zones.values()
        return Share(sum(each.serving for each in shares), sum(each.total for each in shares))

    def __str__(self) -> str:
        state = "healthy" if self.group else "running"
        text = f"{visible(self.group or self.app)}: {self.all} {state}"
        if len(self.zones) < 2:  # noqa: PLR2004 - one zone says the same as all of them
            return text
        short = short_zones(self.zones)
        each = (
            f"{visible(short[zone] or 'no zone')} {share}" for zone, share in self.zones.items()
        )
        return f"{text} ({', '.join(each)})"

    def as_json(self) -> dict[str, object]:
        """The same for scripts."""
        return {
            "app": self.app,
            "group": self.group,
            "healthy": self.all.serving,
            "total": self.all.total,
            "zones": {
                zone: {"healthy": share.serving, "total": share.total}
                for zone, share in self.zones.items()
            },
        }


def of(apps: Sequence[App], survey: Survey) -> tuple[Service, ...]:
    """Return what is in service of each app, in each of its groups."""
    found = []
    for app in apps:
        found += [
            _counted(app.name, group.name, _in_group(app, group, survey))
            for group in survey.groups.get(app.name, ())
        ]
        if app.is_worker:
            found.append(_counted(app.name, "", _running(app, survey)))
    return tuple(found)


def short_zones(zones: Iterable[str]) -> dict[str, str]:
    """Zones by what sets them apart, in one region: `1a` for `eu-west-1a`."""
    names = list(dict.fromkeys(zones))
    short = {zone: zone.rpartition("-")[2] for zone in names}
    are_distinct = len(set(short.values())) == len(names)
    of_one_region = len({zone.rpartition("-")[0] for zone in names if zone}) <= 1
    return short if are_distinct and of_one_region else {zone: zone for zone in names}


def _counted(app: str, group: str, targets: Iterable[tuple[str, bool]]) -> Service:
    """From each target's zone, and whether it serves."""
    zones: dict[str, list[bool]] = {}
    for zone, serves in targets:
        zones.setdefault(zone, []).append(serves)
    shares = {zone: Share(sum(each), len(each)) for zone, each in sorted(zones.items())}
    return Service(app, group, shares)


def _in_group(app: App, group: TargetGroup, survey: Survey) -> Iterator[tuple[str, bool]]:
    for on in survey.everywhere(app):
        for member in on.memberships:
            if member.group == group:
                yield zone_of(on.host, member.target.zone), member.health.serves
    for host in _unread(survey):
        slots = (target_of(group, host, slot) for slot in app.slots) if host else ()
        health = [survey.health[group.arn].get(target, GONE) for target in slots]
        yield host.zone if host else "", any(each.serves for each in health)


def _running(app: App, survey: Survey) -> Iterator[tuple[str, bool]]:
    for on in survey.everywhere(app):
        yield on.host.zone, on.is_up
    for host in _unread(survey):
        yield host.zone if host else "", False


def _unread(survey: Survey) -> Iterator[Host | None]:
    """The hosts that could not be read; None for a machine of which AWS knows no instance."""
    known = {host.name: host for host in survey.asked}
    for name in survey.unreachable:
        yield known.get(name)
