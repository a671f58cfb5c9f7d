"""A signal while a command runs: before the first change it ends it, later it ends in order."""

from __future__ import annotations

import os
import signal
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.commands import signals as operator_signals
from deploy.commands.signals import AGAIN, STOPPING, Signals
from deploy.events.event import Event, StopAsked
from deploy.screen import streams
from lab.project import until

if TYPE_CHECKING:
    from deploy.run.executor import Execution
    from deploy.screen.console import Screen

PATIENCE_SECONDS = 10.0


class PaperScreen:
    """A screen that remembers what it was given."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.is_asking = False
        self.busy = threading.Lock()

    def complain(self, text: str) -> None:
        with self.busy:
            self.said.append(text)

    def until(self, count: int) -> list[str]:
        """What was said, once it is so many texts."""
        until(f"{count} texts", lambda: len(self.said) >= count, PATIENCE_SECONDS)
        return self.said


@pytest.fixture
def screen() -> PaperScreen:
    return PaperScreen()


@pytest.fixture
def execution() -> Any:
    stops, events = list[int](), list[Event]()
    return SimpleNamespace(stop=stops.append, stops=stops, listen=events.append, events=events)


def signals(screen: PaperScreen) -> Signals:
    return Signals(cast("Screen", screen), "inv repair --env lab")


def raised(number: int) -> None:
    """The signal, as another process sends it."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", Signals.NUMBERS)
def test_before_the_first_change_a_signal_ends_the_command(
    number: int, screen: PaperScreen
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended, signals(screen):
        raised(number)
    assert ended.value.code == 128 + number
    assert screen.said == ["Ended; nothing was changed."]
    assert signal.getsignal(number) is before


def test_a_message_does_not_go_on_in_the_line_of_the_question(screen: PaperScreen) -> None:
    screen.is_asking = True
    with pytest.raises(SystemExit), signals(screen):
        raised(signal.SIGINT)
    assert screen.said == ["\nEnded; nothing was changed."]


def test_once_hosts_change_a_signal_asks_for_an_end_and_says_what_happens(
    screen: PaperScreen, execution: Any
) -> None:
    with signals(screen) as heard:
        heard.guide(cast("Execution", execution))
        raised(signal.SIGTERM)
        assert screen.until(1) == [STOPPING]
        raised(signal.SIGINT)
        assert screen.until(2)[1] == f"Already stopping. {AGAIN}"
        raised(signal.SIGTERM)
        screen.until(3)
    assert execution.stops == [signal.SIGTERM, signal.SIGINT, signal.SIGTERM]
    assert execution.events == [StopAsked(number) for number in execution.stops]


def test_a_signal_speaks_through_another_thread_whatever_the_interrupted_one_holds(
    screen: PaperScreen, execution: Any
) -> None:
    """The handler runs in the main thread, which may just hold the screen's lock."""
    with signals(screen) as heard:
        heard.guide(cast("Execution", execution))
        with screen.busy:
            raised(signal.SIGINT)
            assert execution.stops == [signal.SIGINT], "it came back"
        assert screen.until(1) == [f"{STOPPING} {AGAIN}"]


def test_a_signal_that_came_first_also_ends_the_run_that_begins_after_it(
    screen: PaperScreen, execution: Any
) -> None:
    """Such as the rollback of the finished hosts, after the rollout that it interrupted."""
    stops, events = list[int](), list[Event]()
    rollback: Any = SimpleNamespace(stop=stops.append, listen=events.append)
    with signals(screen) as heard:
        heard.guide(cast("Execution", execution))
        raised(signal.SIGHUP)
        heard.guide(rollback)
    assert execution.stops == stops == [signal.SIGHUP]
    assert {*execution.events, *events} == {StopAsked(signal.SIGHUP)}, "one stream has both"


def test_only_a_second_interrupt_aborts_at_once_and_says_what_to_type(
    screen: PaperScreen, execution: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Any] = []

    def leave(code: int) -> None:
        ended.append(code)
        raise SystemExit(code)

    monkeypatch.setattr(streams, "end", ended.append)
    monkeypatch.setattr(os, "_exit", leave)
    with signals(screen) as heard:
        heard.guide(cast("Execution", execution))
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            raised(number)
        assert not ended
        with pytest.raises(SystemExit):
            raised(signal.SIGINT)
    assert ended == [
        "Aborted at once; hosts may be out of service. Next: inv repair --env lab",
        128 + signal.SIGINT,
    ]


def test_p9_an_aborted_command_releases_its_lock_where_that_is_quick(
    screen: PaperScreen, execution: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a thread of its own, for a while; a third Ctrl-C does not wait for it."""
    done: list[str] = []
    waits = threading.Event()

    def leave(code: int) -> None:
        done.append(f"exit {code}")
        raise SystemExit(code)

    def abandon() -> None:
        assert threading.current_thread() is not threading.main_thread()
        done.append("released")
        waits.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(streams, "end", lambda _: done.append("said"))
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(operator_signals, "RELEASE_SECONDS", 0.2)
    with signals(screen) as heard:
        heard.abandon = abandon
        heard.guide(cast("Execution", execution))
        raised(signal.SIGINT)
        for _ in range(2):
            with pytest.raises(SystemExit):
                raised(signal.SIGINT)
    waits.set()
    assert done == ["said", "released", "exit 130", "exit 130"]
