"""Orders a fleet's releases by when they were deployed, by a majority of its hosts. Pure.

Hosts may differ: by `--hosts`, by a deploy that was cut off, by workstations' clocks, or because
one of them lies. Of two releases, the hosts that know both vote on which one is the later. Votes
count in the order of their majorities, so that what few hosts say never contradicts what more
hosts say. Orders of the same weight that contradict each other make their releases one group,
in which the time decides, and then the id.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.hosts.records import Record

MOST_RECORDS = 50
"""As many as a host keeps; more of them are an answer that is not ours."""


@dataclass(frozen=True)
class Chronology:
    """A total order of releases.

    Attributes:
        order: Every release that a host knows, the oldest first.
        _later: For each release those that are known to be later, by a majority.
    """

    order: tuple[str, ...]
    _later: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_after(self, later: str, earlier: str) -> bool:
        """Whether a majority says so, directly or by way of other releases."""
        return later in self._later.get(earlier, ())

    def newest(self, releases: Iterable[str]) -> tuple[str, ...]:
        """Those of these after which none of the others came, in order: one, unless unknown."""
        given = set(releases)
        return tuple(
            release
            for release in self.order
            if release in given and not any(self.is_after(other, release) for other in given)
        )


def sequence(records: Sequence[Record]) -> tuple[str, ...]:
    """The releases of a host's records, each once where it was deployed last, oldest first."""
    last = [record.release for record in reversed(records[-MOST_RECORDS:])]
    return tuple(reversed(dict.fromkeys(last)))


def of(pasts: Iterable[Sequence[Record]]) -> Chronology:
    """The order by these hosts' records, each host's oldest first."""
    given = [tuple(past[-MOST_RECORDS:]) for past in pasts]
    times: dict[str, list[str]] = {}
    for past in given:
        for release, at in {record.release: record.at for record in past}.items():
            times.setdefault(release, []).append(at)
    # The middle one: no single clock decides.
    rank = {
        release: (sorted(stamps)[(len(stamps) - 1) // 2], release)
        for release, stamps in times.items()
    }
    groups = _groups(Counter(map(sequence, given)), set(times))
    return _sorted(groups, rank)


@dataclass
class _Groups:
    """Releases that contradict each other, as one node each, and what is later than what.

    Attributes:
        group: Each release's group, named by one of its members.
        later: For each group those that are known to be later.
    """

    group: dict[str, str]
    later: dict[str, set[str]]

    def add(self, edges: Iterable[tuple[str, str]]) -> None:
        """Votes of one weight: those that contradict weightier ones are dropped.

        Alone or together: `2 < 9` and `9 < 1` of one host never overrule `1 < 2` of two.
        """
        before = {one: set(others) for one, others in self.later.items()}
        for one, other in edges:
            if self.group[one] != self.group[other]:
                self.later[self.group[one]].add(self.group[other])
        named = self._cycles()
        stronger = {
            named[one]
            for one, others in before.items()
            for other in others
            if one in named and named.get(other) == named[one]
        }
        for one, others in self.later.items():
            if named.get(one) in stronger:
                others -= {o for o in others - before[one] if named.get(o) == named[one]}
        self._merge({one: name for one, name in named.items() if name not in stronger})

    def reach(self) -> dict[str, set[str]]:
        """For each group all that can be reached from it; never itself, unless in a cycle."""
        found: dict[str, set[str]] = {}
        for start in self.later:
            seen: set[str] = set()
            todo = list(self.later[start])
            while todo:
                each = todo.pop()
                if each not in seen:
                    seen.add(each)
                    todo += self.later[each] - seen
            found[start] = seen
        return found

    def _cycles(self) -> dict[str, str]:
        """The groups that are later than themselves, each with a name for its cycle."""
        reach = self.reach()
        return {
            one: min({one, *(other for other in found if one in reach[other])})
            for one, found in reach.items()
            if one in found
        }

    def _merge(self, named: Mapping[str, str]) -> None:
        """Make every cycle one group."""
        if not named:
            return
        self.group = {release: named.get(own, own) for release, own in self.group.items()}
        merged: dict[str, set[str]] = {own: set() for own in self.group.values()}
        for one, others in self.later.items():
            own = named.get(one, one)
            merged[own] |= {named.get(other, other) for other in others} - {own}
        self.later = merged


def _groups(sequences: Counter[tuple[str, ...]], releases: set[str]) -> _Groups:
    """The hosts' votes on each two releases, the greatest majorities first."""
    before: Counter[tuple[str, str]] = Counter()
    for each, hosts in sequences.items():
        for place, later in enumerate(each):
            for earlier in each[:place]:
                before[earlier, later] += hosts
    weights: dict[int, list[tuple[str, str]]] = {}
    for (one, other), hosts in before.items():
        if hosts > before.get((other, one), 0):
            # By how many say so, not by how many more: one host alone weighs less than two.
            weights.setdefault(hosts, []).append((one, other))
    groups = _Groups({each: each for each in releases}, {each: set() for each in releases})
    for weight in sorted(weights, reverse=True):
        groups.add(weights[weight])
    return groups


def _sorted(groups: _Groups, rank: Mapping[str, tuple[str, str]]) -> Chronology:
    """All releases in one order; of groups without a comparison, the time decides."""
    members: dict[str, list[str]] = {}
    for release, own in groups.group.items():
        members.setdefault(own, []).append(release)
    for releases in members.values():
        releases.sort(key=rank.__getitem__)
    waits = Counter(other for others in groups.later.values() for other in others)
    ready = [(rank[members[own][0]], own) for own in members if not waits[own]]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _, own = heapq.heappop(ready)
        order += members[own]
        for other in groups.later[own]:
            waits[other] -= 1
            if not waits[other]:
                heapq.heappush(ready, (rank[members[other][0]], other))
    reach = groups.reach()
    later: dict[str, frozenset[str]] = {}
    for own, releases in members.items():
        beyond = [release for other in reach[own] for release in members[other]]
        for place, release in enumerate(releases):
            later[release] = frozenset([*releases[place + 1 :], *beyond])
    return Chronology(tuple(order), later)
