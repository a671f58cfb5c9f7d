"""One request from the workstation: verified, bounded, straight there or through a proxy."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.front import client
from deploy.front.client import NoAnswer
from deploy.hosts.probe.request import Head, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nX-Version: 2.0.0\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Peer:
    """A server of one act for each connection; what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(act: Callable[[socket.socket, Peer], None]) -> Iterator[Peer]:
    listener = socket.create_server(("127.0.0.1", 0))
    peer = Peer(listener.getsockname()[1])

    def run() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    act(connection, peer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def saying(answer: bytes) -> Callable[[socket.socket, Peer], None]:
    def act(connection: socket.socket, peer: Peer) -> None:
        peer.asked.append(connection.recv(65536).decode("latin-1"))
        connection.sendall(answer)

    return act


def trickling(connection: socket.socket, peer: Peer) -> None:
    peer.asked.append(connection.recv(65536).decode("latin-1"))
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)  # the peer's own pace, which the limit does not wait for


def endless(connection: socket.socket, peer: Peer) -> None:
    peer.asked.append(connection.recv(65536).decode("latin-1"))
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own environment is none of these tests' business."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def get(port: int, seconds: float = 5.0, number: int = 0, **more: Any) -> Head:
    given = {"path": "/orders?id=1", "host_header": "www.example.org", "is_tls": False}
    request = Request(**{"address": "127.0.0.1", "port": port, **given, **more})
    began = time.monotonic()
    try:
        return client.get(request, number, seconds)
    finally:
        assert time.monotonic() - began < seconds + 3


def test_it_asks_as_a_browser_does_and_says_who_it_is() -> None:
    with serving(saying(OK)) as peer:
        head = get(peer.port)
    assert head.code == 200
    assert head.value("x-version") == "2.0.0"
    assert peer.asked == [
        "GET /orders?id=1 HTTP/1.1\r\nHost: www.example.org\r\n"
        f"{client.AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(saying(b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\n\r\n")) as peer:
        assert get(peer.port).code == 302
    assert len(peer.asked) == 1


def test_a_body_without_an_end_is_not_read() -> None:
    with serving(endless) as peer:
        assert get(peer.port).code == 200


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (saying(b""), "no answer and the connection ended"),
        (saying(b"SSH-2.0-x\r\n"), "no HTTP answer (it begins b'SSH-2.0-x"),
        (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000), "headers of more than 64 KiB"),
        (saying(b"HTTP/1.1 200 OK\r\nX: "), "ended within its headers"),
        (trickling, "was not complete after 0."),
    ],
)
def test_what_is_no_answer_is_said_in_time(
    act: Callable[[socket.socket, Peer], None], why: str
) -> None:
    with serving(act) as peer, pytest.raises(NoAnswer) as failed:
        get(peer.port, 0.5)
    assert why in str(failed.value)
    assert not failed.value.blames_release
    assert not failed.value.may_pass


def test_a_port_without_a_listener_and_a_name_without_an_address_are_said() -> None:
    with serving(saying(OK)) as gone:
        pass
    with pytest.raises(NoAnswer, match="no connection: Connection refused"):
        get(gone.port)
    with pytest.raises(NoAnswer, match=r"no address for nowhere\.invalid: "):
        get(80, address="nowhere.invalid")
    with pytest.raises(NoAnswer, match="no address for"):
        get(80, address="a" * 300)


def test_requests_go_to_a_names_addresses_in_turn_and_past_a_dead_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(saying(OK)) as gone:
        pass
    with serving(saying(OK)) as first, serving(saying(OK)) as second:
        places = [("127.0.0.1", each.port) for each in (first, second, gone)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        for number in range(6):
            assert get(1, number=number).code == 200
    assert min(len(first.asked), len(second.asked)) >= 2
    assert len(first.asked) + len(second.asked) == 6


@dataclass(frozen=True)
class Identity:
    """A certificate that signs itself, with its key, in one file."""

    file: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2026, 1, 2, tzinfo=UTC))
            .not_valid_after(datetime(2056, 1, 2, tzinfo=UTC))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        # A self-signed certificate that may sign is what OpenSSL takes as an authority.
        file = folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        return cls(file)

    def within(
        self, act: Callable[[socket.socket, Peer], None]
    ) -> Callable[[socket.socket, Peer], None]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)

        def acted(connection: socket.socket, peer: Peer) -> None:
            with context.wrap_socket(connection, server_side=True) as tls:
                act(tls, peer)

        return acted


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """An identity for `localhost` that this process trusts."""
    identity = Identity.of(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.file))
    client._context.cache_clear()
    yield identity
    client._context.cache_clear()


def test_within_tls_the_certificate_must_be_trusted_and_the_names(
    trusted: Identity, tmp_path: Path
) -> None:
    with serving(trusted.within(saying(OK))) as peer:
        assert get(peer.port, address="localhost", is_tls=True).code == 200
        with pytest.raises(NoAnswer, match="its certificate is not trusted: IP address mismatch"):
            get(peer.port, is_tls=True)
    other = Identity.of(tmp_path, "other")
    with serving(other.within(saying(OK))) as peer:
        with pytest.raises(NoAnswer, match="its certificate is not trusted: self-signed"):
            get(peer.port, address="localhost", is_tls=True)
        assert peer.asked == []


def test_what_speaks_no_tls_is_said() -> None:
    act = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with serving(act) as peer, pytest.raises(NoAnswer, match="no TLS"):
        get(peer.port, address="localhost", is_tls=True)


def test_a_proxy_is_asked_for_the_address_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying(OK)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        assert get(80, address="www.example.org").code == 200
        monkeypatch.setenv("no_proxy", "example.net,127.0.0.1")
        with serving(saying(OK)) as peer:
            assert get(peer.port).code == 200
    (asked,) = proxy.asked
    assert asked.startswith("GET http://www.example.org:80/orders?id=1 HTTP/1.1\r\n")
    assert "\r\nProxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked


def test_through_a_proxy_tls_reaches_to_the_one_who_is_asked(
    trusted: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = trusted.within(saying(OK))

    def tunnel(connection: socket.socket, peer: Peer) -> None:
        peer.asked.append(connection.recv(65536).decode("latin-1"))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        within(connection, peer)

    with serving(tunnel) as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        assert get(443, address="localhost", is_tls=True).code == 200
    opened, asked = proxy.asked
    assert opened.startswith("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n")
    assert asked.startswith("GET /orders?id=1 HTTP/1.1\r\nHost: www.example.org\r\n")


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying(b"HTTP/1.1 407 x\r\n\r\n")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(NoAnswer, match=rf"the proxy 127\.0\.0\.1:{proxy.port} answered 407"):
            get(443, address="www.example.org", is_tls=True)


@pytest.mark.parametrize("url", ["socks5://secret@proxy:1080", "http://", "http://secret@x:y"])
def test_another_kind_of_proxy_is_refused_and_its_password_not_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(NoAnswer, match="http_proxy is no URL of an HTTP proxy") as refused:
        get(80, address="www.example.org")
    assert "add www.example.org to no_proxy" in str(refused.value)
    assert "secret" not in str(refused.value)
