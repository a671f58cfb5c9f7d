"""The kernel's figures are read from what Debian's `ss` printed on the lab's hosts.

tests/hosts/connections/<suite>/ was captured there with iproute2 5.9, 6.1 and 6.15, on one kernel
(6.18). A port had eight connections, known by their peers' ports (NAMES): `idle` was answered,
`slow` waits for its first answer and `second` for its second, `paused` is in the middle of one,
`fresh` was never asked anything, `unread` was asked what nobody has read, `unsent` has a reader
that does not read, and `chatting` got an answer between `<ends>.txt` and `<ends>-later.txt`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.command_result import CommandResult
from deploy.errors import RemoteError
from deploy.hosts.scripts import connections
from deploy.hosts.scripts.connections import Connection

CAPTURED = Path(__file__).parent / "connections"
SUITES = sorted(folder.name for folder in CAPTURED.iterdir())
ENDS = ("ipv4", "mapped-and-ipv6")
NAMES = dict(
    enumerate(
        ("idle", "slow", "second", "paused", "fresh", "unread", "unsent", "chatting"), start=40001
    )
)
BUSY = {"slow", "second", "unread", "unsent"}


def captured(suite: str, name: str) -> tuple[Connection, ...]:
    return connections.parse((CAPTURED / suite / f"{name}.txt").read_text())


def name_of(connection: Connection) -> str:
    return NAMES[int(connection.peer.rpartition(":")[2])]


def test_the_suites_that_were_captured() -> None:
    assert SUITES == ["bookworm", "bullseye", "trixie"]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("form", ["", "-later", "-one-line", "-states"])
def test_every_connection_is_read_and_judged(suite: str, ends: str, form: str) -> None:
    """In two lines or one, with the state or without, IPv4, IPv6 and IPv4 through IPv6."""
    found = captured(suite, f"{ends}{form}")
    assert sorted(map(name_of, found)) == sorted(NAMES.values())
    assert {name_of(each) for each in found if each.is_busy(None)} == BUSY
    assert connections.busy(found, None) == len(BUSY)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("ends", ENDS)
def test_what_moved_between_two_looks_is_busy(suite: str, ends: str) -> None:
    before, now = captured(suite, ends), captured(suite, f"{ends}-later")
    assert connections.busy(now, before) == len(BUSY) + 1
    by_name = {name_of(each): each for each in before}
    moved = {name_of(each) for each in now if each.is_busy(by_name[name_of(each)])}
    assert moved == BUSY | {"chatting"}
    others = [each for each in before if name_of(each) not in {"paused", "idle"}]
    assert connections.busy(now, others) == len(BUSY) + 3, "what is new has moved all it shows"


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("ends", ENDS)
def test_without_the_kernels_figures_every_connection_is_busy(suite: str, ends: str) -> None:
    """Where the kernel lacks tcp_diag, `ss` reads /proc/net/tcp: queues, and nothing more."""
    found = captured(suite, f"{ends}-proc")
    assert connections.busy(found, None) == len(found) == len(NAMES)


@pytest.mark.parametrize("suite", SUITES)
def test_the_figures_are_those_printed(suite: str) -> None:
    found = {name_of(each): each for each in captured(suite, "ipv4")}
    assert found["unread"].unread == 27
    assert found["unsent"].unsent > 10_000
    assert (found["idle"].sent, found["idle"].received) == (40, 27)
    assert (found["second"].sent, found["second"].received) == (40, 54)
    assert found["second"].received_ms < found["second"].sent_ms
    assert found["paused"].sent_ms < found["paused"].received_ms
    assert (found["fresh"].sent, found["fresh"].received) == (0, 0)


def one(**figures: Any) -> Connection:
    return Connection("10.0.0.1:5000", "10.0.0.9:40001", **figures)


RULES: dict[str, tuple[Connection, Connection | None, bool]] = {
    "never asked": (one(), None, False),
    "asked before the last answer": (
        one(sent=9, received=9, sent_ms=4, received_ms=8),
        None,
        False,
    ),
    "asked after it": (one(sent=9, received=9, sent_ms=8, received_ms=4), None, True),
    "both in one tick": (one(sent=9, received=9, sent_ms=4, received_ms=4), None, False),
    "just asked, absent figure": (one(sent=9, received=9, sent_ms=4), None, True),
    "just answered, absent figure": (one(sent=9, received=9, received_ms=4), None, False),
    "asked and never answered": (one(received=9), None, True),
    "unread": (one(unread=1), None, True),
    "unsent": (one(sent=9, received=9, unsent=1), None, True),
    "received more": (one(sent=9, received=9), one(sent=9, received=8), True),
    "sent more": (one(sent=9, received=9), one(sent=8, received=9), True),
    "another by the same name": (one(), one(sent=9, received=9), True),
    "moved nothing": (one(sent=9, received=9), one(sent=9, received=9), False),
}


@pytest.mark.parametrize("name", RULES)
def test_what_counts_as_busy(name: str) -> None:
    now, before, expected = RULES[name]
    assert now.is_busy(before) is expected


GARBAGE = {
    "nothing": "",
    "a greeting": "Welcome to host-1!\n  last login: 10:05:30 from 10.0.0.9\n",
    "a warning": "sudo: unable to resolve host host-1: Name or service not known\n",
    "a heading": "Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n",
    "figures of nobody": "\t cubic wscale:7,7 rto:204 bytes_received:27 segs_in:3\n",
    "no queues": "ESTAB - - 10.0.0.1:5000 10.0.0.9:40001\n",
    "no port": "0 0 10.0.0.1 10.0.0.9\n",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_connection_is_passed_over(text: str) -> None:
    assert connections.parse(text) == ()
    real = "0 0 10.0.0.1:5000 10.0.0.9:40001\n\t cubic bytes_received:27 segs_in:3\n"
    found = connections.parse(f"{text}{real}")
    assert [(each.received, each.is_told) for each in found] == [(27, True)]


ENDED = (
    "UNCONN 1      0      10.0.0.1:5000 10.0.0.9:40002\n"
    "\t wscale:10,10 rto:204 bytes_sent:182 bytes_received:54 segs_out:2 segs_in:5\n"
)


def test_what_ended_while_the_port_was_watched_is_work_unless_it_was_there_before() -> None:
    """As `ss -E` prints it: a load balancer also closes connections that it has long had."""
    found = connections.parse(f"{ENDED}0 0 10.0.0.1:5000 10.0.0.9:40003\n\t cubic segs_in:3\n")
    assert [(each.has_ended, each.received) for each in found] == [(True, 53), (False, 0)]
    assert connections.busy(found, None) == 1
    assert connections.busy(found, ()) == 1
    before = ENDED.removeprefix("UNCONN ").lstrip().replace("received:54", "received:53")
    assert connections.busy(found, connections.parse(before)) == 0
    assert connections.busy(connections.parse(ENDED.replace("received:54", "received:1")), ()) == 0


@pytest.mark.parametrize(
    ("seconds", "typed"), [(2.5, "2.50"), (0.5, "0.50"), (0.006, "0.01"), (0.00214, "0"), (0, "0")]
)
def test_a_port_is_watched_for_a_time_that_ends(seconds: float, typed: str) -> None:
    """`timeout 0.00` is none: what was left of a wait, 2 ms, once became a look without an end."""
    (ask,) = connections.established([5000], seconds).programs
    assert ask.arguments == (typed, "5000")


def test_where_ss_cannot_watch_that_is_an_error() -> None:
    """An old iproute2, or no `stdbuf`: nobody could see connections that have ended."""
    script = connections.established([5000], 2.5)
    with pytest.raises(RemoteError, match=r"cannot show .* \(exit code 255\)"):
        script.parse(CommandResult("ss", 0, "UNWATCHED 255\n", ""))


def test_figures_that_are_no_numbers_are_absent() -> None:
    line = (
        "0 0 [fe80::1%eth0]:5000 [fe80::2]:41 cubic lastsnd:soon lastrcv: bytes_sent:-1 segs_in:1"
    )
    assert connections.parse(line) == (Connection("[fe80::1%eth0]:5000", "[fe80::2]:41"),)


@given(st.text())
def test_no_text_makes_the_parser_fail(text: str) -> None:
    connections.busy(connections.parse(text), None)
