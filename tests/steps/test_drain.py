"""A drain until quiet lasts its floor at least, the delay at most, and as long as it sees work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest
import run_entries
from builders import HEALTHY
from plan.test_assembly import made, old

from deploy.aws.targets import Health, State
from deploy.command_result import CommandResult
from deploy.errors import (
    BadInput,
    BalancerError,
    CommandFailed,
    ConnectionLost,
    DeployError,
    RemoteError,
)
from deploy.plan import advice, host_steps
from deploy.recovery import failed_host
from deploy.steps.drain import LEAST_LOOKS, WaitDrained, WaitQuiet
from deploy.steps.fleet import Moment, Stopped
from deploy.survey.slot import Listener, Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.hosts.scripts.script import Script
    from deploy.steps.fleet import Fleet
    from deploy.survey.app_on_host import Membership

T = TypeVar("T")
WEB = builders.app()
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
STEP = WaitQuiet(builders.host(), WEB.at(5000), floor_seconds=15.0, quiet_seconds=5.0, seconds=60.0)
MEMBER = builders.survey().on(builders.host(), WEB).memberships[0]
IDLE = "0 0 10.0.0.1:5000 10.0.0.9:4{n:04} cubic bytes_sent:9 bytes_received:9 segs_in:4\n"
BUSY = "0 0 10.0.0.1:5000 10.0.0.9:4{n:04} cubic bytes_received:9 segs_in:3 lastsnd:90\n"

LISTENER = Listener(100, "web@5000.service", "web")
SERVING = builders.slot(listeners=(LISTENER,))
QUIET: dict[str, Any] = {"rollout": {"drain": "quiet"}}


def kernel(busy: int, idle: int = 3) -> str:
    """What `ss` says of so many connections, each with its own port."""
    return "".join(
        (BUSY if number < busy else IDLE).format(n=number) for number in range(busy + idle)
    )


@dataclass
class PaperFleet:
    """One host whose kernel says what the test has it say at a time, and a clock that jumps.

    at: seconds since the deregistration; looks: when the kernel was asked; latency_seconds: how
    long its answers are on their way.
    """

    says: Callable[[float], str]
    health: Health = DRAINING
    stop_at: float = float("inf")
    at: float = 0.0
    looks: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    ports: set[tuple[object, ...]] = field(default_factory=set)
    limits: list[float] = field(default_factory=list)
    read_at: float | None = None
    latency_seconds: float = 0.0
    propagation_seconds: float = 15.0
    ignore_peers: tuple[IPv4Network, ...] = ()

    @property
    def stop(self) -> PaperFleet:
        return self

    @property
    def clock(self) -> PaperFleet:
        return self

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.at += seconds

    def wait(self, on: object, seconds: float) -> bool:
        assert on is self.stop
        self.sleep(seconds)
        return self.at >= self.stop_at

    def marked(self, host: object, app: object, what: Moment) -> float:
        del host, app
        assert what is Moment.DEREGISTERED
        return 0.0

    def remote(self, host: object) -> PaperFleet:
        del host
        return self

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        self.looks.append(self.at)
        self.limits.append(timeout_seconds)
        (program,) = script.programs
        watched_seconds = float(program.arguments[0])
        self.ports.add(program.arguments[1:])
        if isinstance(self.says, Requests):
            self.says.seconds = watched_seconds
        said = self.says(self.at)
        if not watched_seconds:  # a look does not show what has ended
            kept = (
                line for line in said.splitlines(keepends=True) if not line.startswith("UNCONN")
            )
            said = "".join(kept)
        self.at += (watched_seconds or 0.01) + self.latency_seconds
        if said == "no ss":
            raise CommandFailed("host-1", script.name, CommandResult(str(script), 1, said, ""))
        return script.parse(CommandResult(str(script), 0, said, ""))

    def tell(self, host: str, text: str) -> None:
        del host
        self.told.append(text)

    def remark(self, host: str, text: str) -> None:
        assert host == "host-1"
        self.remarks.append(text)

    def until_out(
        self, host: object, app: object, moment: float, timeout: float
    ) -> Membership | None:
        del host, app, timeout
        self.read_at = moment
        return MEMBER._replace(health=self.health) if self.health.may_receive else None


@pytest.fixture
def drain() -> Callable[..., PaperFleet]:
    def run(
        says: Callable[[float], str], step: WaitQuiet | WaitDrained = STEP, **more: Any
    ) -> PaperFleet:
        fleet = PaperFleet(says, **more)
        step.run(cast("Fleet", fleet))
        return fleet

    return run


Drain = Any


def test_a_quiet_host_drains_for_the_floor_and_is_looked_at_only_towards_its_end(
    drain: Drain,
) -> None:
    fleet = drain(lambda _: kernel(0))
    assert 15.0 <= fleet.at < 15.6
    assert min(fleet.looks) == 10.0
    assert 9 <= len(fleet.looks) <= 12
    assert fleet.read_at == pytest.approx(fleet.at)


@pytest.mark.parametrize("until", [10.2, 12.0, 16.0, 40.0])
def test_a_busy_connection_lengthens_the_drain_until_all_were_quiet_long_enough(
    drain: Drain, until: float
) -> None:
    fleet = drain(lambda at: kernel(1 if at < until else 0))
    assert max(15.0, until + 5.0) <= fleet.at < max(15.6, until + 6.1)


@pytest.mark.parametrize("busy_until", [0.0, 16.0])
def test_the_time_that_an_answer_is_on_its_way_is_not_quiet(
    drain: Drain, busy_until: float
) -> None:
    fleet = drain(lambda at: kernel(1 if at < busy_until else 0), latency_seconds=2.0)
    first = next(at for at in fleet.looks if at >= busy_until)
    known = first + (0.0 if busy_until else 2.5), fleet.looks[-1] + 0.5
    assert known[1] - known[0] >= 5.0, "between what is surely the first quiet moment and the last"


def test_a_connection_that_ends_with_its_answer_was_busy_until_then(drain: Drain) -> None:
    def says(at: float) -> str:
        if at < 15.5:
            return BUSY.format(n=0)
        ended = BUSY.format(n=0).replace("received:9", "received:10 bytes_sent:9")
        return f"UNCONN {ended}" if at <= 15.7 < at + 0.5 else ""

    assert 15.7 + 5.0 <= drain(says).at < 15.7 + 6.1


def test_one_busy_look_begins_the_count_anew(drain: Drain) -> None:
    fleet = drain(lambda at: kernel(1 if 14.4 < at < 15.0 else 0))
    assert 19.5 <= fleet.at < 21.5


def test_bytes_that_move_between_two_looks_are_busy(drain: Drain) -> None:
    def streams(at: float) -> str:
        sent = int(at) if at < 30 else 30
        return (
            "0 0 10.0.0.1:5000 10.0.0.9:40001\n"
            f"\t cubic bytes_sent:{sent} bytes_received:9 segs_in:4 lastrcv:900\n"
        )

    assert 35.0 <= drain(streams).at < 36.5


def test_what_the_host_itself_asks_is_no_work(drain: Drain) -> None:
    assert drain(lambda at: ended(at, "127.0.0.1")).at < 15.6
    assert drain(ended, ignore_peers=(ip_network("10.0.0.9/32"),)).at < 15.6


def test_it_never_lasts_longer_than_the_delay(drain: Drain) -> None:
    fleet = drain(lambda _: kernel(2))
    assert 60.0 <= fleet.at < 60.5
    assert fleet.limits[-1] <= 0.5


def test_a_floor_below_the_quiet_seconds_still_wants_them_all(drain: Drain) -> None:
    fleet = drain(lambda _: kernel(0), replace(STEP, floor_seconds=2.0))
    assert 5.0 <= fleet.at < 5.6
    assert min(fleet.looks) == 0.0


def test_begun_again_late_it_still_looks_for_the_quiet_seconds(drain: Drain) -> None:
    """After a broken connection, or behind another app's drain: nothing was seen before."""
    fleet = drain(lambda _: kernel(0), at=30.0)
    assert 35.0 <= fleet.at < 35.6
    late = drain(lambda _: kernel(0), at=61.0)
    assert len(late.looks) == LEAST_LOOKS, "its own time was over, and nobody had looked"
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(ended, at=61.0)


