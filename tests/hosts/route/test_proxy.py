"""A ProxyCommand runs as ssh runs it, and ends with us, together with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import builders
import paramiko
import pytest
from shell import typed
from sshd import Sshd

from deploy.aws.inventory import Host
from deploy.errors import BadInput, ConnectionLost, Unreachable
from deploy.hosts.route import proxy as module
from deploy.hosts.route.logins import MOST_AT_ONCE
from deploy.hosts.route.proxy import Proxy, end_all
from deploy.hosts.route.routes import Routes
from deploy.hosts.ssh.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_SECONDS = 10.0


@pytest.fixture
def started() -> Iterator[Callable[[str], Proxy]]:
    made: list[Proxy] = []

    def start(command: str) -> Proxy:
        made.append(Proxy(command))
        made[-1].settimeout(LONGEST_SECONDS)
        return made[-1]

    yield start
    for each in made:
        each.close()


def until(claim: Callable[[], bool]) -> bool:
    end = time.monotonic() + LONGEST_SECONDS
    while not claim() and time.monotonic() < end:
        threading.Event().wait(0.02)
    return claim()


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.strip()[:1] not in {b"", b"Z"}


def pids(folder: Path, count: int) -> list[int]:
    """The process ids that a proxy wrote down, once all are there."""
    file = folder / "pids"
    assert until(lambda: file.exists() and len(file.read_text().split()) == count)
    return [int(word) for word in file.read_text().split()]


def test_it_is_read_and_written_and_its_end_is_seen(started: Callable[[str], Proxy]) -> None:
    proxy = started("head -c 5")
    assert proxy.send(b"hello") == 5
    assert proxy.recv(100) == b"hello"
    assert proxy.recv(100) == b""


def test_what_it_printed_before_its_end_is_read_also_if_it_takes_nothing(
    started: Callable[[str], Proxy],
) -> None:
    proxy = started("printf reason")
    assert until(lambda: proxy._group.process.poll() is not None)
    assert proxy.send(b"SSH-2.0-x") == 9
    assert proxy.recv(100) == b"reason"
    assert proxy.recv(100) == b""


def test_nothing_in_time_is_a_timeout(started: Callable[[str], Proxy]) -> None:
    proxy = started("sleep 100")
    proxy.settimeout(0.05)
    with pytest.raises(TimeoutError):
        proxy.recv(1)
    proxy.send(b"x" * 65536)
    with pytest.raises(TimeoutError):
        proxy.send(b"x" * 65536)


def test_one_that_takes_no_byte_for_long_is_given_up(
    started: Callable[[str], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.2)
    proxy = started("sleep 100")
    proxy.settimeout(0.05)

    def is_given_up() -> bool:
        try:
            proxy.send(b"x" * 65536)
        except TimeoutError:
            return False
        except BrokenPipeError as error:
            return "takes no more bytes" in str(error)
        return False

    assert until(is_given_up)


def test_a_shell_reads_it_as_for_ssh(started: Callable[[str], Proxy], tmp_path: Path) -> None:
    """Redirections and variables work, and the shell does not stay (ssh_config(5))."""
    proxy = started(f"sh -c 'echo $$ >&3; exec cat' 3>{tmp_path}/pid")
    proxy.send(b"$HOME")
    assert proxy.recv(5) == b"$HOME"
    assert int((tmp_path / "pid").read_text()) == proxy._group.process.pid


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_all_that_it_started_ends_with_it(
    started: Callable[[str], Proxy], tmp_path: Path, trap: str
) -> None:
    """Also what ignores SIGTERM, and what outlives the program itself."""
    inner = f"{trap} sleep 1000 & echo $! $$ > {tmp_path}/pids; wait"
    proxy = started(f"sh -c \"sh -c '{inner.replace('$', chr(92) + '$')}' & wait\"")
    found = pids(tmp_path, 2)
    assert all(map(is_running, found))
    began = time.monotonic()
    proxy.close()
    assert time.monotonic() - began < 4
    assert until(lambda: not any(map(is_running, found)))
    assert proxy.closed
    proxy.close()  # again


def test_a_program_that_ended_long_ago_is_not_sent_anything(
    started: Callable[[str], Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = started("true")
    proxy.close()
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("its number may be another's"))
    proxy.close()
    end_all()


@pytest.mark.parametrize("last", ["", "end_all(); os._exit(1)", "raise SystemExit"])
def test_it_ends_with_us(tmp_path: Path, last: str) -> None:
    """At the end of the program, and where that is an abort."""
    program = (
        "import os, time\nfrom deploy.hosts.route.proxy import Proxy, end_all\n"
        f"kept = Proxy('sh -c \"echo \\$\\$ > {tmp_path}/pids; exec sleep 1000\"')\n"
        f"while not os.path.exists('{tmp_path}/pids') or not open('{tmp_path}/pids').read():\n"
        f"    time.sleep(0.01)\n{last}\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    assert ended.returncode in {0, 1}
    (pid,) = pids(tmp_path, 1)
    try:
        assert until(lambda: not is_running(pid))
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGKILL)


def test_it_may_print_much_on_stderr_and_its_last_line_is_kept(
    started: Callable[[str], Proxy],
) -> None:
    words = "head -c 300000 /dev/zero | tr '\\0' x >&2; printf '\\nthe reason\\n\\n' >&2; echo up"
    proxy = started(f'sh -c "{words}"')
    assert proxy.recv(3) == b"up\n"
    assert proxy.last_words() == "the reason"


def test_one_with_an_open_quote_is_named() -> None:
    said = "ProxyCommand cannot be read: No closing quotation: ssh 'jump -W one:22; correct it in"
    with pytest.raises(BadInput, match=said):
        Proxy("ssh 'jump -W one:22")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def by_way_of(sshd: Sshd, tmp_path: Path) -> Iterator[Callable[..., Remote]]:
    """A host that is reached by a ProxyCommand: a program of the test's."""
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    (tmp_path / "known_hosts").write_text(sshd.known_hosts().replace("127.0.0.1", "*"))
    made: list[Remote] = []
    routes = Routes()

    def make(body: str, name: str = "web-1") -> Remote:
        program = tmp_path / "proxy"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        (tmp_path / "config").write_text(
            f"Host *\n  Port {sshd.port}\n  ProxyCommand {program} %h %p\n"
        )
        own = builders.environment(
            root=tmp_path,
            ssh={
                "user": "deploy",
                "key_files": ["key"],
                "known_hosts": ["known_hosts"],
                "connect_timeout_seconds": 3,
            },
            fabric={
                "ssh_config_path": str(tmp_path / "config"),
                "connect_kwargs": {"allow_agent": False},
            },
        )
        made.append(Remote(Host(name, "10.0.0.1", "i-1"), own, routes))
        return made[-1]

    yield make
    for each in made:
        each.close()


