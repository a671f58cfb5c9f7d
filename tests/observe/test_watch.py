"""When the last request came is read from the kernel's figures, and never too early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from steps.test_drain import PaperFleet, ended, line

from deploy.errors import RemoteError
from deploy.observe.watch import WatchDraining, WatchServing
from deploy.steps.fleet import Moment, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.steps.fleet import Fleet

DRAIN = WatchDraining(builders.host(), builders.app().at(5000), 20.0)
FIGURES = "0 0 10.0.0.1:5000 10.0.0.9:41000 cubic lastrcv:{ago} bytes_received:{received} segs_in:4"


CUT = "UNCONN " + FIGURES.format(ago=90_000, received=100)
"""By a reset; where the peer closes, the kernel counts a byte more."""


class Observed(PaperFleet):
    """A fleet that remembers moments."""

    last: float | None = None
    seen_out = 0.2

    def __init__(self, says: Callable[[float], str], **more: Any) -> None:
        super().__init__(says, **more)
        self.arrivals: dict[tuple[str, str], int] = {}

    def mark(self, host: object, app: object, what: Moment, moment: float) -> None:
        del host, app
        assert what is Moment.LAST_REQUEST
        self.last = moment

    def marked(self, host: object, app: object, what: Moment) -> float:
        del host, app
        return self.seen_out if what is Moment.SEEN_OUT else 0.0


def kept(until: float) -> Callable[[float], str]:
    """A connection that is kept, and brings a request each 0.1 s until then."""

    def says(at: float) -> str:
        end = at + 0.5  # the answer comes when the port has been watched
        last = min(until, end)
        return FIGURES.format(ago=int(1000 * (end - last)), received=int(1000 + 100 * last))

    return says


def once(until: float) -> Callable[[float], str]:
    """A connection for each request until then."""
    return lambda at: ended(at) if at < until else ""


@pytest.mark.parametrize("until", [0.6, 4.0, 9.0])
@pytest.mark.parametrize("sent", [kept, once])
def test_the_last_request_is_seen_within_a_second(
    sent: Callable[[float], Callable[[float], str]], until: float
) -> None:
    says = sent(until)

    fleet = Observed(says)
    DRAIN.run(cast("Fleet", fleet))
    assert fleet.last is not None
    assert until - 0.05 <= fleet.last <= until + 1.0
    assert 20.0 <= fleet.at < 20.6


@pytest.mark.parametrize(
    "says",
    [
        lambda _: "",
        lambda _: FIGURES.format(ago=90_000, received=100),
        lambda at: ended(at, "127.0.0.1"),
        lambda at: FIGURES.format(ago=90_000, received=100) if at < 15 else CUT * (at < 15.5),
        lambda _: line(0),
    ],
    ids=[
        *("nothing", "before the deregistration", "the host itself", "cut while idle"),
        "opened and silent",
    ],
)
def test_what_is_no_request_is_none(says: Callable[[float], str]) -> None:
    fleet = Observed(says)
    DRAIN.run(cast("Fleet", fleet))
    assert fleet.last == Observed.seen_out


def test_what_came_before_the_watch_began_may_have_been_a_request() -> None:
    """Until the API shows it draining nothing is watched."""
    fleet = Observed(lambda _: "", at=8.0)
    fleet.seen_out = 8.0
    DRAIN.run(cast("Fleet", fleet))
    assert fleet.last == 8.0


def test_what_could_not_be_seen_is_no_measurement() -> None:
    with pytest.raises(RemoteError, match="nothing was measured"):
        DRAIN.run(cast("Fleet", Observed(lambda at: "no ss" if 3 < at < 5 else "")))


def test_what_brings_requests_before_is_counted() -> None:
    fleet = Observed(once(99.0))
    WatchServing(DRAIN.host, DRAIN.app, 3.0).run(cast("Fleet", fleet))
    assert [*fleet.arrivals.values()] == [6]
    assert 3.0 <= fleet.at < 3.6


def test_an_end_is_heeded() -> None:
    with pytest.raises(Stopped):
        DRAIN.run(cast("Fleet", Observed(once(99.0), stop_at=5.0)))
    with pytest.raises(Stopped):
        WatchServing(DRAIN.host, DRAIN.app, 3.0).run(
            cast("Fleet", Observed(lambda _: "", stop_at=1))
        )
