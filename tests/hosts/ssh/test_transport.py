"""P5: a connection tells a host that froze from one that is silent. P7: how it is made."""

from __future__ import annotations

import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import fabric
import paramiko
import pytest

from audit import ssh as wall
from deploy.errors import BadInput
from deploy.hosts.route.failures import NoServer, TurnedAway
from deploy.hosts.ssh.algorithms import OPENSSH
from deploy.hosts.ssh.connection import Connection
from deploy.hosts.ssh.transport import UNANSWERED_MOST, NoCommonAlgorithm, Transport

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

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        del chanid, origin
        return destination[1]  # refused, with this code


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


def test_a_host_that_answers_nothing_is_given_up_also_while_we_send(
    sshd: Sshd, connected: Transport
) -> None:
    """As all hosts behind a frozen jump host go on to do."""
    sshd.thaws.clear()
    connected.set_keepalive(INTERVAL_SECONDS)
    end = time.monotonic() + LONGEST_SECONDS
    while connected.is_active() and time.monotonic() < end:
        connected.send_ignore(8)
        threading.Event().wait(INTERVAL_SECONDS / 4)
    assert not connected.is_active()
    assert str(connected.get_exception()) == "3 keep-alives were not answered"


@contextmanager
def to_one_that_sends(sent: bytes) -> Iterator[Transport]:
    """A transport to something that sends this and nothing more."""
    ours, theirs = socket.socketpair()
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    client = Transport(ours)
    yield client
    client.close()
    theirs.close()


@pytest.mark.parametrize(
    ("sent", "is_turned_away"),
    [
        (b"", True),
        (b"Exceeded MaxStartups\r\n", True),  # since OpenSSH 9.8
        (b"SSH-2.0-x\r\n", False),
    ],
)
def test_a_server_that_goes_away_before_its_banner_turned_us_away(
    sent: bytes, is_turned_away: bool
) -> None:
    with to_one_that_sends(sent) as client:
        with pytest.raises((paramiko.SSHException, EOFError)) as raised:
            client.start_client(timeout=LONGEST_SECONDS)
        assert isinstance(raised.value, TurnedAway) is is_turned_away


def test_a_server_that_punishes_our_address_is_told_as_that() -> None:
    """PerSourcePenalties, from OpenSSH 9.8 on: ansible#86325."""
    said = r"Not allowed at this time; its sshd .*PerSourcePenalt"
    with (
        to_one_that_sends(b"Not allowed at this time\r\n") as client,
        pytest.raises(TurnedAway, match=said),
    ):
        client.start_client(timeout=LONGEST_SECONDS)


def test_what_is_no_ssh_server_is_told_as_that() -> None:
    """Its last line was an error of a codec, or nothing: netmiko#634."""
    for sent in (b"220 mail.example.com \xe9\r\n", b"HTTP/1.1 400\r\n" * 200):
        ours, theirs = socket.socketpair()
        theirs.sendall(sent)
        client = Transport(ours)
        client.banner_timeout = INTERVAL_SECONDS
        with pytest.raises(NoServer, match=r"no SSH server; it sends '(220 mail|HTTP/1.1 400)"):
            client.start_client(timeout=LONGEST_SECONDS)
        client.close()
        theirs.close()


def test_a_line_before_the_banner_may_have_any_bytes() -> None:
    """As for ssh: a proxy, or a message of the day, in Latin-1."""
    with to_one_that_sends(b"Bienvenue \xe0 la passerelle\r\nSSH-2.0-x\r\n") as client:
        with pytest.raises((paramiko.SSHException, EOFError)):
            client.start_client(timeout=LONGEST_SECONDS)
        assert client.remote_version == "SSH-2.0-x"


def test_a_server_that_is_silent_did_not_turn_us_away() -> None:
    ours, theirs = socket.socketpair()
    client = Transport(ours)
    client.banner_timeout = INTERVAL_SECONDS
    with pytest.raises(NoServer, match="sends no SSH banner in time"):
        client.start_client(timeout=LONGEST_SECONDS)
    client.close()
    theirs.close()


