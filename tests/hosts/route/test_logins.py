"""Turns at a machine are bounded, and one login serves all who want it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from deploy.clock import Clock
from deploy.hosts.route.logins import MOST_AT_ONCE, Logins
from deploy.hosts.route.single_flight import SingleFlight

LONGEST_SECONDS = 10.0


class Fleeting(Exception):
    """What may pass."""


def is_fleeting(error: BaseException) -> bool:
    return isinstance(error, Fleeting)


class Paper(Clock):
    """Time that goes on where a wait would be."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_what_may_pass_is_tried_again_with_jitter_until_its_time_is_up() -> None:
    clocks = [Paper(), Paper()]
    for clock in clocks:

        def fail() -> None:
            raise Fleeting

        with pytest.raises(Fleeting):
            Logins(clock).take("jump", fail, is_fleeting, 10.0)
        assert 10 <= clock.now < 10 + 5
        assert len(clock.pauses) > 3
    assert clocks[0].pauses != clocks[1].pauses


def test_what_does_not_pass_is_raised_at_once() -> None:
    clock = Paper()
    with pytest.raises(OSError, match="down"):
        Logins(clock).take("jump", _down, is_fleeting, 10.0)
    assert clock.pauses == []


def _down() -> None:
    raise OSError("down")


def test_each_machine_has_its_own_turns_and_gives_them_back() -> None:
    logins, under_way, most = Logins(), set[int](), [0]
    lock = threading.Lock()

    def log_in(number: int) -> None:
        with lock:
            under_way.add(number)
            most[0] = max(most[0], len(under_way))
        threading.Event().wait(0.05)
        with lock:
            under_way.discard(number)
        if number % 5 == 0:
            raise OSError("refused")

    def take(number: int, machine: str) -> bool:
        try:
            logins.take(machine, lambda: log_in(number), is_fleeting, LONGEST_SECONDS)
        except OSError:
            return False
        return True

    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(take, range(40), ["one"] * 40)) == 32
        assert most[0] == MOST_AT_ONCE
        list(pool.map(take, range(40), ["one", "two"] * 20))
        assert most[0] > MOST_AT_ONCE


def test_hosts_that_are_down_hold_up_no_others_for_long() -> None:
    logins, ends = Logins(), threading.Event()

    def down() -> None:
        ends.wait(LONGEST_SECONDS)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        for _ in range(MOST_AT_ONCE):
            pool.submit(logins.take, "one", down, is_fleeting, LONGEST_SECONDS)
        began = time.monotonic()
        logins.take("one", lambda: None, is_fleeting, 0.3)
        assert 0.2 < time.monotonic() - began < LONGEST_SECONDS
        ends.set()


@pytest.mark.parametrize("error", [None, OSError("refused"), SystemExit(1)])
def test_one_acts_for_all_who_come_meanwhile(error: BaseException | None) -> None:
    """An end of the thread that acts is no end of those that wait."""
    flight, begun, goes_on = SingleFlight(), threading.Event(), threading.Event()
    acted: list[int] = []

    def act() -> None:
        acted.append(1)
        begun.set()
        assert goes_on.wait(LONGEST_SECONDS)
        if error:
            raise error

    def outcome() -> str:
        try:
            flight.join(act)
        except (OSError, EOFError, SystemExit) as raised:
            return type(raised).__name__
        return "done"

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(outcome)
        assert begun.wait(LONGEST_SECONDS)
        others = [pool.submit(outcome) for _ in range(4)]
        end = time.monotonic() + LONGEST_SECONDS
        waits = cast("Any", flight._under_way)._condition._waiters
        while len(waits) < len(others) and time.monotonic() < end:
            threading.Event().wait(0.01)
        goes_on.set()
        kind = type(error).__name__ if error else "done"
        assert first.result() == kind
        expected = "EOFError" if isinstance(error, SystemExit) else kind
        assert {each.result() for each in others} == {expected}
    assert acted == [1]
    goes_on.set()
    outcome()
    assert acted == [1, 1], "what was, is over"


def test_a_failure_that_holds_is_that_of_those_who_come_later() -> None:
    clock, acted = Paper(), []
    flight = SingleFlight(lambda error: 5.0 if "key" in str(error) else 0.0, clock)

    def act(words: str) -> None:
        acted.append(words)
        if words:
            raise OSError(words)

    def outcome(words: str) -> str:
        try:
            flight.join(lambda: act(words))
        except OSError as raised:
            return str(raised)
        return "done"

    assert [outcome(words) for words in ("silent", "no key", "")] == ["silent", "no key", "no key"]
    assert acted == ["silent", "no key"]
    clock.sleep(4.9)
    assert outcome("") == "no key"
    clock.sleep(0.2)
    assert outcome("") == "done"
