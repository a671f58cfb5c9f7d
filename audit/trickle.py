"""Servers that answer and never end: their answers trickle, or are endless."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from audit.wall import Attempt
from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe import http1, http2
from deploy.hosts.probe.request import NotHttp, Request

Answer = Callable[[socket.socket], None]
PAUSE_SECONDS = 0.05


def _byte_by_byte(peer: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Filler: y\r\n" * 100_000:
        peer.sendall(bytes([byte]))
        time.sleep(PAUSE_SECONDS)


def _headers_for_ever(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        peer.sendall(b"X-Filler: y\r\n")
        time.sleep(PAUSE_SECONDS / 10)


def _interim_for_ever(peer: socket.socket) -> None:
    while True:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(PAUSE_SECONDS)


def _one_long_line(peer: socket.socket) -> None:
    peer.sendall(b"HTTP/1.1 200 ")
    while True:
        peer.sendall(b"O" * 10_000)
        time.sleep(PAUSE_SECONDS)


def _garbage(peer: socket.socket) -> None:
    while True:
        peer.sendall(bytes(range(256)) * 10)
        time.sleep(PAUSE_SECONDS)


def _silence(peer: socket.socket) -> None:
    while peer.recv(1):
        pass


ANSWERS: dict[str, Answer] = {
    "byte by byte": _byte_by_byte,
    "headers for ever": _headers_for_ever,
    "interim answers for ever": _interim_for_ever,
    "one long line": _one_long_line,
    "garbage": _garbage,
    "silence": _silence,
}


@contextmanager
def serving(answer: Answer) -> Iterator[int]:
    """A port of the loopback interface where each connection is answered so, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.1)
        ended, peers = threading.Event(), list[socket.socket]()

        def one(peer: socket.socket) -> None:
            try:
                peer.recv(4096)
                answer(peer)
            except OSError:
                pass
            finally:
                peer.close()

        def accept() -> None:
            while not ended.is_set():
                try:
                    peer, _ = door.accept()
                except TimeoutError:
                    continue
                peers.append(peer)
                threading.Thread(target=one, args=(peer,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield door.getsockname()[1]
        finally:
            ended.set()
            for peer in peers:
                peer.close()
            accepting.join()


def product(port: int, timeout_seconds: float) -> object:
    """What a proof asks; the code, None, or what is said of the answer."""
    return _asked(http1.get, ProtocolVersion.HTTP1, port, timeout_seconds)


def over_http2(port: int, timeout_seconds: float) -> object:
    """The same over HTTP/2."""
    return _asked(http2.ask, ProtocolVersion.HTTP2, port, timeout_seconds)


def _asked(
    ask: Callable[[socket.socket, Request, float], int | None],
    version: ProtocolVersion,
    port: int,
    timeout_seconds: float,
) -> object:
    request = Request("127.0.0.1", port, "/health", "localhost", version)
    with socket.create_connection(request.place) as stream:
        try:
            return ask(stream, request, timeout_seconds)
        except NotHttp as error:
            return str(error)


def naive(port: int, timeout_seconds: float) -> object:
    """The same by http.client, whose time limit counts for each receive."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    with closing(connection):
        connection.request("GET", "/health")
        with closing(connection.getresponse()) as answer:
            return answer.status


def attempt(
    ask: Callable[[int, float], object], timeout_seconds: float = 0.5, slack_seconds: float = 1.0
) -> Attempt:
    """Ask each server; a finding for one that is not over in time, or raises."""
    findings, latest = list[str](), 0.0
    for name, answer in ANSWERS.items():
        said: list[object] = []
        with serving(answer) as port:

            def question(port: int = port, said: list[object] = said) -> None:
                try:
                    said.append(ask(port, timeout_seconds))
                except Exception as error:  # noqa: BLE001 - that is the finding
                    said.append(error)

            asking = threading.Thread(target=question, daemon=True)
            began = time.monotonic()
            asking.start()
            asking.join(timeout_seconds + slack_seconds)
            latest = max(latest, time.monotonic() - began - timeout_seconds)
            if not said:
                findings.append(f"{name}: not over {slack_seconds:g} s after its time")
            elif isinstance(said[0], Exception):
                findings.append(f"{name}: {said[0]!r}")
    figure = f"at most {max(latest, 0):.2f} s over a bound of {timeout_seconds:g} s"
    return Attempt(len(ANSWERS), tuple(findings), figure)
