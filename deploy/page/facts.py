"""The facts about a run: by whom, when, how long, on which hosts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.page.lanes import End
from deploy.page.reach import reach
from deploy.page.wording import count, duration, moment
from deploy.screen.plan import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.page.lanes import Timeline
    from deploy.screen.run.story import Story


@dataclass(frozen=True)
class Fact:
    """One of the facts about a run.

    Attributes:
        name: What it is.
        value: In words.
        is_code: Whether it is something to type, or an id.
    """

    name: str
    value: str
    is_code: bool = False


def facts(story: Story, timeline: Timeline, at: float) -> tuple[Fact, ...]:
    """Who, when, how long and on what; at: when the run began, unix seconds."""
    began = story.began
    waited = sum(lane.waited for lane in timeline.lanes)
    worked = sum(lane.worked for lane in timeline.lanes)
    found = [
        Fact("By", began.by if began else ""),
        Fact("Began", moment(at)),
        Fact("Took", duration(timeline.seconds)),
        *_reached(story, timeline),
        Fact("Policy", story.plans[0].policy if story.plans else ""),
        Fact("All hosts together", f"{duration(waited)} waiting, {duration(worked)} at work"),
        Fact("Command", began.command if began else "", is_code=True),
        Fact("CI run", began.address if began else "", is_code=True),
    ]
    return tuple(each for each in found if each.value)


def _reached(story: Story, timeline: Timeline) -> Iterator[Fact]:
    """On which hosts something serves that did not before, and what became of the others."""
    found = reach(timeline)
    changed = f"{len(found.changed)} of {count(len(timeline.lanes), 'host')}"
    batches = len(story.plans[0].batches) if story.plans else 0
    if batches:
        changed += f", in {found.batches} of {count(batches, 'batch')}"
    is_restart = story.began is not None and story.began.verb == "restart"
    yield Fact("Restarted" if is_restart else "Changed", changed)
    yield Fact("Put back", words.hosts(found.put_back))
    yield Fact("Returned to service", words.hosts(found.returned))
    yield Fact("Only staged", words.hosts(found.staged))
    if story.ended is None:
        yield Fact("At the last event", _in_hand(timeline))


def _in_hand(timeline: Timeline) -> str:
    """What had not ended at the last event: `web-2: drain 30 s`."""
    hosts: dict[str, list[str]] = {}
    for lane in timeline.lanes:
        for bar in lane.bars:
            if bar.how is End.UNKNOWN:
                hosts.setdefault(bar.step, []).append(lane.host)
    return "; ".join(f"{words.hosts(names)}: {step}" for step, names in hosts.items())
