"""Every answer and package has a limit of bytes and of time; what is none is an error of ours."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from botocore.exceptions import HTTPClientError

from audit import api, archives, bombs, memory, trickle
from deploy.aws.api import transport
from deploy.aws.api.account import Account
from deploy.aws.health_poller import HealthPoller
from deploy.aws.registrar import Registrar
from deploy.aws.target_groups import Balancer
from deploy.aws.targets import Target
from deploy.errors import (
    ApiError,
    BadInput,
    CredentialsRefused,
    DeployError,
    NotProven,
    UnexpectedAnswer,
)
from deploy.hosts.probe.http1 import final_code
from deploy.hosts.probe.request import NotHttp, Request
from deploy.hosts.scripts import probe
from deploy.hosts.ssh.remote import Remote
from deploy.steps.fleet import Fleet
from deploy.steps.verify import ProveRelease
from deploy.survey.question import Question, Questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deploy.hosts.scripts.script import Script

HTML = b"<!DOCTYPE html><html><body><p>Sign in<br></body></html>"
XHTML = b"<html><body><p>Sign in</p></body></html>"


@pytest.fixture(scope="module")
def answering() -> Iterator[api.Api]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        yield api.Api()


@pytest.mark.parametrize("page", [HTML, XHTML, b"", b"\0", b"{}", api.PAGES[7]])
@pytest.mark.parametrize("operation", list(api.TRUE))
def test_h8_a_page_in_place_of_an_answer_is_our_error_and_may_pass(
    answering: api.Api, operation: str, page: bytes
) -> None:
    answering.answers = {operation: (200, page)}
    with pytest.raises(DeployError) as refused:
        api.product(answering)[operation]()
    if operation != "GetCallerIdentity":
        assert isinstance(refused.value, UnexpectedAnswer)
        assert refused.value.may_pass
    assert "AWS" in str(refused.value)
    answering.answers = {}
    api.product(answering)[operation]()


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        ("DescribeTargetHealth", "<Port>5000<", "<Port>²<"),
        ("DescribeTargetHealth", "<Port>5000<", "<Port>-1<"),
        ("DescribeTargetHealth", "<Id>i-0123456789abcdef0</Id>", ""),
        ("DescribeTargetHealth", "<State>unhealthy</State>", ""),
        ("DescribeTargetGroups", "<TargetGroupName>web<", "<TargetGroupName>other<"),
        ("DescribeTargetGroups", "<Port>5000</Port>", ""),
        ("DescribeTargetGroups", ">arn:web<", f">{'a' * 5000}<"),
        ("DescribeTargetGroupAttributes", "<Value>10<", "<Value>²<"),
        ("DescribeTargetGroupAttributes", "<Value>10<", "<Value>nan<"),
        ("DescribeInstances", "<instanceId>i-0123456789abcdef0</instanceId>", ""),
        ("DescribeInstances", "reservationSet", "reservations"),
    ],
)
def test_a_field_that_is_absent_or_odd_is_named(
    answering: api.Api, operation: str, old: str, new: str
) -> None:
    changed = api.TRUE[operation].replace(old, new)
    assert changed != api.TRUE[operation]
    answering.answers = {operation: (200, changed.encode())}
    with pytest.raises(UnexpectedAnswer):
        api.product(answering)[operation]()


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (RuntimeError("Credentials were refreshed, but are expired"), CredentialsRefused, "export"),
        (EOFError("EOF when reading a line"), BadInput, "MFA code"),
        (KeyError("Arn"), BadInput, "could not be called"),
        (MemoryError(), BadInput, "could not be called"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), BadInput, "could not be called"),
    ],
)
def test_whatever_botocore_raises_is_our_error(
    raised: Exception, kind: type[DeployError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(builders.environment(aws={"region": "eu-west-1"}))

    def fail(_: str) -> Any:
        raise raised

    monkeypatch.setattr(account, "_client", fail)
    with pytest.raises(kind, match=said):
        account.verify()


def real_account(port: int, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    aws = {"region": "eu-west-1", "endpoint_url": f"http://127.0.0.1:{port}"}
    return Account(builders.environment(aws=aws))


@pytest.mark.parametrize("name", ["byte by byte", "interim answers for ever"])
def test_an_api_answer_that_does_not_end_is_given_up_and_not_asked_for_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_SECONDS", 0.3)
    with trickle.serving(trickle.ANSWERS[name]) as port:
        account = real_account(port, monkeypatch)
        account._client("elbv2")  # made before the time counts
        began = time.monotonic()
        with pytest.raises((UnexpectedAnswer, ApiError)):
            Balancer(account).health(builders.group())
        # Asked again it would take botocore's minute, five times; a busy machine took 4.05 s.
        assert time.monotonic() - began < 15


def test_an_api_answer_that_is_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 10_000_000)

    monkeypatch.setattr(transport, "MOST_BYTES", 100_000)
    with trickle.serving(large) as port:
        account = real_account(port, monkeypatch)
        with pytest.raises(UnexpectedAnswer, match="more than 100,000 bytes"):
            Balancer(account).health(builders.group())


class Sick:
    """A balancer whose first answers are no errors of ours."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.polls = 0

    def health(self, group: object) -> dict[Target, Any]:
        del group
        self.polls += 1
        if self.errors:
            raise self.errors.pop(0)
        return {Target("i-1", 5000): builders.HEALTHY}

    def register(self, group: object, targets: object) -> None:
        del group, targets
        raise self.errors.pop(0)

    deregister = register


