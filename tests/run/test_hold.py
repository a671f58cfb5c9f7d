"""A deploy waits where its policy says so: for a person, its time to be over, or a stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.clock import Clock
from deploy.errors import NotPermitted
from deploy.events.event import BatchBegan, Event
from deploy.events.user import HoldBegan, HoldEnded
from deploy.hosts.lock import decision
from deploy.hosts.lock.decision import Decision, Word
from deploy.run.hold import Hold, held_batch
from deploy.settings.scope import Scope
from run.paper_fleet import PaperFleet, made, old, surged

if TYPE_CHECKING:
    from deploy.clock import Waited
    from deploy.steps.fleet import Fleet

TOKEN = "ab" * 16
SCOPE = Scope("prod")


class Jumping(Clock):
    """Waits take no time; the clock goes on by them."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait(self, on: Waited, seconds: float) -> bool:
        self.now += seconds
        return on.wait(0)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Decision | None]:
    """What the hosts show at each look; after the last one they show nothing."""
    looks: list[Decision | None] = []
    monkeypatch.setattr(decision, "forget", lambda *_: None)
    monkeypatch.setattr(decision, "read", lambda *_: looks.pop(0) if looks else None)
    return looks


@pytest.mark.parametrize(
    ("policy", "more", "number"),
    [
        ({"pause_after": 1}, {"batch": 1}, 2),
        ({"pause_after": 2}, {"batch": 1}, 3),
        ({"pause_after": 4}, {"batch": 1}, None),
        ({"pause_after": 9}, {"batch": 1}, None),
        ({"pause_after": 1}, {"batch": "100%"}, None),
        ({}, {"batch": 1}, None),
    ],
)
def test_it_pauses_after_so_many_batches_where_there_is_one_more(
    policy: dict[str, Any], more: dict[str, Any], number: int | None
) -> None:
    assert held_batch(made(old(4), rollout=policy, **more)) == number


def test_a_rollback_never_pauses() -> None:
    plan = made(old(4), rollout={"pause_after": 1}, batch=1)
    assert held_batch(plan) == 2
    assert held_batch(replace(plan, verb="Roll back")) is None


def test_of_a_surge_the_canary_is_what_is_watched() -> None:
    assert held_batch(surged(3, pause_after=1)) == 2


def wait(hold: Hold, fleet: PaperFleet, number: int = 2) -> list[Event]:
    heard: list[Event] = []
    hold.before(cast("Fleet", fleet), heard.append, BatchBegan(number, 3, ("host-1",)))
    return heard


@pytest.fixture
def fleet() -> PaperFleet:
    paper = PaperFleet({})
    paper.clock = Jumping()
    return paper


def test_it_goes_on_when_it_is_promoted(shown: list[Decision | None], fleet: PaperFleet) -> None:
    shown += [None, None, Decision(TOKEN, Word.PROMOTE, "ana@laptop")]
    assert wait(Hold(2, 0.0, SCOPE, {}, TOKEN), fleet) == [
        HoldBegan(1, 0.0, "inv promote --env prod", "inv abort --env prod"),
        HoldEnded("promote", "ana@laptop"),
    ]
    assert fleet.clock.monotonic() == 4.0


def test_it_ends_when_it_is_aborted(shown: list[Decision | None], fleet: PaperFleet) -> None:
    shown += [Decision(TOKEN, Word.ABORT, "ana@laptop")]
    with pytest.raises(NotPermitted, match="ended by `inv abort --env prod`: ana@laptop"):
        wait(Hold(2, 0.0, SCOPE, {}, TOKEN), fleet)


def test_it_goes_on_by_itself_when_its_time_is_over(
    shown: list[Decision | None], fleet: PaperFleet
) -> None:
    assert not shown
    assert wait(Hold(2, 601.0, SCOPE, {}, TOKEN), fleet)[1:] == [HoldEnded()]
    assert fleet.clock.monotonic() == 601.0


def test_p9_the_operators_stop_ends_it(shown: list[Decision | None], fleet: PaperFleet) -> None:
    del shown
    fleet.stop.set()
    with pytest.raises(NotPermitted, match="stopped while it waited"):
        wait(Hold(2, 0.0, SCOPE, {}, TOKEN), fleet)


def test_other_batches_are_not_held(shown: list[Decision | None], fleet: PaperFleet) -> None:
    del shown
    assert wait(Hold(2, 0.0, SCOPE, {}, TOKEN), fleet, 1) == []
    assert wait(Hold(2, 0.0, SCOPE, {}, TOKEN), fleet, 3) == []
