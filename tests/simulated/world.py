"""All hosts and target groups, what is so of them, and what went wrong that never may."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import builders

from deploy.aws.targets import Health, State, Target
from deploy.survey.app_on_host import target_of
from simulated.builds import OFFERED, OLD, OLDER, Build, Kind
from simulated.clock import BEGAN_SECONDS, CLOCK
from simulated.migrations import Migrations
from simulated.places import Home, Member, Place, Process

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.settings.app import App
    from deploy.settings.environment import Environment

CHECKED_SECONDS = 4.0  # from a registration to the load balancer's first verdict
PROPAGATED_SECONDS = 15.0  # from a deregistration to where no load balancer may send any more
LATE_SECONDS = 10.0  # from a registration to the end of a release that dies in service
APPS = (("web", 5000), ("admin", 5100))
ZONES = ("eu-west-1a", "eu-west-1b")
REASONS = {
    State.DRAINING: "Target.DeregistrationInProgress",
    State.INITIAL: "Elb.RegistrationInProgress",
    State.UNHEALTHY: "Target.FailedHealthChecks",
}


@dataclass(frozen=True)
class Fleets:
    """What a simulation begins with.

    begin: `running` an old release, `legacy` for units that the apps replace, or `fresh`; kinds:
    how each of the builds that are offered behaves; rollout: the policy, as in the settings;
    surge: whether each app has two slots, of which the other one takes its next release;
    groups: in how many target groups each app is; delay_seconds: their deregistration delay;
    reach_seconds: from a target's deregistration to the last request that still reaches it;
    flight_seconds: how long requests are under way, where a drain may end once they are not;
    migrates: whether each release has a command that is run once.
    """

    hosts: int = 2
    apps: int = 1
    groups: int = 1
    begin: str = "running"
    kinds: tuple[Kind, ...] = (Kind.GOOD,) * len(OFFERED)
    rollout: tuple[tuple[str, Any], ...] = (("batch", 1),)
    surge: bool = False
    target_type: str = "instance"
    zonal: bool = False
    keep_releases: int = 2
    delay_seconds: float = 10.0
    reach_seconds: float = 0.0
    flight_seconds: float = 0.0
    migrates: bool = False


class World:
    """Every place, and what went wrong that never may.

    lied: the hosts, by name, that lied to a command of the story.
    dark, down: until when a host, by name, and AWS cannot be reached, in the clock's seconds.
    """

    def __init__(self, given: Fleets) -> None:
        CLOCK.now = BEGAN_SECONDS
        self.given = given
        self.wrongs: list[str] = []
        self.lied: set[str] = set()
        self.kinds = dict(zip(OFFERED, given.kinds, strict=True))
        self.dark: dict[str, float] = {}
        self.down = 0.0
        self.migrations = Migrations()
        replaces = given.begin == "legacy"
        self.apps = tuple(
            builders.app(
                name,
                *((port, port + 1) if given.surge else (port,)),
                keep_releases=given.keep_releases,
                prove_seconds=2.0,
                start_timeout_seconds=3,
                healthy_timeout_seconds=20.0,
                replaces=f"legacy-{name}.service" if replaces else None,
                run_once="migrate" if given.migrates else None,
                target_groups=[f"{name}-{number}" for number in range(given.groups)],
            )
            for name, port in APPS[: given.apps]
        )
        self.hosts = tuple(
            replace(builders.host(number, ZONES[number % 2 if given.zonal else 0]), vpc="vpc-hosts")
            for number in range(1, given.hosts + 1)
        )
        self.groups = {
            app.name: tuple(
                builders.group(
                    name,
                    target_type=given.target_type,
                    vpc="vpc-groups" if given.target_type == "ip" else "vpc-hosts",
                    zonal=given.zonal,
                    delay_seconds=given.delay_seconds,
                )
                for name in app.group_names
            )
            for app in self.apps
        }
        self.homes = {
            (host.name, app.name): _begun(given.begin, host, app)
            for host in self.hosts
            for app in self.apps
        }
        self.places = {
            (*key, place.app.port): place
            for key, home in self.homes.items()
            for place in home.places
        }
        self._targets = {
            group.name: {_registered(group, place): place for place in self.of(name)}
            for name, groups in self.groups.items()
            for group in groups
        }
        self.environment = self.environment_with(dict(given.rollout))

    def environment_with(self, rollout: dict[str, Any]) -> Environment:
        """The settings of these hosts and apps, with this policy."""
        names = tuple(host.name for host in self.hosts)
        batch = rollout.get("batch")
        rest = {key: value for key, value in rollout.items() if key != "batch"}
        rest |= {"strategy": "surge"} if self.given.surge else {}
        return builders.environment(*self.apps, batch=batch, rollout=rest, hosts=names)

    def wrong(self, promise: str, text: str) -> None:
        """Write down what must never be; what a host that lied does to itself is its own."""
        if text.partition(":")[0] not in self.lied:
            self.wrongs.append(f"{promise}: {text}")

    def of(self, app: str) -> list[Place]:
        return [place for place in self.places.values() if place.app.name == app]

    def on(self, host: str) -> list[Place]:
        return [place for place in self.places.values() if place.host.name == host]

    def of_host(self, host: str) -> list[Home]:
        return [home for (name, _), home in self.homes.items() if name == host]

    def at(self, group: TargetGroup, target: Target) -> Place:
        return self._targets[group.name][target]

    def kind(self, build: Build | None) -> Kind:
        return Kind.GOOD if build is None else self.kinds.get(build, Kind.GOOD)

    def answers(self, place: Place) -> bool:
        """Whether the process answers on its own host."""
        process = place.process
        return (
            process is not None
            and CLOCK.now >= place.sick
            and self.kind(process.build) is not Kind.SILENT
        )

    def state(self, place: Place) -> State | None:
        """What AWS says of the slot: healthy where every group finds it so.

        None where a group does not have it.
        """
        states = [self.state_in(group, place) for group in place.members]
        return next((each for each in states if each is not State.HEALTHY), State.HEALTHY)

    def state_in(self, group: str, place: Place) -> State | None:
        """What AWS says of the target in a group, by its name; None where it does not list it."""
        now, member = CLOCK.now, place.members[group]
        if not member.registered:
            return State.DRAINING if now < member.drained else None
        if now < member.since + CHECKED_SECONDS:
            return State.INITIAL
        kind = self.kind(place.process.build) if place.process else Kind.SILENT
        ended = kind is Kind.LATE and now >= member.since + LATE_SECONDS
        well = self.answers(place) and kind is not Kind.REJECTED and not ended
        return State.HEALTHY if well else State.UNHEALTHY

    def health(self, group: TargetGroup) -> dict[Target, Health]:
        """What AWS says of every target in a group."""
        return {
            target: Health(state, REASONS.get(state, ""))
            for target, place in self._targets[group.name].items()
            if (state := self.state_in(group.name, place))
        }

    def serving_in(self, group: str) -> set[str]:
        """The hosts that have a healthy target in a group."""
        places = self._targets[group].values()
        return {p.host.name for p in places if self.state_in(group, p) is State.HEALTHY}

    def is_served(self, home: Home) -> bool:
        """Whether the app is in service on the host: one of its slots is."""
        return any(self.is_in(place) for place in home.places)

    def is_healthy(self, home: Home) -> bool:
        """Whether the load balancer has a healthy target of the app on the host."""
        return any(self.state(place) is State.HEALTHY for place in home.places)

    def has_been_seen(self, place: Place) -> bool:
        """Whether the load balancer saw what is in service there, which may be sick since."""
        return self.is_in(place) and CLOCK.now >= place.since + CHECKED_SECONDS

    def is_in(self, place: Place) -> bool:
        """Whether the place is in service, as far as it is ours to see to it."""
        process = place.process
        if not place.is_everywhere or process is None or not process.proven:
            return False
        if self.kind(process.build) is Kind.LATE or CLOCK.now < place.sick:
            return True
        return self.kind(process.build) is not Kind.REJECTED

    def told(self) -> str:
        """Every place in a line of its own, for a failed example."""
        return "\n".join(
            f"  {place}: {self.state(place)}, link {place.link}, runs "
            f"{place.process and (place.process.build, place.process.proven)}, "
            f"out {place.out!r}, partial {place.home.partial}, "
            f"records {[record.release for record in place.home.history]}"
            for place in self.places.values()
        )


def _registered(group: TargetGroup, place: Place) -> Target:
    """A place's target as AWS lists it: addresses are of another VPC, and have a zone."""
    zone = place.host.zone if group.target_type == "ip" else ""
    return replace(target_of(group, place.host, place.app), zone=zone)


def _begun(begin: str, host: Host, app: App) -> Home:
    home = Home(app, host)
    home.places = [
        Place(home, slot, members={name: Member() for name in app.group_names})
        for slot in app.slots
    ]
    first = home.places[0]
    for member in first.members.values():
        member.registered = True
    if begin == "legacy":
        home.legacy = home.legacy_enabled = True
        first.process = Process(None, "", 0.0, proven=True)
    elif begin == "running":
        builds = (OLDER, OLD)
        home.releases = [build.release for build in builds]
        home.kept = {
            f"{build.record.kept}.{place.app.unit_name}": build.text
            for build in builds
            for place in home.places
        }
        home.history = [build.record for build in builds]
        first.link, first.unit, first.enabled = OLD.release, OLD.text, True
        first.process = Process(OLD, OLD.release, 0.0, proven=True)
    return home
