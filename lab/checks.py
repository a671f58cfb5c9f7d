"""Health checks as the load balancer makes them, and how late this process itself is.

All of the lab shares the machine's processors: this process may get none for half a second while
a deploy's Python starts or packages are unpacked. A check that counted such a second against its
target would call a good host unhealthy, so a check's time limit grows by what its own process was
late. A target that answers late is still found out: it takes none of that time.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from lab.targets import Outcome, Reason

USER_AGENT = "ELB-HealthChecker/2.0"
TICK_SECONDS = 0.01
KEPT = 5000


class Lateness:
    """How many seconds the event loop has been late, in all, since it began to be measured.

    The loop asks to be woken every hundredth of a second; what it is woken later than that, it was
    late, whether it was busy itself, waited for a lock or had no processor.
    """

    def __init__(self) -> None:
        self._total = 0.0
        self._due = math.inf

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            self._due = time.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._total = self.seconds

    @property
    def seconds(self) -> float:
        """The sum so far, a delay that is still going on included."""
        return self._total + max(0.0, time.monotonic() - self._due)


@dataclass(frozen=True)
class Checked:
    """One check that ended: began in unix seconds, the rest in seconds.

    late_seconds: how late the lab's own process was meanwhile; no fault of the target's.
    """

    began: float
    group: str
    id: str
    port: int
    seconds: float
    late_seconds: float
    status: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Give it in the words of the control API."""
        return asdict(self)


class Log:
    """The last checks that ended; older ones are forgotten."""

    def __init__(self) -> None:
        self._kept: deque[Checked] = deque(maxlen=KEPT)
        self._lock = Lock()

    def add(
        self,
        key: tuple[str, str, int],
        began: float,
        seconds: float,
        late_seconds: float,
        outcome: Outcome,
    ) -> None:
        """Write one check down; the key is (group, id, port)."""
        with self._lock:
            self._kept.append(
                Checked(
                    began,
                    *key,
                    seconds,
                    late_seconds,
                    outcome.status,
                    outcome.reason.value,
                )
            )

    def kept(self) -> list[Checked]:
        """Those that are still kept, oldest first."""
        with self._lock:
            return list(self._kept)


async def probe(
    address: str,
    port: int,
    path: str,
    timeout_seconds: float,
    lateness: Lateness,
    *,
    is_tls: bool = False,
    version: str = "HTTP1",
) -> Outcome:
    """Ask a target how it is, as the load balancer does: one GET on a connection of its own.

    is_tls: within TLS, whose certificate is not verified, as AWS does. version: HTTP2 asks over
    HTTP/2, GRPC by a gRPC call. It may take timeout_seconds, and as much more as this process is
    late meanwhile.
    """
    asked = asyncio.create_task(_status(address, port, path, is_tls=is_tls, version=version))
    try:
        if not await _ends_in_time(asked, timeout_seconds, lateness):
            return Outcome(reason=Reason.TIMEOUT)
        return Outcome(status=asked.result())
    except (OSError, ValueError, LookupError, H2Error):
        return Outcome(reason=Reason.FAILED)
    finally:
        asked.cancel()


async def _ends_in_time(asked: asyncio.Task[int], seconds: float, lateness: Lateness) -> bool:
    end, late_before = time.monotonic() + seconds, lateness.seconds
    while not asked.done():
        left = end + lateness.seconds - late_before - time.monotonic()
        if left <= 0:
            return False
        await asyncio.wait({asked}, timeout=left)
    return True


async def _status(address: str, port: int, path: str, *, is_tls: bool, version: str) -> int:
    context = None
    if is_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if version != "HTTP1":
            context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    try:
        if version != "HTTP1":
            asked = [(":authority", f"{address}:{port}"), (":path", path)]
            asked += [(":scheme", "https" if is_tls else "http"), ("user-agent", USER_AGENT)]
            return await _over_http2(reader, writer, asked, is_grpc=version == "GRPC")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nUser-Agent: {USER_AGENT}\r\n"
            "Connection: close\r\nAccept-Encoding: gzip, compressed\r\n\r\n".encode()
        )
        protocol, status = (await reader.readline()).split()[:2]
        if not protocol.startswith(b"HTTP/1."):
            raise ValueError(protocol)
        return int(status)
    finally:
        writer.close()


async def _over_http2(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    asked: list[tuple[str, str]],
    *,
    is_grpc: bool,
) -> int:
    """The status of a GET, or the code of a gRPC call with an empty message.

    Raises ValueError, LookupError or H2Error for what is no such answer.
    """
    connection = H2Connection(H2Configuration(header_encoding="latin-1"))
    connection.initiate_connection()
    fields = [(":method", "POST" if is_grpc else "GET"), *asked]
    if is_grpc:
        fields += [("te", "trailers"), ("content-type", "application/grpc")]
    connection.send_headers(1, fields, end_stream=not is_grpc)
    if is_grpc:
        connection.send_data(1, bytes(5), end_stream=True)
    found: dict[str, str] = {}
    while True:
        writer.write(connection.data_to_send())
        data = await reader.read(65536)
        if not data:
            raise ValueError("the connection ended")
        for event in connection.receive_data(data):
            match event:
                case ResponseReceived() | TrailersReceived():
                    found |= {str(name): str(value) for name, value in event.headers}
                case StreamEnded():
                    return int(found["grpc-status" if is_grpc else ":status"])
                case StreamReset() | ConnectionTerminated():
                    raise ValueError(event)
