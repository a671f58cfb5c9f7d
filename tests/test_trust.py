"""P5: a connection tells a host that froze from one that is silent."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import paramiko
import pytest

from deploy.errors import BadInput
from deploy.trust import UNANSWERED_MOST, Proxy, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERVAL_SECONDS = 0.1
LONGEST_SECONDS = 10.0


class Sshd(paramiko.ServerInterface):
    """Lets anybody in, and answers requests unless it is frozen."""

    def __init__(self) -> None:
        self.thaws = threading.Event()
        self.thaws.set()
        self.asked = 0

    def check_auth_none(self, username: str) -> int:
        del username
        return paramiko.common.AUTH_SUCCESSFUL

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        del kind, msg
        self.asked += 1
        self.thaws.wait(LONGEST_SECONDS)
        return False


@pytest.fixture
def sshd() -> Iterator[Sshd]:
    made = Sshd()
    yield made
    made.thaws.set()


@pytest.fixture
def connected(sshd: Sshd) -> Iterator[Transport]:
    ours, theirs = socket.socketpair()
    server, client = paramiko.Transport(theirs), Transport(ours)
    server.add_server_key(paramiko.ECDSAKey.generate())
    server.start_server(event=threading.Event(), server=sshd)
    client.start_client(timeout=LONGEST_SECONDS)
    client.auth_none("deploy")
    yield client
    for each in (client, server):
        each.close()


def test_a_host_that_answers_nothing_is_given_up(sshd: Sshd, connected: Transport) -> None:
    sshd.thaws.clear()
    began = time.monotonic()
    connected.set_keepalive(INTERVAL_SECONDS)
    connected.join(LONGEST_SECONDS)
    assert not connected.is_active()
    assert time.monotonic() - began > UNANSWERED_MOST * INTERVAL_SECONDS
    assert str(connected.get_exception()) == "3 keep-alives were not answered"


def test_a_host_that_answers_is_kept_however_silent_it_is(sshd: Sshd, connected: Transport) -> None:
    connected.set_keepalive(INTERVAL_SECONDS)
    end = time.monotonic() + LONGEST_SECONDS
    while sshd.asked < 3 * UNANSWERED_MOST and time.monotonic() < end:
        threading.Event().wait(INTERVAL_SECONDS)
    assert sshd.asked >= 3 * UNANSWERED_MOST
    assert connected.is_active()


def test_a_proxy_command_with_an_open_quote_is_named() -> None:
    said = "ProxyCommand cannot be read: No closing quotation: ssh 'jump -W one:22; mend it in"
    with pytest.raises(BadInput, match=said):
        Proxy("ssh 'jump -W one:22")