def test_h8_the_poller_survives_any_exception_and_each_is_shown_once() -> None:
    errors = (KeyError("x"), HTTPClientError(error="x"), ValueError("²"), ValueError("²"))
    sick, group = Sick(*errors), builders.group()
    told: list[str] = []
    with HealthPoller(cast("Balancer", sick), [group], 0.02) as poller:
        fleet = Fleet(
            remotes={},
            groups={"web": (group,)},
            registrar=cast("Registrar", None),
            poller=poller,
            tell=lambda _, text: told.append(text),
        )
        host = builders.host(1)
        host = type(host)("host-1", "10.0.0.1", "i-1")
        (seen,) = fleet.look(host, builders.app().at(5000), time.monotonic(), 5.0)
    assert seen.health == builders.HEALTHY
    assert len(told) == len(set(told)) <= 3
    assert sick.polls >= 5


def test_a_defect_at_the_desk_reaches_every_host_that_waits() -> None:
    registrar, group = Registrar(cast("Balancer", Sick(KeyError("x")))), builders.group()
    with pytest.raises(DeployError, match="a defect in Changeover: KeyError"):
        registrar.register(group, Target("i-1", 5000))


CODES = {
    b"HTTP/1.1 200 OK\r\n\r\n": 200,
    b"HTTP/1.0 503\nA: b\n\n": 503,
    b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n": 204,
    b"HTTP/1.1 101 Switching\r\n\r\n": 101,
    b"HTTP/1.1 200 OK\r\nA: b\r\n": None,
    b"HTTP/1.1 100 Continue\r\n\r\n": None,
    b"HTT": None,
    b"": None,
}


@pytest.mark.parametrize("received", CODES)
def test_a_code_counts_once_all_headers_are_there(received: bytes) -> None:
    assert final_code(received) == CODES[received]


@pytest.mark.parametrize(
    "received",
    [
        b"hello\n\n",
        b"HTTP/1.1 999 x\r\n\r\n",
        b"HTTP/1.1 099 x\r\n\r\n",
        b"HTTP/1.1 20 x\r\n\r\n",
        "HTTP/1.1 2²0 x\r\n\r\n".encode(),
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-x",
        b"\0\xff",
        b"HTTP/1.1 100 Continue\r\n\r\nnonsense",
    ],
)
def test_what_is_no_http_is_told_as_it_is(received: bytes) -> None:
    with pytest.raises(NotHttp, match="no HTTP answer"):
        final_code(received)


class Channel:
    """A forwarded channel that is a socket, as Remote sees paramiko's."""

    def __init__(self, port: int) -> None:
        self._port = port

    def connect(self) -> None:
        """It is."""

    is_connected = True

    @property
    def client(self) -> Any:
        return self

    def get_transport(self) -> Any:
        return self

    def open_channel(self, *_: Any, **__: Any) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port))


