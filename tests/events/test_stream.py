"""Each listener hears each event, in one order, whatever becomes of the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count

from deploy.events.event import Entry, Event, HostSaid, LockTaken
from deploy.events.stream import Stream


def test_all_hear_the_same_in_the_same_order_from_many_threads() -> None:
    first, second = list[Entry](), list[Entry]()
    numbers = count()
    stream = Stream({"one": first.append, "two": second.append}, now=lambda: float(next(numbers)))

    def say(number: int) -> None:
        for each in range(50):
            stream.emit(HostSaid(f"host-{number}", str(each)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(say, range(8)))
    assert first == second
    assert [entry.at for entry in first] == [float(number) for number in range(400)]


def test_one_that_fails_is_noted_once_and_keeps_nothing_from_the_others() -> None:
    heard = list[Entry]()

    def fail(_: Entry) -> None:
        raise OSError(5, "no terminal")

    stream = Stream({"showing the progress": fail, "keeping it": heard.append})
    stream.emit(LockTaken())
    stream.emit(LockTaken())
    assert len(heard) == 2
    (defect,) = stream.defects
    assert defect.startswith("showing the progress: a defect in Changeover: OSError")


def test_one_that_comes_later_leaves_again() -> None:
    heard, stream = list[Event](), Stream()
    stream.emit(LockTaken())
    with stream.heard("for a while", lambda entry: heard.append(entry.event)):
        stream.emit(HostSaid("h", "x"))
    stream.emit(LockTaken())
    assert heard == [HostSaid("h", "x")]


def test_a_listener_may_speak_itself() -> None:
    heard, stream = list[Event](), Stream()

    def answer(entry: Entry) -> None:
        heard.append(entry.event)
        if entry.event == LockTaken():
            stream.emit(HostSaid("h", "answer"))

    with stream.heard("answering", answer):
        stream.emit(LockTaken())
    assert heard == [LockTaken(), HostSaid("h", "answer")]
