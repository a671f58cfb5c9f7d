"""A connection is opened by one thread at a time, and what keeps it shut is told in words."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import builders
import paramiko
import pytest
from shell import typed

from deploy.errors import BadInput, ConnectionLost, DeployError, Unreachable
from deploy.hosts.probe.request import Request
from deploy.hosts.refusals.login import Keys
from deploy.hosts.refusals.unknown_key import ShownKey
from deploy.hosts.route.failures import LoginEnded, LoginFailed, NoKeyAccepted
from deploy.hosts.ssh import connect, fabric_keys, login
from deploy.hosts.ssh.algorithms import Mismatch
from deploy.hosts.ssh.known_hosts import UnknownHostKey
from deploy.hosts.ssh.remote import Remote
from deploy.hosts.ssh.transport import NoCommonAlgorithm

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.hosts.ssh.connection import Connection

OPENING_SECONDS = 0.2
USER = "(refuses|no key to log in with as) user 'deploy'"
"""Whichever it is where the tests run: an agent there may hold keys."""


class Door:
    """A connection that takes a moment to open, fails as told, and sees who opens it meanwhile."""

    host, port, user = "10.0.0.1", 22, "deploy"
    original_host = "host-1"

    def __init__(self, error: Exception | None = None, *, is_active: bool = True) -> None:
        self._error, self._opening = error, threading.Lock()
        self._transport = SimpleNamespace(
            is_active=lambda: is_active,
            set_keepalive=lambda _: None,
            sock=None,
            open_channel=self._no_channel,
            open_session=self._no_channel,
        )
        self.transport: Any = None
        self.client = SimpleNamespace(get_transport=lambda: self._transport)
        self.opened = self.met = 0
        self.connect_kwargs: dict[str, Any] = {}
        self.gateway: Any = None

    @property
    def is_connected(self) -> bool:
        return self.transport is not None

    def open(self) -> None:
        if not self._opening.acquire(blocking=False):
            self.met += 1
            return
        threading.Event().wait(OPENING_SECONDS)
        self._opening.release()
        if self._error:
            is_active = self._transport.is_active()
            raise LoginFailed(self.gateway or self, self._error, was_active=is_active)
        self.opened += 1
        self.transport = self._transport

    def close(self) -> None:
        self.transport = None

    def _no_channel(self, *_: Any, **__: Any) -> Any:
        raise paramiko.SSHException("no channel")


def jump_host(port: int = 22, user: str = "bastion") -> Door:
    """A jump host that ssh's configuration calls `jump`."""
    made = Door()
    made.host, made.original_host, made.port, made.user = "jump.example.com", "jump", port, user
    return made


def test_the_heartbeat_and_a_probe_open_a_connection_that_broke_once() -> None:
    remote, door = Remote(builders.host(1), builders.environment()), Door()
    cast("Any", remote)._connection = door

    def beat() -> None:
        with pytest.raises(ConnectionLost, match="no channel"):
            remote.run_beside(typed("true"), 5)

    with ThreadPoolExecutor(2) as pool:
        probed = pool.submit(remote.probe, Request("127.0.0.1", 5000, "/", "localhost"), 1.0)
        beating = pool.submit(beat)
        assert probed.result() is None
        beating.result()
    assert (door.opened, door.met) == (1, 0)


@pytest.mark.parametrize(
    ("error", "is_active", "kind", "said"),
    [
        (paramiko.AuthenticationException("Authentication failed."), True, BadInput, USER),
        (paramiko.AuthenticationException("Authentication timeout."), True, Unreachable, "broke"),
        (paramiko.AuthenticationException("saw EOF"), False, Unreachable, "if that lasts, check"),
        (paramiko.SSHException("no banner"), False, Unreachable, "no SSH connection on port 22"),
        (EOFError(), False, Unreachable, "EOFError; check that the host runs"),
        (
            paramiko.ssh_exception.NoValidConnectionsError(
                {("10.0.0.1", 22): ConnectionRefusedError(111, "Connection refused")}
            ),
            False,
            Unreachable,
            "no SSH connection on port 22: Connection refused; check that the host runs",
        ),
        (
            OSError(24, "Too many open files"),
            False,
            Unreachable,
            "files; raise .* ulimit -n 4096",
        ),
        (FileNotFoundError(2, "No such file", "aws"), False, Unreachable, "No such file: 'aws'; c"),
        (
            UnknownHostKey(ShownKey("10.0.0.1", "ssh-ed25519", "SHA256:x", "AAAA", "f")),
            True,
            BadInput,
            r"add this to f:\n  # host-1 i-0+1: ssh-ed25519 SHA256:x\n  10.0.0.1 ssh-ed25519 AAAA",
        ),
    ],
)
def test_a_door_that_stays_shut_says_why_and_whether_that_may_pass(
    error: Exception, is_active: bool, kind: type[DeployError], said: str
) -> None:
    door = cast("Connection", Door(error, is_active=is_active))
    with pytest.raises(DeployError, match=said) as raised:
        login.open_to(builders.host(1), door)
    assert type(raised.value) is kind
    assert raised.value.may_pass is (kind is Unreachable)


