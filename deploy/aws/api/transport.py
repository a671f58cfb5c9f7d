"""Reads an answer of the AWS API within a limit of bytes and of seconds."""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection

from deploy.errors import UnexpectedAnswer

if TYPE_CHECKING:
    import socket

MOST_BYTES = 16 * 1024 * 1024
"""DescribeTargetHealth has about 600 bytes for each target, DescribeInstances up to 30 KB for
each of a page's instances (50 tags of 384 characters among them)."""

MOST_SECONDS = 20.0


class _BoundedStream(io.RawIOBase):
    """The bytes of one answer; raises UnexpectedAnswer at the limit of either kind."""

    def __init__(self, sock: socket.socket, most_bytes: int, most_seconds: float) -> None:
        self._socket, self._stream = sock, sock.makefile("rb", buffering=0)
        self._most_bytes, self._left = most_bytes, most_bytes
        self._most_seconds, self._end = most_seconds, time.monotonic() + most_seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise UnexpectedAnswer(f"the answer was not complete after {self._most_seconds:g} s")
        self._socket.settimeout(seconds)
        count = self._stream.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise UnexpectedAnswer(f"the answer has more than {self._most_bytes:,} bytes")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedSocket:
    """What http.client needs of a socket to read one answer from it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedStream(self._socket, MOST_BYTES, MOST_SECONDS))


class _BoundedResponse(http.client.HTTPResponse):
    """An answer whose status line, headers (interim answers included) and body share one limit.

    Of the other phases Python's own time limits count for the whole phase: connect, TLS
    handshake, and the sending of the request.
    """

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(_BoundedSocket(sock), *arguments, **options)  # type: ignore[arg-type]


def bound_answers() -> None:
    """Give all of botocore's connections the limits, those that fetch credentials included.

    A per-receive time limit, which is all that botocore has, never ends a trickling answer.
    """
    for connection in (AWSHTTPConnection, AWSHTTPSConnection):
        connection.response_class = _BoundedResponse
