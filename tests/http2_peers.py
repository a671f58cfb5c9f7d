"""Servers of one connection each: one that keeps the protocol of HTTP/2, and hostile ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.exceptions import H2Error

Peer = Callable[[socket.socket], object]
Fields = Sequence[tuple[str, str]]

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    *(0, 1, 3, 4, 5, 6),
    *(7, 8, 9),
)
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
PIECE = 16_384
"""The most that a frame carries where nothing else was agreed on (RFC 9113, 6.5.2)."""


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    """A frame as RFC 9113 writes it, be it allowed or not."""
    head = len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    return head + payload


HELLO = frame(SETTINGS)
OK = frame(HEADERS, b"\x88", END_HEADERS | END_STREAM, 1)
"""The answer 200 to the first request; 0x88 is its place in HPACK's table."""


@contextmanager
def answered(peer: Peer) -> Iterator[socket.socket]:
    """A connection whose other end does what the peer does, and is then closed."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        with theirs, suppress(OSError, H2Error):
            peer(theirs)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with ours:
        yield ours
    thread.join(10)
    assert not thread.is_alive()


def saying(*parts: bytes, stays: bool = False) -> Peer:
    """A peer that reads the question, sends these bytes, and closes, or stays until we do."""

    def peer(connection: socket.socket) -> None:
        connection.recv(65536)
        for part in parts:
            connection.sendall(part)
        while stays and connection.recv(65536):
            pass

    return peer


def repeating(part: bytes, first: bytes = HELLO, pause_seconds: float = 0.0) -> Peer:
    """A peer that sends something for ever."""

    def peer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        while True:
            connection.sendall(part)
            threading.Event().wait(pause_seconds)

    return peer


def byte_by_byte(data: bytes, pause_seconds: float) -> Peer:
    """A peer that sends these bytes one by one, for ever from their begin."""

    def peer(connection: socket.socket) -> None:
        connection.recv(65536)
        while True:
            for byte in data:
                connection.sendall(bytes([byte]))
                threading.Event().wait(pause_seconds)

    return peer


@dataclass
class Server:
    """A peer that keeps the protocol.

    Attributes:
        headers: Those of its answer.
        body: What follows them.
        trailers: What ends it; nothing does where there are none and no body.
        interim: The status codes of answers before it (1xx).
        asked: The requests that came, with their headers.
        received: The bytes of their bodies.
    """

    headers: Fields = ((":status", "200"),)
    body: bytes = b""
    trailers: Fields = ()
    interim: Sequence[str] = ()
    asked: list[dict[str, str]] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)

    def __call__(self, peer: socket.socket) -> None:
        """Answer every request of a connection, until it ends."""
        config = H2Configuration(client_side=False, header_encoding="latin-1")
        connection = H2Connection(config)
        connection.initiate_connection()
        peer.sendall(connection.data_to_send())
        while data := peer.recv(65536):
            for event in connection.receive_data(data):
                self._see(connection, event)
            peer.sendall(connection.data_to_send())

    def _see(self, connection: H2Connection, event: Event) -> None:
        match event:
            case RequestReceived():
                self.asked.append({str(name): str(value) for name, value in event.headers})
            case DataReceived():
                self.received += event.data
            case StreamEnded():
                self._answer(connection, event.stream_id)

    def _answer(self, connection: H2Connection, stream: int) -> None:
        for status in self.interim:
            connection.send_headers(stream, [(":status", status)])
        is_all = not self.body and not self.trailers
        connection.send_headers(stream, self.headers, end_stream=is_all)
        pieces = [self.body[n : n + PIECE] for n in range(0, len(self.body), PIECE)]
        for number, piece in enumerate(pieces, 1):
            is_last = number == len(pieces) and not self.trailers
            connection.send_data(stream, piece, end_stream=is_last)
        if self.trailers:
            connection.send_headers(stream, self.trailers, end_stream=True)
