"""P2, reckoned anew and apart from the product: what must stay in service while a batch is out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulated.clock import CLOCK

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.settings.rollout import Rollout
    from simulated.places import Home, Place
    from simulated.world import World


@dataclass
class Batch:
    """What served when the batch began, what must stay, and whom we took out since, by group.

    turns: what served when a host's turn came in a window, by group and host. again: what must
    stay while a host is taken through all of its turns again.
    """

    serving: dict[str, set[str]]
    floors: dict[str, int]
    out: dict[str, set[str]] = field(default_factory=dict)
    turns: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    again: dict[str, dict[str, int]] = field(default_factory=dict)


class Floors:
    """Hears of plan, batches, records and deregistrations; writes a wrong where too few are left.

    served: the hosts that did in each group when the plan began, which was at `began` by the
    clock; adopted: the apps on their hosts that were recorded since.
    """

    def __init__(
        self, world: World, rollout: Rollout, *, surges: bool, allow_downtime: bool
    ) -> None:
        self._world, self._rollout, self._surges = world, rollout, surges
        self._allow_downtime = allow_downtime
        self._plan: Plan | None = None
        self._dead: set[str] = set()
        self._served: dict[str, set[str]] = {}
        self._adopted: set[Home] = set()
        self._began = 0.0
        self._seen: dict[str, set[str]] = {}
        self._batch = Batch({}, {})

    def follow(self, plan: Plan) -> None:
        """A plan begins; a group in which nothing serves has nothing to lose."""
        self._plan, self._began = plan, CLOCK.now
        groups = (group.name for own in self._world.groups.values() for group in own)
        self._served = {group: self._world.serving_in(group) for group in groups}
        self._dead = {group for group, hosts in self._served.items() if not hosts}

    def adopt(self, home: Home) -> None:
        """The app is recorded on its host: what serves there is in use, and no trial any more."""
        self._adopted.add(home)

    def see(self, group: str, host: str) -> None:
        """The executor reads now what serves in it: by this it begins a batch, or a turn."""
        self._seen[group] = self._world.serving_in(group)
        self._batch.turns[group, host] = self._seen[group]
        if self._plan and self._plan.window:
            # Who is back by then is out no more, whatever becomes of it until the host is taken.
            self._batch.out.get(group, set()).difference_update(self._seen[group])

    def begin(self, number: int) -> None:
        """Reckon what must stay in the groups of what the plan's batch, from 1, switches."""
        floors = self._floors_of(number)
        groups = (each.name for own in self._world.groups.values() for each in own)
        serving = {group: self._world.serving_in(group) for group in groups}
        self._batch = Batch(serving | self._seen, floors)
        self._seen = {}

    def begin_again(self, host: str) -> None:
        """A host is taken through all of its turns again: what its last one allows counts."""
        assert self._plan
        numbers = [
            number
            for number, batch in enumerate(self._plan.batches, start=1)
            if host in {host_plan.host.name for host_plan in batch}
        ]
        if numbers:
            self._batch.again[host] = self._floors_of(numbers[-1])

    def _floors_of(self, number: int) -> dict[str, int]:
        assert self._plan
        host_plans, is_last = self._plan.batches[number - 1], number == len(self._plan.batches)
        floors: dict[str, int] = {}
        for app in self._world.apps:
            size = sum(host_plan.switches(app) for host_plan in host_plans)
            size = min(size, self._plan.window or size) if is_last else size
            for group in (each.name for each in self._world.groups[app.name]):
                guarded = not (self._allow_downtime or group in self._dead)
                if size and guarded and app.name in self._plan.releases:
                    floors[group] = self._floor(size)
        return floors

    def take(self, place: Place, group: str) -> None:
        """A healthy target leaves: what is left of those that served at first is enough.

        Where apps surge, another slot of the same host serves already, or none ever did.
        """
        if any(self._world.has_been_seen(other) for other in place.others):
            return
        if self._surges and not self._is_trial(place, group):
            self._world.wrong("P2", f"{place}: out, and no other slot of its host is healthy")
        batch, host = self._batch, place.host.name
        out = batch.out.setdefault(group, set())
        serving = batch.serving.get(group, set())
        if self._plan and self._plan.window:
            # Each host's turn has its own reading; who is back since is out no more.
            out -= self._world.serving_in(group)
            read = [batch.turns.get((group, name), serving) for name in (host, *out)]
            serving = set[str]().union(*read)
        floors = batch.again.get(host, batch.floors)
        if host not in serving or group not in floors:
            return
        out.add(host)
        left, floor = serving - out, floors[group]
        if len(left) < floor:
            self._world.wrong("P2", f"{place}: out, {len(left)} left in service of {floor}")
        zones = {each.name: each.zone for each in self._world.hosts}
        if self._world.given.zonal and zones[host] not in {zones[name] for name in left}:
            self._world.wrong("P2", f"{place}: out, and nobody is left in {zones[host]}")

    def _is_trial(self, place: Place, group: str) -> bool:
        """Whether this plan started what leaves, where nothing served, and it is not in use yet.

        A first install may fail after its target was healthy: it leaves again with nothing beside
        it, and its host serves as little as it did when the plan began.
        """
        is_started = place.process is not None and place.process.began >= self._began
        served = place.host.name in self._served[group]
        return is_started and not served and place.home not in self._adopted

    def _floor(self, size: int) -> int:
        """How many of the fleet must stay while so many are switched: by policy, all others."""
        fleet, own = len(self._world.hosts), self._rollout.min_in_service
        percent = own is not None and own.text.endswith("%")
        share = int(own.text.rstrip("%")) if own else fleet - size
        return max(1, fleet * share // 100 if percent else share)