CONNECT = f"exec {sys.executable} -c '{{}}' \"$2\""
TO_SSHD = (
    "import os, socket, sys, threading\n"
    'peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))\n'
    "def there():\n"
    "    while data := os.read(0, 65536): peer.sendall(data)\n"
    "threading.Thread(target=there, daemon=True).start()\n"
    "while data := peer.recv(65536): os.write(1, data)\n"
)
TUNNEL = CONNECT.format(TO_SSHD)


def test_a_host_behind_a_proxy_works_and_a_broken_one_says_why(
    by_way_of: Callable[..., Remote], sshd: Sshd
) -> None:
    remote = by_way_of(f"echo 'tunnel: timed out by the gateway' >&2\n{TUNNEL}")
    assert remote.ask(typed("echo here")).stdout.strip() == "here"
    dropped = threading.Timer(0.3, sshd.drop)
    dropped.start()
    said = "the connection broke: its ProxyCommand reports: tunnel: timed out by the gateway"
    with pytest.raises(ConnectionLost, match=said):
        remote.ask(typed("sleep 20"), timeout_seconds=20)
    assert remote.ask(typed("echo here")).stdout.strip() == "here"


def test_the_last_line_of_its_stderr_is_the_reason(by_way_of: Callable[..., Remote]) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable) as refused:
        by_way_of(
            "echo connecting >&2\necho 'deploy@jump: Permission denied' >&2; exit 255"
        ).connect()
    assert "its ProxyCommand reports: deploy@jump: Permission denied; check" in str(refused.value)
    assert time.monotonic() - began < 2, "a refusal is not tried again"


def test_a_program_that_is_not_there_is_named(by_way_of: Callable[..., Remote]) -> None:
    with pytest.raises(Unreachable, match=r"ProxyCommand reports: .*no-such-program: not found"):
        by_way_of("exec no-such-program").connect()


@pytest.mark.parametrize(
    "words",
    ["kex_exchange_identification: read: Connection reset by peer", "Exceeded MaxStartups", ""],
)
def test_one_whose_server_turned_it_away_is_tried_again(
    by_way_of: Callable[..., Remote], tmp_path: Path, words: str
) -> None:
    count = f"echo x >> {tmp_path}/tries"
    fail = f'[ "$(wc -l < {tmp_path}/tries)" -gt 2 ] || {{ echo "{words}" >&2; exit 255; }}'
    remote = by_way_of(f"{count}\n{fail}\n{TUNNEL}")
    assert remote.ask(typed("echo here")).stdout.strip() == "here"
    assert (tmp_path / "tries").read_text().count("x") == 3


def test_at_most_eight_log_in_at_once_by_one_command(
    by_way_of: Callable[..., Remote], sshd: Sshd
) -> None:
    """Such as `ssh -W`, which logs in to the same jump host each time."""
    sshd.login_seconds = 0.2
    remotes = [by_way_of(TUNNEL, f"web-{number}") for number in range(1, 12)]
    threads = [threading.Thread(target=each.connect) for each in remotes]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sshd.connections == 11
    assert sshd.most_startups <= MOST_AT_ONCE
