"""P3 by users' own requests: what the step asks, what it takes for an answer, and when it fails."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Any, cast

import builders
import pytest
from builders import HEALTHY, NEW, UNHEALTHY

from deploy.aws.targets import Target
from deploy.clock import Clock, Waited
from deploy.errors import NotProven
from deploy.front.client import NoAnswer
from deploy.hosts.probe.request import Head, Request
from deploy.smoke.through_balancer import ASKING_SECONDS, TRIES, PassSmokeTests
from deploy.steps.fleet import Fleet
from smoke.paper import app, old, planned

GROUP = builders.group()
BY_NEW, BY_OLD = ("X-Version: 2.0.0",), ("X-Version: 1.0.0",)


class PaperClock(Clock):
    """Goes on where a wait would be."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, on: Waited, seconds: float) -> bool:
        self.now += seconds
        return on.wait(0)


@dataclass
class Poller:
    """Shows so many targets, of which so many serve."""

    serving: int
    sick: int = 1

    def latest(self, group: object) -> Any:
        assert group == GROUP
        states = [HEALTHY] * self.serving + [UNHEALTHY] * self.sick
        targets = {Target(f"i-{n}", 5000): state for n, state in enumerate(states)}
        return type("Reading", (), {"targets": targets})


@dataclass
class Listener:
    """Answers in turn with what it was given, again and again; an error is raised."""

    answers: list[Head | NoAnswer]
    asked: list[tuple[Request, int]] = field(default_factory=list)
    clock: PaperClock = field(default_factory=PaperClock)
    seconds: float = 0.01

    def __call__(self, request: Request, number: int, timeout_seconds: float) -> Head:
        assert timeout_seconds == 10.0
        self.asked.append((request, number))
        self.clock.now += self.seconds
        answer = self.answers[(len(self.asked) - 1) % len(self.answers)]
        if isinstance(answer, NoAnswer):
            raise answer
        return answer