def test_each_channel_has_its_own_refusal(connected: Transport) -> None:
    """Many hosts open theirs at one jump host; Paramiko keeps one exception for all."""
    codes = [1 + number % 4 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(refusal, connected), codes)) == codes
    assert connected.get_exception() is None


def refusal(transport: Transport, code: int) -> int:
    try:
        transport.open_channel("direct-tcpip", ("x", code), ("", 0), timeout=LONGEST_SECONDS)
    except paramiko.ChannelException as error:
        return error.code
    return 0


def test_p7_no_algorithm_beyond_openssh_is_offered_or_agreed_upon() -> None:
    attempt = wall.algorithms(Transport)
    assert attempt.findings == ()
    assert attempt.tried > 50


def test_control_paramikos_own_offers_are_found() -> None:
    found = wall.algorithms(paramiko.Transport).findings
    for name in ("3des-cbc", "aes256-cbc", "hmac-md5", "hmac-sha1-96"):
        assert f"agrees on {'Ciphers' if 'cbc' in name else 'MACs'} {name}" in " ".join(found)


def test_the_quickest_cipher_of_openssh_is_preferred() -> None:
    assert Transport._preferred_ciphers[0] == "aes128-gcm@openssh.com"
    for kind in OPENSSH:
        own = getattr(Transport, f"_preferred_{kind}")
        assert list(own) == [name for name in OPENSSH[kind] if name in own]


def test_a_server_without_a_common_algorithm_is_told_what_to_allow() -> None:
    chacha = "chacha20-poly1305@openssh.com"
    server = wall.allowing("ciphers", chacha)
    _, error = wall.handshake(Transport, server)
    assert isinstance(error, NoCommonAlgorithm)
    assert str(error) == (
        f"no Ciphers in common: the server allows {chacha}; offered are aes128-gcm@openssh.com, "
        "aes256-gcm@openssh.com, aes128-ctr, aes192-ctr, aes256-ctr; add aes128-gcm@openssh.com "
        "to the line `Ciphers` in the server's /etc/ssh/sshd_config and reload sshd"
    )


def test_p7_the_agent_is_never_forwarded() -> None:
    assert wall.agents(Connection).findings == ()
    assert wall.agents(fabric.Connection).findings  # control


def connection(text: str, host: str = "web", **arguments: Any) -> Connection:
    """A connection as this ssh configuration has it."""
    own = paramiko.SSHConfig.from_text(text)
    overrides = {"user": "deploy"} | arguments.pop("overrides", {})
    config = fabric.Config(overrides=overrides, ssh_config=own, lazy=True)
    return Connection(host, config=config, **arguments)


def way(of: Any) -> list[str]:
    """The hosts on a connection's way, the first one that is connected to first."""
    return [*way(of.gateway), of.host] if of else []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Host web\n ProxyJump one,two\n", ["one", "two", "web"]),
        ("Host web\n ProxyJump one\nHost one\n ProxyJump two\n", ["two", "one", "web"]),
        ("Host *\n ProxyJump one\n", ["one", "web"]),
        ("Host *\n ProxyJump one\nHost one\n HostName 10.0.0.9\n", ["10.0.0.9", "web"]),
        ("Host web\n ProxyJump none\nHost *\n ProxyJump one\n", ["web"]),
        ("Host web\n ProxyJump root@one:2222\n", ["one", "web"]),
    ],
)
def test_jump_hosts_are_visited_in_the_order_of_ssh(text: str, expected: list[str]) -> None:
    assert way(connection(text)) == expected


def test_jump_hosts_get_the_same_algorithms_and_time_limits() -> None:
    given = {"banner_timeout": 7, "key_filename": ["/k"], "transport_factory": Transport}
    made = connection("Host web\n ProxyJump one,two\n", connect_kwargs=given)
    for hop in (made.gateway, made.gateway.gateway):
        assert hop.connect_kwargs == {"transport_factory": Transport, "banner_timeout": 7}
        assert isinstance(hop, Connection)


