"""The lab's health checks: a late target is found out, a late lab accuses nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

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
