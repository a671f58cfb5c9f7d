"""Sends requests on a fixed schedule, whatever the answers do, and keeps an account of each.

Its own HTTP/1.1 client on asyncio protocols: it costs a few per cent of a core at 150 requests a
second, and it retries nothing, so that every request that got no good answer is seen.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles

ANSWER_LIMIT_SECONDS = 30.0
MOST_AT_ONCE = 2500
SLOW_SECONDS = 1.5


@dataclass(frozen=True)
class Failure:
    """A request that got no good answer; `at` is when it was due, in unix seconds."""

    at: float
    reason: str
    path: str


@dataclass(frozen=True)
class Schedule:
    """What to send where; `rate` in requests a second, all of them to a loopback address.

    answer: the status of a good answer; 0 for any from 200 to 399.
    """

    host: str
    port: int
    path: str = "/"
    rate: float = 150.0
    slow_share: float = 0.02
    slow_seconds: float = SLOW_SECONDS
    seconds_limit: float = 600.0
    answer: int = 0


@dataclass
class Tally:
    """What came of the requests; milliseconds are those of the quick requests only."""

    requests: int = 0
    failures: list[Failure] = field(default_factory=list)
    by_version: Counter[str] = field(default_factory=Counter)
    first_seen: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, float] = field(default_factory=dict)
    milliseconds: list[float] = field(default_factory=list)

    def percentiles(self) -> tuple[float, float]:
        """p50 and p99 in milliseconds; zeros when there is nothing to count."""
        if len(self.milliseconds) < 2:
            return (0.0, 0.0)
        cuts = quantiles(self.milliseconds, n=100, method="inclusive")
        return cuts[49], cuts[98]


class Request:
    """One request on its way; `due` in the loop's time, `at` in unix seconds."""

    def __init__(self, path: str, due: float, at: float, *, slow: bool) -> None:
        self.path = path
        self.due = due
        self.at = at
        self.slow = slow


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one request at a time and retires after so many."""

    def __init__(self, generator: Generator, request: Request) -> None:
        self._generator = generator
        self._request: Request | None = request
        self._left = random.randint(50, 150)  # noqa: S311 - no secret, a spread
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request that the connection was opened for."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type alone
        self._transport = transport
        if self._request is not None:
            self.send(self._request)

    def send(self, request: Request) -> None:
        """Send one request; the connection must be idle."""
        assert self._transport is not None  # noqa: S101 - idle connections have one
        self._request, self._buffer = request, b""
        self._left -= 1
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(request.due + ANSWER_LIMIT_SECONDS, self._time_out)
        self._transport.write(self._generator.text(request))

    def data_received(self, data: bytes) -> None:
        """Take a part of the answer, or all of it."""
        self._buffer += data
        if self._request is None:
            self.close()  # it answers no request: out of step, so never to be used again
            return
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        status, headers = _parsed(head)
        if "content-length" in headers:
            complete = len(body) >= int(headers["content-length"])
        else:
            complete = body.endswith(b"0\r\n\r\n")
        if not complete:
            return
        if headers.get("connection", "").lower() == "close" or self._left <= 0:
            self._closing = True
        why = "" if self._generator.is_good(status) else f"status {status}"
        self._settle(why, headers.get("x-version", ""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was on its way as failed: it will get no answer any more."""
        self._closing = True
        if self._request is None:
            self._generator.forget(self)
        elif exc is not None:
            self._settle(f"{type(exc).__name__}")
        else:
            self._settle("answer cut short" if self._buffer else "closed without an answer")

    def close(self) -> None:
        """Close it from our side."""
        self._closing = True
        self._generator.forget(self)
        if self._transport is not None:
            self._transport.close()

    def _time_out(self) -> None:
        self._closing = True
        self._settle(f"no answer in {ANSWER_LIMIT_SECONDS:g} s")

    def _settle(self, why: str, version: str = "") -> None:
        request, self._request = self._request, None
        if self._timer is not None:
            self._timer.cancel()
        if self._closing:
            self.close()
        if request is not None:
            self._generator.settle(request, why, version, None if self._closing else self)


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


class Generator:
    """Sends a schedule until it is stopped; `tally` grows meanwhile."""

    def __init__(self, schedule: Schedule) -> None:
        self.tally = Tally()
        self._schedule = schedule
        self._idle: list[Connection] = []
        self._under_way = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._all_settled = asyncio.Event()
        self._texts: dict[str, bytes] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` or the schedule's limit, then wait for every answer still due."""
        loop = asyncio.get_running_loop()
        start, number = loop.time(), 0
        offset = time.time() - start
        while not stop.is_set():
            due = start + number / self._schedule.rate
            if due - start > self._schedule.seconds_limit:
                break
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
                if stop.is_set():
                    break
            self._launch(due, due + offset)
            number += 1
        while self._under_way:
            self._all_settled.clear()
            await self._all_settled.wait()
        for connection in list(self._idle):
            connection.close()

    def is_good(self, status: int) -> bool:
        """Whether an answer with this status is a good one."""
        return status == self._schedule.answer if self._schedule.answer else 200 <= status < 400

    def text(self, request: Request) -> bytes:
        """Give the request's bytes."""
        if request.path not in self._texts:
            host = f"{self._schedule.host}:{self._schedule.port}"
            self._texts[request.path] = (
                f"GET {request.path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode()
            )
        return self._texts[request.path]

    def settle(
        self, request: Request, why: str, version: str, connection: Connection | None
    ) -> None:
        """Count a request's end; an empty `why` is a good answer, `connection` may serve again."""
        now = time.time()
        self._under_way -= 1
        if why:
            self.tally.failures.append(Failure(request.at, why, request.path))
        elif not request.slow:
            self.tally.milliseconds.append((now - request.at) * 1000)
        if version:
            self.tally.by_version[version] += 1
            self.tally.first_seen.setdefault(version, now)
            self.tally.last_seen[version] = now
        if connection is not None:
            self._idle.append(connection)
        if not self._under_way:
            self._all_settled.set()

    def forget(self, connection: Connection) -> None:
        """Never use a connection again."""
        if connection in self._idle:
            self._idle.remove(connection)

    def _launch(self, due: float, at: float) -> None:
        slow = random.random() < self._schedule.slow_share  # noqa: S311 - no secret, a share
        path = f"/slow?seconds={self._schedule.slow_seconds:g}" if slow else self._schedule.path
        request = Request(path, due, at, slow=slow)
        self.tally.requests += 1
        self._under_way += 1
        if self._idle:
            # The oldest first: every connection is used in turn, so none rests for long.
            self._idle.pop(0).send(request)
        elif self._under_way > MOST_AT_ONCE:
            self.settle(request, f"{MOST_AT_ONCE} requests wait for an answer already", "", None)
        else:
            task = asyncio.get_running_loop().create_task(self._open(request))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_LIMIT_SECONDS):
                await loop.create_connection(
                    lambda: Connection(self, request), self._schedule.host, self._schedule.port
                )
        except OSError as error:  # TimeoutError is one
            self.settle(request, f"no connection ({type(error).__name__})", "", None)
