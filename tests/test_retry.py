"""What a network that was down for a moment has spoiled is done again, and nothing else is."""

from __future__ import annotations

import pytest
from simulated.clock import Clock

from deploy import retry
from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, DeployError, LockLost


class Flaky:
    """Fails with these errors in turn, then answers."""

    def __init__(self, *errors: DeployError) -> None:
        self.errors, self.tries = list(errors), 0

    def __call__(self) -> str:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_a_lost_connection_is_tried_again_and_told() -> None:
    told: list[str] = []
    act = Flaky(ConnectionLost("web-1: gone"), ConnectionLost("web-1: still gone"))
    assert retry.patiently(act, told.append) == "done"
    assert told == ["tried again: web-1: gone", "tried again: web-1: still gone"]


@pytest.mark.parametrize(
    "error",
    [
        CommandFailed("web-1", "stop", CommandResult("x", 1, "", "no")),
        DeployError("no"),
        LockLost("another deploy took it over"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_pass_is_raised_at_once(error: DeployError) -> None:
    act = Flaky(error)
    with pytest.raises(type(error)):
        retry.patiently(act, lambda _: None)
    assert act.tries == 1


def test_the_last_error_is_raised_when_the_time_is_up() -> None:
    """By a clock of its own: a busy machine takes no time away from it."""
    clock = Clock()
    act = Flaky(*(ConnectionLost(f"web-1: {number}") for number in range(100)))
    with pytest.raises(ConnectionLost):
        retry.patiently(act, lambda _: None, 0.3, clock)
    assert 1 < act.tries < 20


def test_without_patience_there_is_one_try() -> None:
    act = Flaky(ConnectionLost("web-1: gone"))
    with pytest.raises(ConnectionLost):
        retry.patiently(act, lambda _: None, 0)
    assert act.tries == 1


def test_what_took_long_until_it_broke_is_tried_again() -> None:
    """A stop of 70 s whose connection breaks: the time counts from the failure on."""
    clock, tries = Clock(), list[float]()

    def act() -> str:
        tries.append(clock.monotonic())
        if len(tries) == 1:
            clock.sleep(70)
            raise ConnectionLost("web-1: gone")
        return "done"

    assert retry.patiently(act, lambda _: None, clock=clock) == "done"
    assert len(tries) == 2