def test_a_host_without_a_common_algorithm_is_not_called_down() -> None:
    error = NoCommonAlgorithm((Mismatch("ciphers", ("3des-cbc",), ("aes128-ctr",)),))
    door = Door(error)
    with pytest.raises(BadInput) as raised:
        login.open_to(builders.host(1), cast("Connection", door))
    said = str(raised.value)
    assert said.startswith("host-1 (10.0.0.1): no Ciphers in common: the server allows 3des-cbc;")
    assert "check that the host runs" not in said
    door.gateway = jump_host()
    with pytest.raises(BadInput, match=r"host-1: jump host jump.example.com: no Ciphers in"):
        login.open_to(builders.host(1), cast("Connection", door))


def test_an_unknown_key_of_a_jump_host_is_told_as_its_own() -> None:
    shown = ShownKey("[jump.example.com]:2222", "ssh-ed25519", "SHA256:x", "AAAA", "known_hosts")
    door = Door(UnknownHostKey(shown))
    door.gateway = jump_host()
    with pytest.raises(BadInput) as raised:
        login.open_to(builders.host(1), cast("Connection", door))
    lines = str(raised.value).split("\n")
    assert lines[0] == "host-1: jump host jump.example.com: unknown host key"
    assert lines[-2:] == [
        "  # jump.example.com: ssh-ed25519 SHA256:x",
        "  [jump.example.com]:2222 ssh-ed25519 AAAA",
    ]


def test_a_jump_host_that_refuses_the_login_is_named_with_its_own_user_and_keys() -> None:
    door = Door(NoKeyAccepted("bastion", Keys()))
    door.gateway = jump_host()
    with pytest.raises(BadInput) as raised:
        login.open_to(builders.host(1), cast("Connection", door))
    first, *_, last = raised.value.args
    assert first == "host-1: jump host jump.example.com: no key to log in with as user 'bastion'"
    assert last.startswith("  name one by IdentityFile of jump in ~/.ssh/config, or add one to")
    door = Door(NoKeyAccepted("bastion", Keys(("/home/me/key",))))
    door.gateway = jump_host()
    with pytest.raises(BadInput) as raised:
        login.open_to(builders.host(1), cast("Connection", door))
    first, second, *_ = raised.value.args
    assert first.endswith(": refuses user 'bastion' with the keys offered: /home/me/key")
    assert second.startswith("  check User of jump in ~/.ssh/config (ec2-user on Amazon Linux, ")


def test_a_jump_host_that_ends_after_many_keys_is_named_with_what_leaves_keys_out() -> None:
    keys = Keys(tuple(f"key-{number}" for number in range(6)))
    door = Door(LoginEnded(EOFError(), keys), is_active=False)
    door.gateway = jump_host()
    with pytest.raises(Unreachable) as raised:
        login.open_to(builders.host(1), cast("Connection", door))
    _, second, third = raised.value.args
    assert second.startswith("  6 keys were offered, and sshd allows 6 tries by default")
    assert third == "  IdentityFile of jump in ~/.ssh/config, and set `IdentitiesOnly yes`"


def test_a_refusal_is_one_whatever_its_keys_are_called() -> None:
    door = cast("Connection", Door(NoKeyAccepted("deploy", Keys(("/home/me/timeout",)))))
    with pytest.raises(BadInput, match="refuses user 'deploy' with the keys offered") as raised:
        login.open_to(builders.host(1), door)
    assert type(raised.value) is BadInput


def test_a_changed_key_of_a_jump_host_is_removed_by_the_name_it_stands_under() -> None:
    shown, known = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    door = Door(paramiko.BadHostKeyException("jump.example.com", shown, known))
    door.gateway = jump_host(port=2222)
    with pytest.raises(BadInput, match=r"ssh-keygen -R '\[jump.example.com\]:2222'"):
        login.open_to(builders.host(1), cast("Connection", door))


