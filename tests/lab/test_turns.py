"""The load balancer sends to every target in turn, as soon as it is healthy."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.dataplane import HAProxy, Server

GROUP = "web-lab"


class Named(BaseHTTPRequestHandler):
    """Answers with its server's port."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Port", str(self.server.server_port))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def target() -> Iterator[int]:
    """A server on a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Named) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class Backend:
    """HAProxy before four targets, each in or out of service."""

    def __init__(self, plane: HAProxy, ports: list[int]) -> None:
        self.plane, self.ports = plane, ports

    def serve(self, *numbers: int) -> None:
        """Let these targets alone have requests."""
        servers = {
            f"target{number}": Server("127.0.0.1", port, number in numbers)
            for number, port in enumerate(self.ports)
        }
        self.plane.apply(GROUP, servers)

    def ask(self) -> int:
        """Send one request; which target answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.plane.ports["web"], timeout=10)
        with closing(connection):
            connection.request("GET", "/")
            with connection.getresponse() as answer:
                return self.ports.index(int(answer.headers["X-Port"]))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    plane = HAProxy(tmp_path, {"web": GROUP})
    with ExitStack() as stack:
        ports = [stack.enter_context(target()) for _ in range(4)]
        plane.start()
        stack.callback(plane.stop)
        yield Backend(plane, ports)


def missed(backend: Backend) -> set[int]:
    """The targets that get none of four requests, after all have been out and come back singly."""
    backend.serve(0, 1, 2, 3)
    for _ in range(30):
        backend.ask()
    backend.serve()
    backend.serve(0, 2)
    backend.serve(0, 1, 2)
    backend.serve(0, 1, 2, 3)
    return {0, 1, 2, 3} - {backend.ask() for _ in range(4)}


def test_a_target_that_comes_back_has_its_turn_at_once(backend: Backend) -> None:
    for _ in range(5):
        assert not missed(backend)


def test_haproxy_2_6_alone_passes_one_by(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HAProxy, "_share_anew", lambda *_: None)
    if not any(missed(backend) for _ in range(5)):
        pytest.skip("this version of HAProxy needs no help; 2.6 does")