def test_the_display_says_what_it_sees(drain: Drain) -> None:
    busy = {10: 2, 11: 1}
    told = drain(lambda at: kernel(busy.get(int(at), 0))).told
    assert told[0] == "draining for 0 of 15 to 60 s"
    assert "2 connections busy, quiet for 0 of 5 s; draining for 10 of 15 to 60 s" in told
    assert "1 connection busy, quiet for 0 of 5 s; draining for 12 of 15 to 60 s" in told
    assert "0 connections busy, quiet for 2 of 5 s; draining for 15 of 15 to 60 s" in told


@pytest.mark.parametrize(
    "error",
    [ConnectionLost("the connection broke"), RemoteError("no end after 5 s"), None],
    ids=["broken", "hung", "ss fails"],
)
def test_what_cannot_be_seen_is_not_quiet(drain: Drain, error: DeployError | None) -> None:
    """It begins the count anew, and where it lasts, the drain is the whole delay."""

    def broken(at: float) -> str:
        if error:
            raise error
        assert at
        return "no ss"

    fleet = drain(lambda at: broken(at) if 13 < at < 14 else kernel(0))
    assert 18.5 <= fleet.at < 20.0
    assert any("cannot be seen" in text for text in fleet.told)
    assert drain(broken).at >= 60.0


