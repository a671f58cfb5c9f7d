"""Which protocol a port is asked by: the group's, and HTTP/1.1 where HTTP/2 is not spoken."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from http2_peers import HELLO, RST_STREAM, Peer, Server, answered, frame, saying

from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe import protocol
from deploy.hosts.probe.request import NotHttp, Reply, Request
from lab import packages

if TYPE_CHECKING:
    from pathlib import Path

HTTP1, HTTP2, GRPC = ProtocolVersion
REQUEST = Request("10.0.0.7", 5000, "/health", "10.0.0.7:5000", HTTP2)
REFUSED = frame(RST_STREAM, (7).to_bytes(4), 0, 1)
WANTS_HTTP1 = frame(RST_STREAM, (13).to_bytes(4), 0, 1)


class Door:
    """Opens connections to peers, each to the next one; the last one takes all that follow."""

    def __init__(self, *peers: Peer) -> None:
        self.peers, self.opened = list(peers), 0
        self.stack = ExitStack()

    def __call__(self, seconds: float) -> socket.socket | None:
        assert seconds > 0
        self.opened += 1
        if not self.peers:
            return None
        peer = self.peers.pop(0) if len(self.peers) > 1 else self.peers[0]
        return self.stack.enter_context(answered(peer))


def asked(door: Door, seconds: float = 5.0, **request: object) -> Reply | None:
    """What comes back; and every connection is closed."""
    with door.stack:
        began = time.monotonic()
        try:
            return protocol.ask(door, replace(REQUEST, **request), seconds)  # type: ignore[arg-type]
        finally:
            assert time.monotonic() - began < seconds + 5


def http1(connection: socket.socket) -> None:
    """As Python's own http.server: it answers 400 to what it does not know."""
    data = connection.recv(65536)
    code = 204 if data.startswith(b"GET /health HTTP/1.1\r\n") else 400
    connection.sendall(f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n".encode())


def patient(connection: socket.socket) -> None:
    """It answers nothing but a request that it knows."""
    while data := connection.recv(65536):
        if data.startswith(b"GET"):
            http1_answer(connection)
            return


def http1_answer(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 204 No\r\n\r\n")


def test_p11_an_http2_group_is_asked_over_http2() -> None:
    door = Door(Server([(":status", "204")]))
    assert asked(door) == Reply(204, HTTP2)
    assert door.opened == 1


@pytest.mark.parametrize(
    "first",
    [http1, patient, saying(), saying(HELLO, WANTS_HTTP1)],
    ids=["it answers 400", "it waits", "it closes", "it wants HTTP/1.1"],
)
def test_p11_what_does_not_speak_http2_is_asked_over_http1(first: Peer) -> None:
    door = Door(first, http1)
    assert asked(door, 1.0) == Reply(204, HTTP1)
    assert door.opened == 2


def test_p11_an_answer_over_http2_that_fails_is_no_reason_to_ask_again() -> None:
    door = Door(saying(HELLO, REFUSED), http1)
    with pytest.raises(NotHttp, match="reset"):
        asked(door)
    assert door.opened == 1


@pytest.mark.parametrize("first", [http1, saying(HELLO, WANTS_HTTP1)])
def test_p11_a_grpc_question_has_no_other_way(first: Peer) -> None:
    door = Door(first, http1)
    with pytest.raises(NotHttp):
        asked(door, version=GRPC)
    assert door.opened == 1


def test_p11_a_grpc_question_is_asked_as_one() -> None:
    server = Server([(":status", "200"), ("grpc-status", "12")])
    assert asked(Door(server), version=GRPC) == Reply(12, GRPC)
    assert server.asked[0][":method"] == "POST"


def test_an_http1_group_is_asked_over_http1_alone() -> None:
    door = Door(http1)
    assert asked(door, version=HTTP1) == Reply(204, HTTP1)
    door = Door(Server())
    with pytest.raises(NotHttp, match="no HTTP answer"):
        asked(door, version=HTTP1)


@pytest.mark.parametrize("version", ProtocolVersion)
@pytest.mark.parametrize("peers", [(), (saying(),), (saying(stays=True),)])
def test_nothing_is_no_answer(peers: tuple[Peer, ...], version: ProtocolVersion) -> None:
    assert asked(Door(*peers), 0.3, version=version) is None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "tls.pem"
    file.write_bytes(packages.certificate())
    return file


def within_tls(certificate: Path, peer: Peer, *protocols: str) -> Peer:
    """The peer within TLS, which takes the first of these protocols that it is offered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if protocols:
        context.set_alpn_protocols(protocols)

    def run(connection: socket.socket) -> None:
        with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as inside:
            peer(inside)

    return run


@pytest.mark.parametrize("version", [HTTP2, GRPC])
def test_p11_within_tls_http2_is_agreed_on_by_alpn(
    certificate: Path, version: ProtocolVersion
) -> None:
    server = Server([(":status", "200"), ("grpc-status", "12")])
    door = Door(within_tls(certificate, server, "h2", "http/1.1"))
    code = 12 if version is GRPC else 200
    assert asked(door, version=version, is_tls=True) == Reply(code, version)
    assert server.asked[0][":scheme"] == "https"


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_p11_tls_that_does_not_offer_http2_is_asked_over_http1(
    certificate: Path, protocols: tuple[str, ...]
) -> None:
    door = Door(within_tls(certificate, http1, *protocols))
    assert asked(door, is_tls=True) == Reply(204, HTTP1)
    assert door.opened == 2


def test_p11_a_grpc_question_within_tls_names_what_is_missing(certificate: Path) -> None:
    door = Door(within_tls(certificate, Server()))
    with pytest.raises(NotHttp, match="TLS without HTTP/2"):
        asked(door, version=GRPC, is_tls=True)


@pytest.mark.parametrize("version", ProtocolVersion)
def test_p11_a_port_without_tls_is_named_as_such_by_every_protocol(
    version: ProtocolVersion,
) -> None:
    with pytest.raises(NotHttp, match="no TLS"):
        asked(Door(http1), version=version, is_tls=True)


def test_the_tries_share_one_time() -> None:
    """A server that shows nothing until half the time is over, and then nothing either."""
    began = time.monotonic()
    door = Door(saying(stays=True))
    assert asked(door, 1.0) is None
    assert door.opened == 2
    assert 0.9 < time.monotonic() - began < 1.0 + 5


def test_control_without_a_share_nothing_is_left_for_http1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FIRST_SHARE", 1.0)
    assert asked(Door(patient), 0.4) is None