def _running_anywhere(script: Script[Any], _seconds: float) -> Any:
    """A unit that runs and listens on every address."""
    return () if script.programs[-1].name == "bound_to" else builders.RUNNING


@pytest.mark.parametrize("name", ["byte by byte", "interim answers for ever", "garbage"])
def test_m2_a_proof_of_an_answer_that_trickles_ends_in_time_and_shows_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = builders.app(start_timeout_seconds=1, health={"timeout_seconds": 0.4}).at(5000)
    with trickle.serving(trickle.ANSWERS[name]) as port:
        remote = Remote(builders.host(1), builders.environment())
        cast("Any", remote)._connection = Channel(port)
        monkeypatch.setattr(remote, "ask", _running_anywhere)
        fleet = Fleet({"host-1": remote}, {}, cast("Registrar", None), cast("HealthPoller", None))
        began = time.monotonic()
        asked = Questions((Question("/health", "200", timeout_seconds=0.4),))
        with pytest.raises(NotProven, match=r"not complete|no HTTP answer|headers of more"):
            ProveRelease(builders.host(1), app, "1", asked).run(fleet)
        assert time.monotonic() - began < 1 + 0.4 + 5


@pytest.mark.parametrize("build", [probe.probe_with_curl, probe.probe_with_python])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "204"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", "201"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "000"),
        (b"HTTP/1.1 999 x\r\n\r\n", "000"),
        (b"hello\n\n", "000"),
    ],
)
def test_the_hosts_own_probes_print_a_code_only_of_a_full_answer(
    build: Callable[..., Script[int | None]], answer: bytes, code: str
) -> None:
    with trickle.serving(lambda peer: peer.sendall(answer)) as port:
        script = build(Request("127.0.0.1", port, "/health", "localhost"), 3).text
        ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert probe.code_printed(f"a start-up file speaks\n{ended.stdout}") == int(code)


@pytest.mark.parametrize("build", [probe.probe_with_curl, probe.probe_with_python])
def test_the_hosts_own_probes_end_in_time(build: Callable[..., Script[int | None]]) -> None:
    with trickle.serving(trickle.ANSWERS["byte by byte"]) as port:
        began = time.monotonic()
        script = build(Request("127.0.0.1", port, "/health", "localhost"), 0.3).text
        ended = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["000"]
    assert time.monotonic() - began < 8


def test_the_wall_of_answers_that_do_not_end_and_its_control() -> None:
    for ask in (trickle.product, trickle.over_http2):
        assert trickle.attempt(ask, 0.2, 2.0).findings == ()
    assert len(trickle.attempt(trickle.naive, 0.2, 0.2).findings) >= 2


def test_the_wall_of_api_answers_and_its_control(answering: api.Api) -> None:
    assert api.attempt(api.product, 60, api=answering).findings == ()
    assert api.attempt(api.naive, 20, api=answering).findings


def test_the_wall_of_changed_archives_and_its_control(tmp_path: Path) -> None:
    for name, read, tries in (("a", archives.product, 150), ("b", archives.naive, 30)):
        (tmp_path / name).mkdir()
        found = archives.attempt(read, tries, tmp_path / name)
        assert bool(found.findings) is (name == "b"), found.findings


def test_m3_bombs_take_little_memory_and_their_control_much(tmp_path: Path) -> None:
    few = ("a sparse map in data", "entries without names")
    assert memory.attempt("as_product", tmp_path, few).findings == ()
    assert memory.attempt("as_libraries", tmp_path, few[1:]).findings


@pytest.mark.parametrize("name", ["old sparse headers", "a chain of pax headers", "deep folders"])
def test_m3_a_bomb_is_refused_with_its_name_and_the_limit(name: str, tmp_path: Path) -> None:
    suffix, build = bombs.BOMBS[name]
    path = tmp_path / f"web.1.2.3.{suffix}"
    build(path)
    assert memory.as_product(path).startswith("package web.1.2.3")