def test_a_host_that_may_not_be_trusted_any_more_ends_it(drain: Drain) -> None:
    def changed(_: float) -> str:
        raise BadInput("the host key is not the known one")

    with pytest.raises(BadInput):
        drain(changed)


@pytest.mark.parametrize("at", [3.0, 12.0])
def test_it_heeds_the_operator_unless_told_not_to(drain: Drain, at: float) -> None:
    with pytest.raises(Stopped):
        drain(lambda _: kernel(0), stop_at=at)
    deaf = replace(STEP, heeds_stop=False)
    assert drain(lambda _: kernel(0), deaf, stop_at=at).at >= 15.0


def test_a_target_that_somebody_registered_again_is_an_error(drain: Drain) -> None:
    with pytest.raises(BalancerError, match="something else registered it"):
        drain(lambda _: kernel(0), health=HEALTHY)


def test_a_plan_says_how_it_drains_and_counts_the_floor_alone() -> None:
    hosts = [builders.facts(n, {"web": SERVING}) for n in (1, 2)]
    delay = {"delay_seconds": 300.0}
    found = made(hosts, group=delay, **QUIET)
    text = run_entries.printed(found, is_full=True)
    assert "drain quiet" in text.splitlines()[0]
    assert "  host-1: drain until quiet, 15 to 300 s" in text.splitlines()
    assert found.seconds == made(hosts, group=delay).seconds - 2 * (300 - 15)
    longer = made(hosts, group=delay, quiet_seconds=20.0, **QUIET)
    assert longer.seconds == found.seconds + 2 * (20 - 15)