@dataclass
class Said:
    """What the screen was told."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, host: str, text: str) -> None:
        self.lines.append(f"{host}: {text}")


def step(smoke: list[dict[str, Any]] | None = None, header: str = "") -> PassSmokeTests:
    through = {"url": "https://www.example.org"} | ({"release_header": header} if header else {})
    web = app(smoke=smoke or [{"path": "/cart"}], smoke_through=through)
    steps = planned(old(4), web, batch=1).steps
    return next(step for step in steps if isinstance(step, PassSmokeTests))


def passed(
    asked: PassSmokeTests,
    listener: Listener,
    serving: int = 4,
    stop: threading.Event | None = None,
) -> Said:
    said = Said()
    fleet = Fleet({}, {"web": (GROUP,)}, cast("Any", None), cast("Any", Poller(serving)))
    fleet.clock, fleet.front, fleet.tell = listener.clock, listener, said
    fleet.stop = stop or fleet.stop
    asked.run(fleet)
    return said


def failed(asked: PassSmokeTests, listener: Listener) -> NotProven:
    with pytest.raises(NotProven) as raised:
        passed(asked, listener)
    assert not raised.value.may_pass
    return raised.value


def test_without_a_name_so_many_answers_must_be_right_that_the_new_one_is_hardly_missed() -> None:
    listener = Listener([Head(200)])
    said = passed(step(), listener)
    assert [number for _, number in listener.asked] == list(range(25))
    assert said.lines[-1] == (
        "host-1: smoke test passed: answer 200 from https://www.example.org/cart"
    )


def test_one_wrong_answer_without_a_name_fails_it_and_blames_nobody() -> None:
    listener = Listener([Head(200), Head(200), Head(500)])
    error = failed(step(), listener)
    assert str(error) == (
        "host-1: web failed the smoke test `GET https://www.example.org/cart gives 200` through "
        "the load balancer: answer 500, to request 3. Which release gave it is not known; "
        "`release_header` under `smoke_through` can show it"
    )
    assert not error.blames_release
    assert len(listener.asked) == 3


def test_a_wrong_answer_of_the_new_release_blames_it_and_one_of_the_old_does_not_count() -> None:
    listener = Listener([Head(500, BY_OLD), Head(200, BY_OLD), Head(404, BY_NEW)])
    error = failed(step(header="X-Version"), listener)
    assert str(error).endswith("through the load balancer: answer 404 with X-Version: 2.0.0")
    assert error.blames_release
    assert len(listener.asked) == 3


def test_with_a_name_three_right_answers_of_the_new_release_are_enough() -> None:
    listener = Listener([Head(404, BY_OLD), Head(200, BY_NEW)])
    passed(step(header="X-Version"), listener)
    assert len(listener.asked) == 6


def test_a_release_that_is_never_seen_to_answer_has_not_passed() -> None:
    error = failed(step(header="X-Version"), Listener([Head(200, BY_OLD)]))
    assert str(error).endswith(
        "none of 25 answers has `X-Version: 2.0.0`, the last was answer 200 with X-Version: 1.0.0"
    )
    assert not error.blames_release


def test_what_only_the_new_release_answers_has_to_come_once() -> None:
    tests = [{"path": "/new", "new": True}]
    listener = Listener([Head(404), Head(404), Head(200)])
    passed(step(tests), listener)
    assert len(listener.asked) == 3
    error = failed(step(tests), Listener([Head(404)]))
    assert str(error).endswith("none of 25 answers was right, the last was answer 404")


def test_each_test_is_asked_and_the_first_that_fails_ends_it() -> None:
    listener = Listener([Head(404)])
    failed(step([{"path": "/a", "expect": "404"}, {"path": "/b"}, {"path": "/c"}]), listener)
    assert [request.path for request, _ in listener.asked] == ["/a"] * 25 + ["/b"]


def test_a_request_without_an_answer_is_asked_again_and_at_another_node() -> None:
    listener = Listener([NoAnswer("no answer within 10 s"), Head(200)])
    passed(step([{"path": "/new", "new": True}]), listener)
    assert [number for _, number in listener.asked] == [0, 1]


def test_no_answer_at_all_is_not_said_to_be_the_releases_fault() -> None:
    listener = Listener([NoAnswer("no connection: Connection refused")])
    error = failed(step(), listener)
    assert str(error).endswith(
        "through the load balancer: no answer, asked 3 times: no connection: Connection refused. "
        f"Whether {NEW} is to blame is not known: see whether https://www.example.org can be "
        "reached from here"
    )
    assert not error.blames_release
    assert len(listener.asked) == TRIES


def test_a_slow_listener_is_not_asked_for_ever() -> None:
    listener = Listener([Head(200)], seconds=4.0)
    passed(step(), listener)
    assert len(listener.asked) == 8
    assert listener.clock.now < step().longest_seconds(())
    error = failed(step(header="X-Version"), Listener([Head(200, BY_OLD)], seconds=4.0))
    assert "none of 8 answers has `X-Version: 2.0.0`" in str(error)


def test_it_never_takes_longer_than_it_says() -> None:
    listener = Listener([NoAnswer("no answer"), NoAnswer("no answer"), Head(200)], seconds=9.9)
    passed(step(), listener)
    assert ASKING_SECONDS < listener.clock.now < step().longest_seconds(())


def test_an_end_that_the_operator_wants_ends_it_as_it_ends_a_soak() -> None:
    stop = threading.Event()
    stop.set()
    listener = Listener([Head(200)])
    passed(step(), listener, stop=stop)
    assert not listener.asked


def test_the_fewer_serve_the_fewer_are_asked_and_hosts_of_a_batch_share_them() -> None:
    alone, shared = Listener([Head(200)]), Listener([Head(200)])
    passed(step(), alone, serving=1)
    passed(replace(step(), at_once=3), shared, serving=12)
    assert (len(alone.asked), len(shared.asked)) == (3, 25)


def test_what_a_hostile_answer_holds_is_made_safe_to_show() -> None:
    head = Head(200, ("X-Version: \x1b[2Jgone\u202e",))
    error = failed(step(header="X-Version"), Listener([head]))
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)
