"""P10: a proxy is found by its connections, also by such as last only for a request."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from socket import AF_INET, AF_INET6, create_server
from typing import TYPE_CHECKING

import pytest
import shell

from deploy.hosts.scripts import read
from deploy.survey import unit_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.command_result import CommandResult

pytestmark = pytest.mark.skipif(shutil.which("ss") is None, reason="iproute2 is not installed")

LISTENS = """
import socket, sys, time
app, how = int(sys.argv[1]), sys.argv[2]
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
held = socket.create_connection(("127.0.0.1", app)) if how == "pool" else None
while True:
    if how == "requests":
        socket.create_connection(("127.0.0.1", app)).close()
    time.sleep(0.03)
"""
"""A program that listens; what it is to the app: `pool`, `requests` or `nothing`."""


@pytest.fixture
def app() -> Iterator[int]:
    """The port of an app that takes each connection and keeps it until it is closed."""
    with create_server(("127.0.0.1", 0), backlog=1000) as listening:
        yield listening.getsockname()[1]


@contextmanager
def beside(app: int, how: str) -> Iterator[tuple[int, int]]:
    """Another program on the host: its process, and the port that it listens on."""
    command = [sys.executable, "-c", LISTENS, str(app), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def asked(port: int, app: int) -> CommandResult:
    """What the host prints, whose looks are few."""
    return shell.run(read.find_proxy(port, [app, app + 1]).text)


def facts(result: CommandResult, key: str) -> list[str]:
    return [line.partition("=")[2] for line in result.facts if line.startswith(f"{key}=")]


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "PROXY_LOOKS", 4)


def test_p10_a_proxy_with_a_pool_is_seen_at_once(app: int) -> None:
    with beside(app, "pool") as (pid, port):
        found = asked(port, app)
    assert facts(found, "client") == [str(pid)]
    assert facts(found, "ended") == [], "no look after the one that shows it"


def test_p10_another_client_of_the_app_ends_no_look(app: int) -> None:
    """A sidecar keeps a connection, and the proxy is idle or has one for each request."""
    with beside(app, "pool") as (sidecar, _), beside(app, "requests") as (pid, port):
        found = asked(port, app)
    assert str(sidecar) in facts(found, "client")
    assert facts(found, "ended") not in ([], ["0"]) or str(pid) in facts(found, "client")


def test_p10_connections_for_a_request_each_are_seen(app: int) -> None:
    with beside(app, "requests") as (pid, port):
        found = asked(port, app)
    assert facts(found, "port.listener")[0].split()[0] == str(pid)
    assert facts(found, "ended") not in ([], ["0"]) or str(pid) in facts(found, "client")


def test_control_what_listens_and_is_no_proxy_has_none(app: int) -> None:
    with beside(app, "pool") as (sidecar, _), beside(app, "nothing") as (_, port):
        found = asked(port, app)
    assert facts(found, "client") == [str(sidecar)]
    assert facts(found, "ended") == ["0"]
    assert facts(found, "unwatched") == []


@pytest.mark.parametrize(("how", "is_seen"), [("pool", True), ("nothing", False)])
def test_the_port_behind_a_proxy_is_seen_by_its_connections(
    app: int, how: str, is_seen: bool
) -> None:
    with beside(app, "pool"), beside(app, how) as (_, port):
        found = shell.run(read.find_upstreams(port).text)
    assert facts(found, "upstream") == [str(app)] * is_seen


def test_a_port_that_is_free_has_no_proxy(app: int) -> None:
    with create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    assert asked(free, app).facts == ()


RULES = [
    # How iptables-save or nft print a rule, and whether it leads from port 80 to the app's 5000.
    ("-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 5000", True),
    ("-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:5000", True),
    ("    tcp dport 80 counter packets 1 bytes 60 redirect to :5000", True),
    ("    tcp dport { 80, 443 } redirect to :5000", True),
    ("    tcp dport {443,80} redirect to :5000", True),
    ("    tcp dport 8080 redirect to :5000", False),
    ("    tcp dport 80 redirect to :50001", False),
    ("    tcp dport { 8080, 443 } redirect to :5000", False),
    ("-A PREROUTING -p tcp -m tcp --dport 81 -j REDIRECT --to-ports 5000", False),
    ("-A DOCKER ! -i docker0 -p tcp --dport 80 -j DNAT --to-destination 172.17.0.2:5000", False),
    ("", False),
]


@pytest.mark.parametrize(("rule", "is_seen"), RULES)
def test_p10_a_rule_of_the_kernel_is_seen(tmp_path: Path, rule: str, *, is_seen: bool) -> None:
    for name in ("iptables-save", "nft"):
        program = tmp_path / name
        is_its = rule.startswith("-") is (name == "iptables-save")
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{rule if is_its else ''}\nEND\n")
        program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = shell.run(read.find_proxy(80, [5000]).text, environ=environ)
    assert facts(found, "forwarded") == ["5000"] * is_seen


@pytest.mark.parametrize(
    ("addresses", "is_alone"),
    [
        (("127.0.0.1",), True),
        (("127.0.0.1", "127.0.0.2"), True),
        (("0.0.0.0",), False),  # noqa: S104 - to be seen
        (("::",), False),
        (("::1",), True),
        ((), False),
    ],
)
def test_it_is_seen_where_a_port_is_listened_on(addresses: tuple[str, ...], is_alone: bool) -> None:
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        for address in addresses:
            family = AF_INET6 if ":" in address else AF_INET
            stack.enter_context(create_server((address, port), family=family))
        script = unit_state.loopback_alone(port)
        found = script.parse(shell.run(script))
    assert found == (addresses if is_alone else ())