def test_a_jump_hosts_user_may_have_an_at_as_for_ssh() -> None:
    """CyberArk's form: the last `@` counts (mscdex/ssh2#1347)."""
    hop = connection("Host web\n  ProxyJump vault@root@10.0.0.1@one:2200\n").gateway
    assert (hop.user, hop.host, int(hop.port)) == ("vault@root@10.0.0.1", "one", 2200)


def test_jump_hosts_in_a_circle_are_refused() -> None:
    text = "Host web\n ProxyJump one\nHost one\n ProxyJump two\nHost two\n ProxyJump one\n"
    with pytest.raises(
        BadInput, match="web: ProxyJump leads from web to one to two to one: a loop"
    ):
        connection(text)


@pytest.mark.parametrize(
    "host",
    ["-oProxyCommand=touch /tmp/x", "a b", "a;b", "$(id)", "a\nUser root", "%h", "a`b", "", "a'b"],
)
def test_a_host_that_a_proxy_could_take_for_more_than_a_name_is_refused(
    host: str, tmp_path: Any
) -> None:
    made = connection("Host *\n", overrides={"gateway": f"touch {tmp_path}/ran %h"})
    made.host = host
    with pytest.raises(BadInput, match="cannot be handed to a ProxyCommand"):
        made.open_gateway()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("user", ["CORP\\jdoe", "vault@root@10.0.0.1", "-o x"])
def test_a_user_that_a_proxy_does_not_get_may_have_any_name(user: str, tmp_path: Any) -> None:
    """A login name of Active Directory, as ssh takes it: salt#68790."""
    made = connection("Host *\n", user=user, overrides={"gateway": f"touch {tmp_path}/%h-%%r"})
    made.open_gateway().close()
    assert (made.user, made.proxy is not None) == (user, True)


@pytest.mark.parametrize("user", ["-oProxyCommand=x", "a b", "a\nProxyCommand touch", "%h", "$x"])
def test_a_user_that_a_proxy_could_take_for_more_than_a_name_is_refused(user: str) -> None:
    made = connection("Host *\n", user=user, overrides={"gateway": "touch %r"})
    with pytest.raises(BadInput, match=r"user .* cannot be handed to a ProxyCommand"):
        made.open_gateway()


def test_a_proxy_gets_host_port_and_user_as_single_words(tmp_path: Any) -> None:
    line = f'sh -c \'printf "%s|" "$@" > {tmp_path}/said\' sh %h %p %r'
    made = connection("Host *\n", user="ec2-user", port=2222, overrides={"gateway": line})
    proxy = made.open_gateway()
    proxy.settimeout(LONGEST_SECONDS)
    assert proxy.recv(1) == b""  # its end
    assert (tmp_path / "said").read_text() == "web|2222|ec2-user|"


def test_a_proxy_that_a_shell_has_to_read_is_run_by_one(tmp_path: Any) -> None:
    """As ssh runs it: here the redirection was a word that printf got."""
    line = f"printf '%%s|' %n %h 100%% \"$HOME\" 2>/dev/null >{tmp_path}/said"
    own = "Host web\n HostName 10.0.0.9\n"
    made = connection(own, user="deploy", overrides={"gateway": line})
    made.open_gateway()._group.process.wait(LONGEST_SECONDS)
    assert (tmp_path / "said").read_text() == f"web|10.0.0.9|100%|{os.environ['HOME']}|"


@pytest.mark.parametrize("text", ["AddressFamily inet", "BindAddress 127.0.0.1"])
def test_family_and_own_address_are_those_of_the_ssh_configuration(text: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        made = connection(f"Host *\n {text}\n", "localhost", port=port)
        with made.open_gateway() as opened:
            assert opened.family == socket.AF_INET
            assert opened.getsockname()[0] == "127.0.0.1"
        other = connection("Host *\n AddressFamily inet6\n", "127.0.0.1", port=port)
        with pytest.raises(OSError, match=r".+"):
            other.open_gateway()
        elsewhere = connection("Host *\n BindAddress 192.0.2.1\n", "127.0.0.1", port=port)
        with pytest.raises(OSError, match=r".+"):
            elsewhere.open_gateway()
    assert connection("Host *\n AddressFamily any\n").gateway is None