REFUSED: dict[str, tuple[dict[str, Any], Slot, dict[str, Any], str]] = {
    "drops": (
        {"drains_on_sigterm": False},
        SERVING,
        {},
        "it does not finish its requests on SIGTERM (drains_on_sigterm: false)",
    ),
    "killed early": (
        {"stop_timeout_seconds": 4},
        SERVING,
        {},
        "stop_timeout_seconds of 4 s is under its longest request (5 s)",
    ),
    "HTTP/2": (
        {},
        SERVING,
        {"protocol_version": "HTTP2"},
        "target group web-lab speaks HTTP2, whose connections carry many requests at once",
    ),
    "gRPC": (
        {},
        SERVING,
        {"protocol_version": "GRPC"},
        "target group web-lab speaks GRPC, whose connections carry many requests at once",
    ),
    "addresses": (
        {},
        SERVING,
        {"target_type": "ip"},
        "target group web-lab has targets of type ip, whose addresses cannot come back before the "
        "delay is over",
    ),
    "hidden": (
        {},
        builders.slot(),
        {},
        "no listener on port 5000 is visible in the host's network namespace while "
        "web@5000.service runs",
    ),
    "a proxy": (
        {"target_port": 80},
        SERVING,
        {},
        "its requests come through port 80, and what a proxy has under way does not show",
    ),
    "a wrapper": (
        {},
        builders.slot(listeners=(replace(LISTENER, pid=101),)),
        {},
        "SIGTERM goes to process 100 of web@5000.service, and another one listens on port 5000: a "
        "wrapper may not pass it on; let it end with `exec`",
    ),
    "replaces": (
        {"replaces": "old.service"},
        Slot(replaces=UnitState("loaded", "active", "running", "enabled", 9)),
        {},
        "it is unknown how old.service, which it replaces, handles SIGTERM",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_where_quiet_is_not_to_be_trusted_the_whole_delay_is_waited_and_said(name: str) -> None:
    settings, slot, group, why = REFUSED[name]
    app = builders.app(longest_request_seconds=5, **settings)
    facts = builders.facts(1, {"web": slot})
    seen = builders.survey([facts], apps=[app], **group)
    wanted = builders.environment(app, **QUIET)
    drained = host_steps.drained(seen.on(facts.host, app), wanted)
    assert drained == WaitDrained(facts.host, app.at(5000), 20.0)
    told = f"web: drains by the whole delay: {why}"
    assert advice.warnings(wanted, (app,), seen) == (told,)
    assert advice.warnings(builders.environment(app), (app,), seen) == ()


def test_a_refusal_on_some_hosts_names_them() -> None:
    hosts = [builders.facts(1, {"web": SERVING}), *old(2), builders.facts(3, {"web": Slot()})]
    found = made(hosts, **QUIET)
    kinds = [type(step) for step in found.steps if isinstance(step, (WaitDrained, WaitQuiet))]
    assert kinds == [WaitQuiet, WaitDrained, WaitQuiet]
    assert [text for text in found.warnings if "on host-2: no listener" in text]


def test_a_bad_release_is_not_trusted_to_finish_on_its_way_back() -> None:
    hosts = [builders.facts(n, {"web": SERVING}) for n in (1, 2)]
    host_plan = made(hosts, **QUIET).batches[0][0]
    way = failed_host.recovery_of(host_plan, host_plan.steps[-2])
    found = [step for step in way.steps if isinstance(step, (WaitDrained, WaitQuiet))]
    assert found == [WaitDrained(host_plan.host, WEB.at(5000), 20.0, heeds_stop=False)]
    out = failed_host.recovery_of(
        host_plan, next(s for s in host_plan.steps if isinstance(s, WaitQuiet))
    )
    assert [type(step).__name__ for step in out.steps] == [
        "RegisterTarget",
        "WaitHealthy",
        "ForgetOut",
    ]


WAIT = WaitDrained(builders.host(), WEB.at(5000), 60.0)
LINE = "{queued} 0 {local} {peer} cubic lastsnd:9 lastrcv:9 bytes_sent:9 bytes_received:{received} "
LINE += "segs_in:4\n"


def line(received: float, peer: str = "10.0.0.9:41000", local: str = "10.0.0.1:5000") -> str:
    """A connection that is idle, and has brought so many bytes."""
    return LINE.format(queued=0, local=local, peer=peer, received=int(received))


def used(at: float, **ends: str) -> str:
    """An old connection that is used again and again: more bytes at each look."""
    return line(1000 + 100 * at, **ends)


def opened(at: float) -> str:
    """A connection that was opened after every load balancer knew, and has brought a request."""
    return line(100) if at > 30 else ""


def short(at: float) -> str:
    """A connection for each request, which a look may find."""
    return line(100, peer=f"10.0.0.9:{40000 + int(100 * at)}")


def ended(at: float, address: str = "10.0.0.9") -> str:
    """A connection for each request, over before a look can find it; the kernel reports its end."""
    return "UNCONN " + line(100, peer=f"{address}:{40000 + int(100 * at)}")


@pytest.mark.parametrize(
    "says",
    [used, opened, short, ended],
    ids=["used again", "opened since", "a connection each", "ended before the look"],
)
@pytest.mark.parametrize("step", [WAIT, STEP], ids=["wait", "quiet"])
def test_p1_what_still_gets_requests_is_not_stopped(
    drain: Drain, step: WaitQuiet | WaitDrained, says: Callable[[float], str]
) -> None:
    if isinstance(step, WaitQuiet):  # which ends before that, where nothing is busy
        real = says
        says = real if real is used or real is ended else lambda at: kernel(1) + real(at)
    with pytest.raises(BalancerError, match=r"still reach port 5000 .* from 10\.0\.0\.9 \(1 conn"):
        drain(says, step)


def test_p1_a_delay_as_short_as_the_floor_still_shows_who_sends(drain: Drain) -> None:
    step = replace(STEP, floor_seconds=2.0, quiet_seconds=1.0, seconds=3.0)
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(ended, step, propagation_seconds=2.0)
    assert drain(lambda _: "", step).at < 2.6


@pytest.mark.parametrize(
    "says",
    [
        lambda at: used(at, peer="127.0.0.1:41000"),
        lambda at: used(at, peer="10.0.0.1:41000"),
        lambda at: used(at, peer="[::1]:41000", local="[::1]:5000"),
        lambda at: used(at, peer="[::ffff:10.0.0.1]:41000", local="[::ffff:10.0.0.1]:5000"),
        lambda at: used(at, peer="10.9.1.1:41000"),
        lambda _: line(100),
        lambda at: line(0) if at > 30 else "",
        lambda at: line(100) if at < 55 else f"UNCONN {line(101)}",
        lambda at: ended(at, "127.0.0.1"),
    ],
    ids=[
        *("loopback", "the host itself", "IPv6 loopback", "the host in a socket for both"),
        *("ignored", "old and idle", "opened and silent"),
        *("closed at last", "questions of the host's own"),
    ],
)
def test_what_is_no_evidence_ends_a_drain_in_its_time(
    drain: Drain, says: Callable[[float], str]
) -> None:
    fleet = drain(says, WAIT, ignore_peers=(ip_network("10.9.0.0/16"),))
    assert 60.0 <= fleet.at < 60.2
    assert len(fleet.looks) == 5


def test_what_the_load_balancer_cuts_late_is_waited_for(drain: Drain) -> None:
    """A web socket whose user types until it is cut, 8 s after the delay."""
    fleet = drain(lambda at: used(at) if at < 68 else "", WAIT)
    assert 70.5 <= fleet.at < 71.5
    assert any("requests still arrive from 10.0.0.9 (1 connection)" in each for each in fleet.told)


@dataclass
class Requests:
    """A connection for each request, of one peer after the other, over in a moment.

    A look sees those that end while it watches; seconds: for how long it does.
    """

    times: Sequence[float]
    peers: Sequence[str] = ("10.0.0.9",)
    seconds: float = 0.0

    def __call__(self, at: float) -> str:
        return "".join(
            "UNCONN " + line(100, peer=f"{self.peers[number % len(self.peers)]}:{40000 + number}")
            for number, moment in enumerate(self.times)
            if at <= moment < at + self.seconds
        )


def at_times(*times: float, peers: Sequence[str] = ("10.0.0.9",)) -> Requests:
    """Requests at these times."""
    return Requests(times, peers)


def test_what_one_sample_showed_is_looked_into_though_the_next_shows_nothing(drain: Drain) -> None:
    """An old connection that was used after every load balancer knew, and is idle since.

    A web socket of a load balancer's own ends so, too: nothing is accused without new evidence.
    """
    fleet = drain(lambda at: used(min(at, 40.0)), WAIT)
    assert 67.0 <= fleet.at < 68.5
    cut = drain(lambda at: used(min(at, 40.0)) if at < 59 else "", WAIT)
    assert cut.at < 61.0, "it was cut with the delay, and opened again by nobody"


def used_at(*times: float) -> Callable[[float], str]:
    """An old connection, idle but for a request at each of these times."""
    return lambda at: line(100 + 100 * sum(at > moment for moment in times))


@pytest.mark.parametrize(
    ("step", "times"),
    [(WAIT, (30.0, 62.0, 72.0, 84.0)), (STEP, (14.0, 18.0, *range(27, 99, 9)))],
    ids=["wait: between two samples and after the delay", "quiet: idle for longer than it asks"],
)
def test_p1_an_idle_connection_that_is_used_now_and_then_is_seen(
    drain: Drain, step: WaitQuiet | WaitDrained, times: Sequence[float]
) -> None:
    with pytest.raises(BalancerError, match=r"still reach port 5000 .* from 10\.0\.0\.9 \(1 conn"):
        drain(used_at(*times), step)


def test_a_web_socket_in_use_lengthens_a_quiet_drain_and_accuses_nobody(drain: Drain) -> None:
    """The load balancer's own node may send by it until the delay is over, and cuts it then."""
    typed = used_at(14.0, 18.0, 30.0, 42.0, 54.0)
    assert 60.0 <= drain(lambda at: typed(at) if at < 60 else "").at < 61.5
    assert 18.0 + 15.0 <= drain(used_at(14.0, 18.0)).at < 18.0 + 17.0


def test_p1_nodes_that_take_turns_are_seen_though_none_sends_twice(drain: Drain) -> None:
    """Two nodes of a load balancer that nobody named, each with a connection for each request."""
    nodes = [f"10.0.0.{number}" for number in range(20, 60)]
    turns = at_times(*(50.5 + 2 * number for number in range(40)), peers=nodes)
    with pytest.raises(BalancerError, match=r"from 10\.0\.0\.20 \(1 connection\), .* more, so"):
        drain(turns, WAIT)


@pytest.mark.parametrize("start", [50.1, 51.0, 52.0, 52.9])
@pytest.mark.parametrize("pause", [3.0, 7.0])
def test_p1_a_request_every_few_seconds_is_seen(drain: Drain, start: float, pause: float) -> None:
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(at_times(*(start + pause * number for number in range(40))), WAIT)


@pytest.mark.parametrize("moment", [51.0, 57.0])
def test_one_request_that_came_late_is_waited_for_and_nobody_is_accused(
    drain: Drain, moment: float
) -> None:
    """A node that heard of the deregistration later than any should."""
    fleet = drain(at_times(moment), WAIT)
    assert fleet.propagation_seconds <= fleet.at - moment < fleet.propagation_seconds + 5.0
    assert any("requests still arrive from 10.0.0.9" in each for each in fleet.told)


def test_control_what_was_seen_to_send_is_not_stopped_unseen(drain: Drain) -> None:
    """`ss` fails from then on: that nothing sends any more was not seen."""
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(lambda at: used(at) if at < 60 else "no ss", WAIT)


OUT = replace(WAIT, seconds=15.0, is_out=True)


def test_what_is_out_already_is_looked_at_for_a_moment_that_counts_from_its_own_beginning(
    drain: Drain,
) -> None:
    fleet = drain(lambda _: kernel(0), OUT, at=500.0)
    assert 515.0 <= fleet.at < 515.2
    assert fleet.looks == pytest.approx([500.0, 505.0, 507.5, 510.0, 512.5], abs=0.1), (
        "watched for 10 s"
    )
    assert "watching for requests, 0 of 15 s" in fleet.told


@pytest.mark.parametrize("says", [used, ended, short], ids=["used again", "ended", "short"])
def test_p1_what_is_out_and_gets_requests_by_another_way_is_not_stopped(
    drain: Drain, says: Callable[[float], str]
) -> None:
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(says, OUT, at=500.0)


def test_an_end_is_heeded_while_what_is_out_is_looked_at(drain: Drain) -> None:
    with pytest.raises(Stopped):
        drain(lambda _: kernel(0), OUT, at=500.0, stop_at=505.0)


def test_p1_behind_a_proxy_what_comes_to_the_apps_own_port_is_seen(drain: Drain) -> None:
    """The proxy's own connections are the host's; a client that goes past it is not."""
    step = replace(WAIT, app=builders.app(target_port=80).at(5000))

    def proxied(at: float) -> str:
        return used(at, peer="127.0.0.1:50000", local="127.0.0.1:5000")

    def past_it(at: float) -> str:
        return proxied(at) + used(at, peer="10.0.0.7:41000")

    fleet = drain(proxied, step)
    assert fleet.at < 60.2
    assert fleet.ports == {("80", "5000")}
    with pytest.raises(BalancerError, match=r"still reach port 5000 .* from 10\.0\.0\.7"):
        drain(past_it, step)
    with pytest.raises(BalancerError, match=r"still reach ports 80 and 5000 after"):
        drain(lambda at: past_it(at) + used(at, local="10.0.0.1:80"), step)


def test_requests_that_are_still_under_way_are_counted_and_said(drain: Drain) -> None:
    fleet = drain(lambda _: kernel(2), WAIT)
    assert fleet.remarks == [
        "web@5000.service: 2 connections are still busy at the end of its drain, and will be cut"
    ]
    assert fleet.at < 60.2


@pytest.mark.parametrize("step", [WAIT, STEP], ids=["wait", "quiet"])
def test_a_host_whose_connections_cannot_be_seen_is_drained_with_a_remark(
    drain: Drain, step: WaitQuiet | WaitDrained
) -> None:
    fleet = drain(lambda _: "no ss", step)
    assert fleet.at < 60.6
    (remark,) = fleet.remarks
    assert remark.startswith(
        "web@5000.service: its connections cannot be seen, nor whether requests still arrive: "
    )


def test_a_look_that_fails_once_and_is_made_up_for_is_no_remark(drain: Drain) -> None:
    assert drain(lambda at: "no ss" if 13 < at < 14 else kernel(0)).remarks == []


@pytest.mark.parametrize("propagation_seconds", [0.0, 2.0, 60.0, 120.0])
def test_a_drain_as_short_as_the_propagation_is_looked_at_a_moment_longer(
    drain: Drain, propagation_seconds: float
) -> None:
    step = replace(WAIT, seconds=propagation_seconds)
    fleet = drain(lambda _: "", step, propagation_seconds=propagation_seconds)
    longer = min(5.0, max(propagation_seconds, 1.0))
    assert propagation_seconds + longer <= fleet.at < propagation_seconds + longer + 0.2
    assert len(fleet.looks) == 3


@pytest.mark.parametrize("start", [15.1, 16.0, 17.0, 17.9])
def test_p1_a_delay_as_short_as_the_floor_shows_a_request_every_few_seconds(
    drain: Drain, start: float
) -> None:
    with pytest.raises(BalancerError, match="still reach port 5000"):
        drain(at_times(*(start + 3.0 * n for n in range(40))), replace(WAIT, seconds=15.0))


def test_an_end_is_heeded_while_requests_still_arrive(drain: Drain) -> None:
    with pytest.raises(Stopped):
        drain(used, WAIT, stop_at=62.0)
