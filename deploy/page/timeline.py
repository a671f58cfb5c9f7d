"""Makes the lanes and moments of a page from a run's entries. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from deploy.events.event import (
    BatchBegan,
    HostEnded,
    HostSaid,
    RunEnded,
    StepBegan,
    StepEnded,
)
from deploy.events.planned import PlanMade
from deploy.natural_order import natural
from deploy.page.lanes import Bar, End, Lane, State, Timeline
from deploy.page.moments import Moments
from deploy.run.report import WELL, Outcome
from deploy.steps.base import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploy.events.event import Entry, Event

ENTERED = frozenset({Phase.CHECK.value, Phase.SOAK.value, Phase.SMOKE.value})
"""The phases in which a new release's target is registered."""
OF_ROLLBACK: dict[str, str] = {**dict.fromkeys(WELL, Outcome.BACK), Outcome.BACK: Outcome.DONE}
"""What a host's end is to the run, where it is of the plan by which finished hosts go back: a host
that fails there is put back on what it came from, the new release."""
MOST_SAID = 10
"""How many journal lines and remarks of a host are shown: the last ones."""


def timeline(entries: Sequence[Entry]) -> Timeline:
    """The lanes and moments of a run's entries, of which there is at least one."""
    reader = _Reader()
    now = 0.0
    for now, event in _in_order(entries):
        reader.hear(now, event)
    return reader.timeline(now)


def _in_order(entries: Sequence[Entry]) -> Iterator[tuple[float, Event]]:
    """Each event with its seconds since the first; a clock that was set back stands still."""
    began = latest = entries[0].at
    for entry in entries:
        latest = max(latest, entry.at)
        yield latest - began, entry.event


@dataclass
class _Host:
    """A host's part so far.

    begun: the places of the bars that have not ended; later: the steps, as the plan has them, that
    end its old slots; read: its targets' states by app, with their second.
    """

    batch: int = 0
    bars: list[Bar] = field(default_factory=list)
    begun: dict[tuple[str, str, bool], int] = field(default_factory=dict)
    later: set[str] = field(default_factory=set)
    read: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    outcome: str = ""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_SAID))

    def begin(self, now: float, event: StepBegan) -> None:
        self.begun[event.app, event.step, event.is_planned] = len(self.bars)
        self.bars.append(_bar(now, event))

    def end(self, now: float, event: StepEnded) -> None:
        place = self.begun.pop((event.app, event.step, event.is_planned), None)
        if place is None:  # its beginning is not in the events
            place = len(self.bars)
            self.bars.append(_bar(now, event))
        how = End.STOPPED if event.is_stopped else End.DONE
        how = End.FAILED if event.error else how
        self.bars[place] = replace(
            self.bars[place], end=now, how=how, health=event.health, error=event.error
        )
        is_in_use = self._is_in_use(event)
        if is_in_use or not event.is_planned:
            shown = event.health if is_in_use else ""
            self.read.setdefault(event.app, []).append((now, shown))

    def _is_in_use(self, event: StepEnded) -> bool:
        """Whether a step's reading is of the target that is in use.

        A step reads the target of its own slot. Where a release starts beside the old one, that is
        the one in use only from its registration on, and of a recovery it is not known.
        """
        has_entered = event.is_planned and event.phase in ENTERED
        return not self.later or (has_entered and event.step not in self.later)

    def lane(self, name: str, seconds: float) -> Lane:
        bars = [replace(bar, end=seconds) if bar.how is End.UNKNOWN else bar for bar in self.bars]
        states = tuple(_states(self.read, seconds))
        return Lane(name, self.batch, tuple(bars), states, self.outcome, tuple(self.said))


def _bar(now: float, step: StepBegan | StepEnded) -> Bar:
    """A step at one moment, whose end is not known yet."""
    is_recovery = not step.is_planned
    return Bar(step.app, step.step, step.phase, now, now, is_recovery=is_recovery, kind=step.kind)


@dataclass
class _Reader:
    """The timeline of the events so far."""

    hosts: dict[str, _Host] = field(default_factory=dict)
    moments: Moments = field(default_factory=Moments)

    def hear(self, now: float, event: Event) -> None:
        self.moments.hear(now, event)
        match event:
            case PlanMade():
                self._plan(event)
            case BatchBegan(number, _, hosts):
                self._place(number, hosts)
            case StepBegan(host):
                self._host(host).begin(now, event)
            case StepEnded(host):
                self._host(host).end(now, event)
            case HostSaid(host, text) if event.is_remark or text.startswith("|"):
                self._host(host).said.append(text.removeprefix("|").removeprefix(" "))
            case HostEnded(host, outcome):
                ends = OF_ROLLBACK if self.moments.plans > 1 else {}
                self._host(host).outcome = ends.get(outcome, outcome)
            case RunEnded(outcomes=outcomes):
                for host, outcome in outcomes.items():
                    self._host(host).outcome = outcome
            case _:
                pass

    def timeline(self, seconds: float) -> Timeline:
        lanes = [host.lane(name, seconds) for name, host in self.hosts.items()]
        # A host without a batch was only looked at.
        lanes.sort(key=lambda lane: (not lane.batch, lane.batch, natural(lane.host)))
        moments = self.moments.all_until(seconds)
        return Timeline(seconds or 1.0, tuple(lanes), moments, len(self.moments.batches))

    def _plan(self, plan: PlanMade) -> None:
        for number, batch in enumerate(plan.batches, start=1):
            self._place(number, (each.host for each in batch.hosts))
            for each in batch.hosts:
                self._host(each.host).later.update(step.text for step in each.after)
        for host in (*plan.hosts, *plan.left_out):
            self._host(host)

    def _place(self, batch: int, hosts: Iterable[str]) -> None:
        """The batch that each of these hosts is in, unless an earlier plan had one for it."""
        for name in hosts:
            host = self._host(name)
            host.batch = host.batch or batch

    def _host(self, name: str) -> _Host:
        return self.hosts.setdefault(name, _Host())


def _states(read: Mapping[str, Sequence[tuple[float, str]]], seconds: float) -> Iterator[State]:
    """What the ends of steps showed of each app's target; a state holds until the next reading."""
    for app, readings in read.items():
        changes = [now for before, now in pairwise([(0.0, ""), *readings]) if before[1] != now[1]]
        for (start, health), (end, _) in pairwise([*changes, (seconds, "")]):
            if health:
                yield State(app, health, start, end)
