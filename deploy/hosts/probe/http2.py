"""Asks one question over HTTP/2, a GET or a gRPC call, within limits of bytes and time.

The protocol's rules are those of h2, and this is its only home. What is decided here is when there
is an answer. Each frame is handed over by itself, so that what follows an answer cannot spoil it.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes, Settings

from deploy.aws.targets import ProtocolVersion
from deploy.foreign_text import visible
from deploy.hosts.probe.request import AGENT, ENCODINGS, MOST_BYTES, NotHttp, shown
from deploy.hosts.probe.stream import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from h2.events import Event

    from deploy.hosts.probe.request import Request
    from deploy.hosts.probe.stream import Stream

ALPN = "h2"
MESSAGE = bytes(5)
"""An empty gRPC message: a flag for "not compressed", and a length of 0 in four bytes."""

_STREAM = 1  # the first, and the only one
_FRAME_HEAD, _SETTINGS_FRAME = 9, b"\x04"  # RFC 9113, 4.1 and 6.5
_STATUS, _GRPC_CODE = re.compile(r"[2-5][0-9]{2}"), re.compile(r"[0-9]{1,2}")
_OK = 200
_SHOWN = 80
_SETTINGS = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.MAX_CONCURRENT_STREAMS: 1,
    SettingCodes.MAX_HEADER_LIST_SIZE: MOST_BYTES,
}


class NotHttp2(NotHttp):
    """What answered does not speak HTTP/2, or wants HTTP/1.1 for this question."""


def ask(
    stream: Stream, request: Request, timeout_seconds: float, first_seconds: float = math.inf
) -> int | None:
    """The answer's status code, of a gRPC call its `grpc-status`; None where nothing came back.

    timeout_seconds: for the question and the answer, of which a body is not awaited.
    first_seconds: for the first frame, which a server sends at once (RFC 9113, 3.4).
    Raises NotHttp2, NotHttp, which shows what came instead, and what the stream raises.
    """
    request.refuse_unaskable()
    deadline, first = Deadline(timeout_seconds), Deadline(min(first_seconds, timeout_seconds))
    call = _Call(request)
    deadline.send(stream, call.to_send())
    size = 0
    while call.code is None:
        if size >= MOST_BYTES:
            raise call.failed(f"frames of more than {MOST_BYTES // 1024} KiB without an answer")
        chunk = (deadline if call.has_begun else first).receive(stream)
        if chunk:
            # No more than counts: what is over it would break the rules of flow control first.
            call.take(chunk[: MOST_BYTES - size])
            size += len(chunk)
            with suppress(OSError):  # its end is seen by reading on, after what it sent before
                deadline.send(stream, call.to_send())
        elif size == 0:
            return None
        else:
            raise call.unfinished(None if chunk == b"" else timeout_seconds)
    return call.code


class _Call:
    """One question's exchange of frames, without the connection.

    code: the answer's code, None until it is there; has_begun: whether the other side has shown
    that it speaks HTTP/2.
    """

    def __init__(self, request: Request) -> None:
        self.code: int | None = None
        self.has_begun = False
        self._is_grpc = request.version is ProtocolVersion.GRPC
        self._has_headers = False
        self._coming = bytearray()
        # Latin-1 reads any byte: what no header may have is for the checks below to find.
        self._h2 = H2Connection(H2Configuration(header_encoding="latin-1"))
        self._h2.local_settings = Settings(initial_values=_SETTINGS)
        # It is of a later RFC (8441), and there are servers that refuse a setting unknown to them.
        del self._h2.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._h2.initiate_connection()
        headers = [
            (":method", "POST" if self._is_grpc else "GET"),
            (":scheme", "https" if request.is_tls else "http"),
            (":authority", request.host_header),
            (":path", request.path),
            ("user-agent", AGENT),
        ]
        if self._is_grpc:
            headers += [("te", "trailers"), ("content-type", "application/grpc")]
        else:
            headers += [("accept-encoding", ENCODINGS)]
        self._h2.send_headers(_STREAM, headers, end_stream=not self._is_grpc)
        if self._is_grpc:
            self._h2.send_data(_STREAM, MESSAGE, end_stream=True)

    def to_send(self) -> bytes:
        """Return the bytes to send now: the request, or an acknowledgement."""
        return self._h2.data_to_send()

    def take(self, data: bytes) -> None:
        """Read what came; raises NotHttp2 and NotHttp for what cannot become an answer."""
        self._coming += data
        while self.code is None and (frame := self._next_frame()):
            try:
                events = self._h2.receive_data(frame)
            except Exception as error:  # whatever a library makes of foreign bytes
                raise self.failed(f"broken HTTP/2 ({visible(error, _SHOWN)})") from error
            self.has_begun = True
            for event in events:
                self._see(event)

    def failed(self, text: str) -> NotHttp:
        """The error for an exchange that leads to no answer."""
        return NotHttp(text) if self.has_begun else NotHttp2(text)

    def unfinished(self, seconds: float | None) -> NotHttp:
        """The error for an exchange that ended, or was not over after so many seconds."""
        if not self.has_begun:
            return NotHttp2(f"no HTTP/2 answer ({shown(self._coming)})")
        due = "trailers" if self._has_headers else "headers"
        how = f"ended before its {due}" if seconds is None else f"had no {due} after {seconds:g} s"
        return NotHttp(f"an HTTP/2 answer that {how}")

    def _next_frame(self) -> bytes:
        """The next frame, once all of it is there; empty until then."""
        head = bytes(self._coming[:_FRAME_HEAD])
        if not self.has_begun and head[3:4] not in {b"", _SETTINGS_FRAME}:
            raise NotHttp2(f"no HTTP/2 answer ({shown(self._coming)})")
        size = _FRAME_HEAD + int.from_bytes(head[:3])
        if len(head) < _FRAME_HEAD or len(self._coming) < size:
            return b""
        frame = bytes(self._coming[:size])
        del self._coming[:size]
        return frame

    def _see(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._has_headers = True
                self._see_headers(_fields(event.headers), is_all=event.stream_ended is not None)
            case TrailersReceived() if self._is_grpc:
                self.code = _grpc_code(_fields(event.headers))
            case DataReceived() if event.stream_ended:
                self.code = _grpc_code({})  # it ended without trailers
            case StreamReset() | ConnectionTerminated():
                what = "stream was reset" if isinstance(event, StreamReset) else "server ended"
                kind = NotHttp2 if event.error_code == ErrorCodes.HTTP_1_1_REQUIRED else NotHttp
                name = getattr(event.error_code, "name", event.error_code)
                raise kind(f"no answer: the HTTP/2 {what} ({name})")

    def _see_headers(self, fields: dict[str, str], *, is_all: bool) -> None:
        """is_all: whether nothing follows them, so that they are a gRPC answer's trailers too."""
        status = fields.get(":status", "")
        if not _STATUS.fullmatch(status):
            raise NotHttp(f"no HTTP answer (status {status[:_SHOWN]!r})")
        if not self._is_grpc:
            self.code = int(status)
        elif int(status) != _OK:
            raise NotHttp(f"a gRPC answer with HTTP status {status}, not {_OK}")
        elif is_all:
            self.code = _grpc_code(fields)


def _fields(headers: Iterable[tuple[object, object]]) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers}


def _grpc_code(fields: dict[str, str]) -> int:
    found = fields.get("grpc-status")
    if found is None:
        raise NotHttp("a gRPC answer without a grpc-status")
    if not _GRPC_CODE.fullmatch(found):
        raise NotHttp(f"a gRPC answer with grpc-status {found[:_SHOWN]!r}, not 0 to 99")
    return int(found)
