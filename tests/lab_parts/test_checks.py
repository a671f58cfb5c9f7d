"""The lab's health checks: a late target is found out, a late lab accuses nobody."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from h2.exceptions import H2Error
from http2_peers import Server

from lab.checks import Lateness, Log, probe
from lab.targets import Checks, Key, Outcome, Reason, State, checked, register

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_SECONDS = 0.3
STALL_SECONDS = 0.9


@contextmanager
def answering(after_seconds: float) -> Iterator[int]:
    """A target on a thread of its own, whose answers take so long; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ended.wait(after_seconds)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    ended = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        ended.set()
        server.shutdown()
        thread.join()


async def asked(port: int, stall_seconds: float, *, measured: bool) -> tuple[Outcome, float]:
    """The outcome of a check during which this process stalls, and how late it says it was."""
    lateness = Lateness()
    measuring = asyncio.create_task(lateness.run() if measured else asyncio.sleep(60))
    await asyncio.sleep(0.02)
    before = lateness.seconds
    check = asyncio.create_task(probe("127.0.0.1", port, "/", LIMIT_SECONDS, lateness))
    await asyncio.sleep(0)
    time.sleep(stall_seconds)  # noqa: ASYNC251 - the stall itself
    outcome = await check
    measuring.cancel()
    return outcome, lateness.seconds - before


def test_a_check_that_this_process_was_late_for_passes() -> None:
    with answering(after_seconds=0) as port:
        outcome, late_seconds = asyncio.run(asked(port, STALL_SECONDS, measured=True))
    assert outcome == Outcome(status=200)
    assert late_seconds >= STALL_SECONDS - 0.1


def test_control_without_a_measure_of_lateness_that_check_fails() -> None:
    with answering(after_seconds=0) as port:
        outcome, _ = asyncio.run(asked(port, STALL_SECONDS, measured=False))
    assert outcome.reason is Reason.TIMEOUT


@pytest.mark.parametrize("stall_seconds", [0, STALL_SECONDS])
def test_a_target_that_answers_late_is_unhealthy_however_late_the_lab_is(
    stall_seconds: float,
) -> None:
    target = register(Key("web-lab", "i-1", 5000), None, 0.0, registration=1)
    target = checked(target, Outcome(status=200), Checks())
    assert target.state is State.HEALTHY
    for _ in range(Checks().unhealthy_threshold):
        with answering(after_seconds=60) as port:
            outcome, _ = asyncio.run(asked(port, stall_seconds, measured=True))
        target = checked(target, outcome, Checks())
    assert (target.state, target.reason) == (State.UNHEALTHY, Reason.TIMEOUT)


def test_a_check_is_written_down_with_its_times() -> None:
    log = Log()
    log.add(("web-lab", "i-1", 5000), 100.0, 0.5, 0.4, Outcome(status=200))
    (kept,) = log.kept()
    assert (kept.group, kept.began, kept.seconds, kept.late_seconds) == ("web-lab", 100, 0.5, 0.4)
    assert kept.as_dict()["status"] == 200


def at_once(version: str, server: Server) -> Outcome:
    """The outcome of a check of one version; the target is of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            peer, _ = door.accept()
            with peer, suppress(OSError, H2Error):
                server(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = door.getsockname()[1]
        outcome = asyncio.run(probe("127.0.0.1", port, "/h", 5, Lateness(), version=version))
        thread.join()
    return outcome


TRAILERS = [("grpc-status", "14")]


@pytest.mark.parametrize(
    ("version", "server", "outcome"),
    [
        ("HTTP2", Server([(":status", "204")]), Outcome(status=204)),
        ("HTTP2", Server(body=b"ok", trailers=TRAILERS), Outcome(status=200)),
        ("GRPC", Server([(":status", "200"), ("grpc-status", "12")]), Outcome(status=12)),
        ("GRPC", Server(body=b"ok", trailers=TRAILERS), Outcome(status=14)),
        ("GRPC", Server([(":status", "200")]), Outcome(reason=Reason.FAILED)),
        ("HTTP1", Server(), Outcome(reason=Reason.FAILED)),
    ],
)
def test_a_check_is_made_by_the_groups_own_protocol(
    version: str, server: Server, outcome: Outcome
) -> None:
    assert at_once(version, server) == outcome
    methods = {"HTTP1": [], "HTTP2": ["GET"], "GRPC": ["POST"]}
    assert [request[":method"] for request in server.asked] == methods[version]


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_control_a_target_that_speaks_http1_fails_such_a_check(version: str) -> None:
    with answering(after_seconds=0) as port:
        outcome = asyncio.run(probe("127.0.0.1", port, "/", 5, Lateness(), version=version))
    assert outcome.reason is Reason.FAILED
