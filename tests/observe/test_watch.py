"""When the last request came is read from the kernel's figures, and never too early."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest
from builders import HEALTHY
from steps.test_drain import PaperFleet, ended, line

from deploy.crew import Crew
from deploy.errors import BalancerError, RemoteError
from deploy.observe.watch import LONGEST_SERVING_SECONDS, WatchDraining, WatchServing
from deploy.steps.fleet import Moment, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.hosts.scripts.script import Script
    from deploy.steps.fleet import Fleet
    from deploy.steps.observation import Arrivals
    from deploy.survey.app_on_host import Membership

T = TypeVar("T")

DRAIN = WatchDraining(builders.host(), builders.app().at(5000), 20.0)
SERVING = WatchServing(DRAIN.host, DRAIN.app, 3.0, (5.0,))
FIGURES = (
    "0 0 10.0.0.1:5000 10.0.0.9:41000 cubic lastsnd:{sent_ago} lastrcv:{ago} bytes_sent:{sent} "
    "bytes_received:{received} segs_in:4\n"
)


def figures(ago: float, received: float, *, sent: float = 9, sent_ago: float | None = None) -> str:
    """A connection that brought its last byte so long ago, and was answered at once."""
    sent_ago = ago if sent_ago is None else sent_ago
    return FIGURES.format(
        sent_ago=int(sent_ago), ago=int(ago), sent=int(sent), received=int(received)
    )


CUT = "UNCONN " + figures(90_000, 100)
"""By a reset; where the peer closes, the kernel counts a byte more."""


class Observed(PaperFleet):
    """A fleet that remembers moments, and does one act after the other."""

    def __init__(self, says: Callable[[float], str], **more: Any) -> None:
        super().__init__(says, **more)
        self.arrivals: dict[tuple[str, str], Arrivals] = {}
        self.moments: dict[Moment, float] = {}

    @property
    def crew(self) -> Observed:
        return self

    def together(self, acts: Sequence[Callable[[], None]], at_a_time: int) -> None:
        assert at_a_time == len(acts)
        for act in acts:
            act()

    def mark(self, host: object, app: object, what: Moment, moment: float | None = None) -> float:
        del host, app
        self.moments[what] = self.at if moment is None else moment
        return self.moments[what]

    @property
    def last(self) -> float:
        return self.moments[Moment.LAST_REQUEST]

    @property
    def seen(self) -> Arrivals:
        (its,) = self.arrivals.values()
        return its


def observed(says: Callable[[float], str]) -> Observed:
    """A target that served for a while is taken out at 0."""
    fleet = Observed(says, at=-LONGEST_SERVING_SECONDS - 0.2)
    SERVING.run(cast("Fleet", fleet))
    fleet.at = 0.0
    DRAIN.run(cast("Fleet", fleet))
    return fleet


def kept(until: float) -> Callable[[float], str]:
    """A connection that is kept, and brings a request each 0.1 s until then."""

    def says(at: float) -> str:
        end = at + 0.5  # the answer comes when the port has been watched
        last = min(until, end)
        return figures(1000 * (end - last), 1000 + 100 * last, sent=1000 + 100 * last)

    return says


def once(until: float) -> Callable[[float], str]:
    """A connection for each request until then."""
    return lambda at: ended(at) if at < until else ""


@pytest.mark.parametrize("until", [0.1, 0.6, 4.0, 9.0])
@pytest.mark.parametrize("sent", [kept, once])
def test_the_last_request_is_seen_within_a_second(
    sent: Callable[[float], Callable[[float], str]], until: float
) -> None:
    """Whenever the API shows the target out: from the deregistration on it is watched."""
    fleet = observed(sent(until))
    assert until - 0.05 <= fleet.last <= until + 1.0
    assert 20.0 <= fleet.at < 20.6


def frames(at: float) -> str:
    """A web socket whose client goes on sending and is not answered."""
    return figures(10, 2000 + 100 * at, sent=300, sent_ago=9000)


def upload(at: float) -> str:
    """One request that is longer than all the rest."""
    return figures(1, 1e6 + 1e5 * at, sent=0, sent_ago=90_000)


def checks(at: float) -> str:
    """Each of two nodes opens a connection now and then."""
    return "".join(ended(at, f"10.0.0.{node}") for node in (8, 9) if int(2 * at) % 10 == node - 8)


@pytest.mark.parametrize(
    "says",
    [
        lambda _: "",
        lambda _: figures(90_000, 100),
        lambda at: ended(at, "127.0.0.1"),
        lambda at: figures(90_000, 100) if at < 15 else CUT * (at < 15.5),
        lambda _: line(0),
        frames,
        upload,
        checks,
    ],
    ids=[
        *("nothing", "before the deregistration", "the host itself", "cut while idle"),
        *("opened and silent", "a web socket", "an upload", "health checks"),
    ],
)
def test_what_is_no_request_is_none(says: Callable[[float], str]) -> None:
    fleet = observed(says)
    assert fleet.last <= 0.1
    assert fleet.seen.count == 0


def test_what_came_before_the_first_look_may_have_been_a_request() -> None:
    fleet = Observed(lambda _: "", at=2.0)
    DRAIN.run(cast("Fleet", fleet))
    assert fleet.last == 2.0


class Unaware(Observed):
    """A fleet in threads; the API shows the target out when its host was looked at three times."""

    def __init__(self, says: Callable[[float], str]) -> None:
        super().__init__(says)
        self.looked = threading.Event()

    def together(self, acts: Sequence[Callable[[], None]], at_a_time: int) -> None:
        Crew().together(acts, at_a_time)

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        if len(self.looks) > 2:
            self.looked.set()
        return super().ask(script, timeout_seconds)

    def until_out(
        self, host: object, app: object, moment: float, timeout: float
    ) -> Membership | None:
        assert self.looked.wait(5)
        return super().until_out(host, app, moment, timeout)


def test_the_host_is_watched_while_the_api_still_shows_its_target() -> None:
    fleet = Unaware(kept(1.0))
    DRAIN.run(cast("Fleet", fleet))
    assert Moment.SEEN_OUT in fleet.moments
    assert fleet.last <= 2.0


def test_a_target_that_stays_is_an_error() -> None:
    fleet = Observed(lambda _: "", health=HEALTHY)
    with pytest.raises(BalancerError, match="something else registers it again"):
        DRAIN.run(cast("Fleet", fleet))


def test_what_could_not_be_seen_is_no_measurement() -> None:
    with pytest.raises(RemoteError, match="nothing was measured"):
        DRAIN.run(cast("Fleet", Observed(lambda at: "no ss" if 3 < at < 5 else "")))


SERVED: dict[str, tuple[Callable[[float], str], float, int, int]] = {
    "a connection for each request": (once(99.0), 6.0, 10, 1),
    "a connection that is kept": (kept(99.0), 6.0, 11, 1),
    "enough at once": (lambda at: once(99.0)(at) + kept(99.0)(at), 3.0, 9, 1),
    "nothing": (lambda _: "", 15.0, 0, 0),
    "health checks": (checks, 15.0, 0, 2),
}


@pytest.mark.parametrize("name", SERVED)
def test_what_brings_requests_before_is_counted_until_there_is_enough(name: str) -> None:
    """A connection of its own counts once its peer had one in the sample before, too."""
    says, seconds, count, peers = SERVED[name]
    fleet = Observed(says)
    SERVING.run(cast("Fleet", fleet))
    seen = fleet.seen
    assert (seen.watched_seconds, seen.count, len(seen.peers)) == (seconds, count, peers)
    assert seconds <= fleet.at < seconds + 0.6


def test_an_end_is_heeded() -> None:
    with pytest.raises(Stopped):
        DRAIN.run(cast("Fleet", Observed(once(99.0), stop_at=5.0)))
    with pytest.raises(Stopped):
        SERVING.run(cast("Fleet", Observed(lambda _: "", stop_at=1)))
