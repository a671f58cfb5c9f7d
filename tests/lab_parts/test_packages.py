"""The lab's sample service and the packages that hold it: what the lab's verdicts stand on."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe import protocol
from deploy.hosts.probe.request import Reply, Request
from lab import packages
from lab.held import Held
from lab.project import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 10


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, port: int, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a folder package's service; it is gone after the block."""
    process = subprocess.Popen(
        # Without what is installed here: a host has Python's standard library alone.
        [sys.executable, "-S", str(folder / "web"), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def served(tmp_path: Path, **behaviour: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a service that has said that it listens."""
    folder = packages.build(tmp_path, "web", "1.2.3", form="folder", **behaviour)
    port = free_port()
    with running(folder, port) as process:
        assert process.stdout is not None
        assert f"listening on port {port}" in process.stdout.readline()
        yield process, port


def connect(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    connection.connect()
    return connection


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes, str | None]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.getheader("Connection")


def test_it_tells_its_version_and_keeps_the_connection(tmp_path: Path) -> None:
    with served(tmp_path) as (process, port):
        connection = connect(port)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = json.loads(answer.read())
        host = socket.gethostname()
        assert body == {"version": "1.2.3", "host": host, "port": port, "pid": process.pid}
        assert answer.getheader("X-Version") == "1.2.3"
        kept = connection.sock
        assert ask(connection, "/health")[:2] == (200, b"ok\n")
        assert connection.sock is kept
        connection.request("POST", "/", body=b"x" * 100_000)
        assert connection.getresponse().read()
        assert ask(connection, "/nowhere")[0] == 404
        assert connection.sock is kept
        connection.close()


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port), socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        get = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n"
        close = "Connection: close\r\n"
        raw.sendall((get.format("/slow?seconds=0.2", "") + get.format("/health", close)).encode())
        said = b"".join(iter(lambda: raw.recv(65536), b""))
        assert said.count(b"HTTP/1.1 200 OK") == 2
        assert said.index(b'"version"') < said.index(b"ok\n")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        ("BREW / HTTP/1.1\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nX: " + "x" * 70_000, 431),
    ],
)
def test_what_it_does_not_speak_is_refused(tmp_path: Path, request_text: str, status: int) -> None:
    with served(tmp_path) as (_, port), socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        raw.sendall(request_text.encode())
        assert raw.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())


def test_sigterm_drains_as_kestrel_does(tmp_path: Path) -> None:
    """Idle connections are closed, the request in flight is answered with `close`, exit code 0."""
    with served(tmp_path) as (process, port):
        idle, fresh, busy = connect(port), connect(port), connect(port)
        assert ask(idle, "/")[2] == "keep-alive"
        busy.request("GET", "/slow?seconds=1")
        other = connect(port)
        assert ask(other, "/")[0] == 200  # by now the slow request has been read
        process.send_signal(signal.SIGTERM)
        for connection in (idle, fresh, other):
            assert connection.sock.recv(1) == b""
        assert process.poll() is None
        with pytest.raises(ConnectionRefusedError):
            connect(port)
        answer = busy.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert b"1.2.3" in answer.read()
        assert process.wait(PATIENCE_SECONDS) == 0
        for connection in (idle, fresh, busy, other):
            connection.close()


def test_a_request_half_sent_at_sigterm_is_answered(tmp_path: Path) -> None:
    with served(tmp_path) as (process, port), socket.create_connection(("127.0.0.1", port)) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        probe = connect(port)
        raw.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert ask(probe, "/")[0] == 200  # a round of the loop: the half has been read
        process.send_signal(signal.SIGTERM)
        assert probe.sock.recv(1) == b""
        raw.sendall(b" x\r\n\r\n")
        assert b"Connection: close" in raw.recv(65536)
        assert raw.recv(1) == b""
        assert process.wait(PATIENCE_SECONDS) == 0
        probe.close()


def test_a_stream_ends_whole_over_a_sigterm(tmp_path: Path) -> None:
    with served(tmp_path) as (process, port):
        connection = connect(port)
        connection.request("GET", "/stream?seconds=0.5")
        answer = connection.getresponse()
        process.send_signal(signal.SIGTERM)
        assert len(answer.read().splitlines()) >= 4
        assert process.wait(PATIENCE_SECONDS) == 0
        connection.close()


def test_a_stream_may_pause(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port):
        connection = connect(port)
        connection.request("GET", "/stream?seconds=0.4&pause=0.4")
        assert len(connection.getresponse().read().splitlines()) == 2
        connection.close()


def test_a_request_that_is_held_ends_whole_when_the_service_stops(tmp_path: Path) -> None:
    with served(tmp_path) as (process, port):
        held = Held(port)
        assert held.host == socket.gethostname()
        process.send_signal(signal.SIGTERM)
        assert held.is_whole()
        assert process.wait(PATIENCE_SECONDS) == 0
        held.close()


def test_control_a_request_that_is_held_is_cut_by_a_service_that_drops_it(tmp_path: Path) -> None:
    with served(tmp_path, drop_in_flight=True) as (process, port):
        held = Held(port)
        process.send_signal(signal.SIGTERM)
        assert not held.is_whole()
        held.close()


def test_dropping_in_flight_work_loses_the_request(tmp_path: Path) -> None:
    with served(tmp_path, drop_in_flight=True) as (process, port):
        connection = connect(port)
        connection.request("GET", "/slow?seconds=5")
        probe = connect(port)
        assert ask(probe, "/")[0] == 200
        process.send_signal(signal.SIGTERM)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
        assert process.wait(PATIENCE_SECONDS) == 0
        connection.close()
        probe.close()


def test_sick_and_answer_500_are_different_ills(tmp_path: Path) -> None:
    with served(tmp_path / "sick", sick=True) as (_, port):
        connection = connect(port)
        assert (ask(connection, "/health")[0], ask(connection, "/")[0]) == (503, 200)
        connection.close()
    with served(tmp_path / "wrong", answer_500=True) as (_, port):
        connection = connect(port)
        assert (ask(connection, "/health")[0], ask(connection, "/")[0]) == (200, 500)
        connection.close()


def test_crashes_exit_with_1(tmp_path: Path) -> None:
    at_once = packages.build(tmp_path, "web", "1", form="folder", crash_at_once=True)
    with running(at_once, free_port()) as process:
        assert process.wait(PATIENCE_SECONDS) == 1
    began = time.monotonic()
    with served(tmp_path, crash_after_seconds=0.5) as (process, port):
        connection = connect(port)
        assert ask(connection, "/health")[0] == 200
        connection.close()
        assert process.wait(PATIENCE_SECONDS) == 1
        assert time.monotonic() - began >= 0.5


def test_a_slow_start_listens_only_afterwards(tmp_path: Path) -> None:
    began = time.monotonic()
    with served(tmp_path, start_seconds=0.7):
        assert time.monotonic() - began >= 0.7


def test_sigterm_ends_a_slow_start_and_a_deaf_service(tmp_path: Path) -> None:
    deaf = packages.build(tmp_path, "web", "1", form="folder", never_listen=True)
    with running(deaf, free_port()) as process:
        assert process.stdout is not None
        assert "never to listen" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_wrong_port_is_the_one_that_listens(tmp_path: Path) -> None:
    wrong = free_port()
    folder = packages.build(tmp_path, "web", "1", form="folder", listen_port=wrong)
    with running(folder, free_port()) as process:
        assert process.stdout is not None
        assert f"listening on port {wrong}" in process.stdout.readline()


def test_notify_tells_systemd_when_it_listens(tmp_path: Path) -> None:
    folder = packages.build(tmp_path, "web", "1", form="folder", notify=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE_SECONDS)
        with running(folder, free_port(), NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert systemd.recv(100) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert systemd.recv(100) == b"STOPPING=1"


HTTP2, GRPC = ProtocolVersion.HTTP2, ProtocolVersion.GRPC


def over_http2(port: int, path: str, version: ProtocolVersion = HTTP2) -> Reply | None:
    """What a service answers to the proof's own question."""
    address = ("127.0.0.1", port)
    opened = partial(socket.create_connection, address)
    return protocol.ask(opened, Request(*address, path, "x", version), PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("behaviour", "health", "code"), [({}, 200, 12), ({"sick": True, "grpc_code": 0}, 503, 0)]
)
def test_the_sample_for_http2_speaks_it_alone_and_answers_grpc(
    tmp_path: Path, behaviour: dict[str, Any], health: int, code: int
) -> None:
    with served(tmp_path, http2=True, **behaviour) as (_, port):
        assert over_http2(port, "/health") == Reply(health, HTTP2)
        assert over_http2(port, "/") == Reply(200, HTTP2)
        assert over_http2(port, "/AWS.ALB/healthcheck", GRPC) == Reply(code, GRPC)
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.settimeout(PATIENCE_SECONDS)
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP/1.1" not in b"".join(iter(lambda: raw.recv(65536), b""))


def test_the_sample_for_http2_answers_what_it_has_on_sigterm(tmp_path: Path) -> None:
    with served(tmp_path, http2=True) as (process, port), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(over_http2, port, "/slow?seconds=1")
        assert over_http2(port, "/") == Reply(200, HTTP2)
        until("the request has come", lambda: established(port) > 0)
        process.send_signal(signal.SIGTERM)
        assert slow.result() == Reply(200, HTTP2)
        assert process.wait(PATIENCE_SECONDS) == 0


def established(port: int) -> int:
    """How many connections to a port are open."""
    said = subprocess.run(
        ["ss", "-tinH", "state", "established", f"sport = :{port}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return len(said.stdout.splitlines())


def test_the_sample_for_http2_brings_what_it_needs(tmp_path: Path) -> None:
    with zipfile.ZipFile(packages.build(tmp_path, "web", "1.0.0", http2=True)) as archive:
        names = set(archive.namelist())
    assert {f"lib/{name}/__init__.py" for name in packages.LIBRARIES} < names
    with pytest.raises(ValueError, match="never_listen"):
        packages.build(tmp_path, "web", "1.0.0", http2=True, never_listen=True)


def test_a_zip_holds_the_service_by_its_name_with_modes(tmp_path: Path) -> None:
    path = packages.build(tmp_path, "admin", "2.0.0", sick=True)
    assert path == tmp_path / "admin.2.0.0.zip"
    with zipfile.ZipFile(path) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.filelist}
        assert modes["admin"] == 0o755
        assert modes["wwwroot/css/site.css"] == 0o644
        assert archive.read("version.txt") == b"2.0.0\n"
        assert json.loads(archive.read("behaviour.json")) == {"sick": True}


def test_a_windows_zip_has_backslashes_and_no_modes(tmp_path: Path) -> None:
    path = packages.build(tmp_path, "web", "1.0.0", windows=True)
    raw = path.read_bytes()
    assert b"wwwroot\\css\\site.css" in raw
    with zipfile.ZipFile(path) as archive:
        assert {entry.external_attr >> 16 for entry in archive.filelist} == {0}
        assert {entry.create_system for entry in archive.filelist} == {0}


def test_other_forms_hold_the_same(tmp_path: Path) -> None:
    folder = packages.build(tmp_path, "web", "1.0.0", form="folder")
    inside = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert os.access(folder / "web", os.X_OK)
    with tarfile.open(packages.build(tmp_path, "web", "1.0.0", form="tar.gz")) as archive:
        assert set(archive.getnames()) == inside
        assert archive.getmember("web").mode == 0o755
    with zipfile.ZipFile(packages.build(tmp_path, "web", "1.0.0", form="nupkg")) as archive:
        assert set(archive.namelist()) > inside | {"web.nuspec"}


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_twenty_megabytes_are_built_at_once_and_do_not_compress(
    tmp_path: Path, form: packages.Form
) -> None:
    began = time.process_time()  # its own, whatever else the machine does
    path = packages.build(tmp_path, "web", "1.0.0", form=form, size_mb=20)
    assert time.process_time() - began < 5  # under 1 s on an idle machine
    assert 20_000_000 <= path.stat().st_size < 21_000_000


def test_the_same_call_makes_the_same_package(tmp_path: Path) -> None:
    digests = {
        hashlib.sha256(
            packages.build(tmp_path / n, "web", "1.0.0", size_mb=1).read_bytes()
        ).digest()
        for n in ("a", "b")
    }
    assert len(digests) == 1


def test_an_unknown_behaviour_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="start_second"):
        packages.build(tmp_path, "web", "1.0.0", start_second=1)