@pytest.mark.parametrize(
    ("fabric", "said"),
    [
        ({"usr": "bob"}, "'usr' is no key of Fabric's; did you mean 'user'?"),
        ({"apps": {}}, "'apps' is no key of Fabric's; Changeover's own stand under `deploy:`"),
        ({"port": "abc"}, "port: must be of type int, not 'abc'"),
        ({"connect_kwargs": ["a"]}, "connect_kwargs: must be a mapping, not"),
        ({"timeouts": 5}, "timeouts: must be a mapping, not 5"),
        ({"forward_agent": True}, "forward_agent: the agent is never forwarded: root on a host"),
        ({"connect_kwargs": {"forward_agent": True}}, "forward_agent: the agent is never"),
        ({"connect_kwargs": {"sock": "x"}}, "connect_kwargs: 'sock' cannot be set here"),
        ({"connect_kwargs": {"passwrd": "x"}}, "cannot be set here; did you mean 'password'?"),
        ({"connect_kwargs": {"timeout": 5}}, "connect_kwargs: 'timeout' cannot be set here"),
        ({"connect_kwargs": {"compress": "x"}}, "compress: must be of type bool, not 'x'"),
        ({"connect_kwargs": {"disabled_algorithms": {"kex": "x"}}}, "must map kinds to lists of"),
        ({"run": {"pty": True}}, "run.pty has no effect on hosts here: no command gets a terminal"),
        ({"run": {"shell": "/bin/zsh"}}, "run.shell has no effect on hosts here: hosts run prog"),
        ({"run": {"env": {"A": "b"}}}, "run.env has no effect .* under `environment:` of its app"),
        ({"run": {"asynchronous": True}}, "run.asynchronous has no effect on hosts here: remove"),
        ({"run": {"disown": True}}, "run.disown has no effect on hosts here: remove it"),
        ({"run": {"ptty": True}}, "run.ptty is no key of Fabric's; did you mean 'pty'?"),
        ({"sudo": {"user": "bob"}}, "sudo.user has no effect on hosts here: hosts are changed as"),
        ({"sudo": {"password": "x"}}, "sudo.password has no effect .*: sudo must not ask: allow"),
        ({"timeouts": {"connect": 5}}, "timeouts.connect .* `ssh: connect_timeout_seconds:`"),
        ({"timeouts": {"command": 5}}, "timeouts.command has no effect on hosts here: remove it"),
        ({"inline_ssh_env": False}, "inline_ssh_env has no effect on hosts here: variables of"),
        ({"authentication": {"identities": ["x"]}}, "authentication.identities .* `ssh: user:`"),
        ({"runners": {"remote": "x"}}, "runners.remote has no effect on hosts here: remove it"),
    ],
    ids=str,
)
def test_p8_a_key_of_fabrics_that_cannot_be_honoured_is_refused(
    fabric: dict[str, Any], said: str
) -> None:
    own = builders.environment().model_copy(update={"fabric": fabric})
    with pytest.raises(BadInput, match=said):
        fabric_keys.check(own)


def test_keys_of_fabrics_as_they_are_by_default_and_those_that_have_an_effect_are_taken() -> None:
    given = {
        "run": {"pty": False, "echo": None, "env": {}},
        "sudo": {"user": None},
        "timeouts": {"connect": None},
        "tasks": {"collection_name": "tasks"},
        "user": "deploy",
        "port": 2222,
        "gateway": None,
        "load_ssh_configs": False,
        "connect_kwargs": {"allow_agent": False, "passphrase": "x"},
    }
    fabric_keys.check(builders.environment().model_copy(update={"fabric": given}))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's ssh configuration, in a home folder of the test's own."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".ssh" / "config"


@pytest.mark.parametrize(
    "text",
    [b"Host\n", b'Host "a\n', b"\xef\xbb\xbfHost a\n", b"Host *\nUser a\0b\n", b"Nonsense 1\n"],
    ids=["no value", "open quote", "byte order mark", "nul", "no keyword"],
)
def test_p8_a_line_that_ssh_refuses_is_named(text: bytes, config: Path) -> None:
    config.write_bytes(text)
    with pytest.raises(BadInput, match=r"~/.ssh/config:[12]: .*; ") as refused:
        connect.resolve(builders.environment(), "10.0.0.1")
    assert len(refused.value.args) == 1
    quiet = builders.environment().model_copy(update={"fabric": {"load_ssh_configs": False}})
    connect.resolve(quiet, "10.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        b"Match final all\n  User x\n",
        b"Match all\n  ServerAliveInterval 30\n",
        b"# caf\xe9\nHost a\n",
        b"IgnoreUnknown Nonsense,Use*\nNonsense 1\n",
        b"Host *\n  AddressFamily inet\n  ForwardAgent yes\n  Ciphers 3des-cbc\n",
    ],
    ids=["match final", "match all", "not utf-8", "ignored", "inet"],
)
def test_a_configuration_that_ssh_takes_is_taken(text: bytes, config: Path) -> None:
    config.write_bytes(text)
    assert connect.resolve(builders.environment(), "127.0.0.1") == "127.0.0.1"


def test_p8_a_file_that_cannot_be_read_is_named(config: Path) -> None:
    own = {"ssh_config_path": str(config)}
    missing = builders.environment().model_copy(update={"fabric": own})
    with pytest.raises(BadInput, match=r"config cannot be read: No such.*load_ssh_configs: false"):
        connect.resolve(missing, "10.0.0.1")


def test_a_family_without_an_address_of_the_host_is_refused(config: Path) -> None:
    config.write_text("Host *\n  AddressFamily inet6\n")
    with pytest.raises(BadInput, match="has no address"):
        connect.resolve(builders.environment(), "127.0.0.1")
