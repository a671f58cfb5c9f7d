"""Case 10: many hosts behind one jump host, whose sshd has limits; one login for all of them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import builders
import paramiko
import pytest
from shell import typed
from sshd import Sshd

from deploy.aws.inventory import Host
from deploy.checkup import machines
from deploy.errors import BadInput, ConnectionLost, DeployError, Unreachable
from deploy.folding import folded
from deploy.hosts.refusals.login import USERS
from deploy.hosts.route.logins import MOST_AT_ONCE
from deploy.hosts.route.routes import Routes
from deploy.hosts.ssh import connect
from deploy.hosts.ssh.connection import REFUSAL_SECONDS
from deploy.hosts.ssh.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.settings.environment import Environment

MAX_STARTUPS = 10
"""From here on sshd turns logins away by its defaults; the tests' does so at once."""
FLEET = 30


@dataclass
class Network:
    """A fleet, `10.x`'s part of which is 127.1.0.x, whose hosts are one server, and jump hosts.

    `.2` and `.3` are jump hosts; hosts are reached as the lines of `config` say.
    """

    folder: Path
    hosts: Sshd
    jump: Sshd
    second: Sshd
    routes: Routes = field(default_factory=Routes)
    remotes: list[Remote] = field(default_factory=list)

    def environment(self, config: str) -> Environment:
        """Settings under which ssh's configuration has these lines."""
        blocks = "".join(
            f"Host {each.address}\n  Port {each.port}\n  IdentityFile {self.folder}/key\n"
            for each in (self.jump, self.second)
        )
        (self.folder / "config").write_text(f"{config}{blocks}Host *\n  User deploy\n")
        return builders.environment(
            hosts=("127.1.0.1",),
            root=self.folder,
            ssh={
                "port": self.hosts.port,
                "key_files": ["key"],
                "known_hosts": ["known_hosts"],
                "connect_timeout_seconds": 5,
            },
            fabric={
                "ssh_config_path": str(self.folder / "config"),
                "connect_kwargs": {"allow_agent": False},
            },
        )

    def reach(self, count: int, config: str) -> list[Remote]:
        """So many hosts, not yet connected to."""
        own = self.environment(config)
        for number in range(1, count + 1):
            name = f"127.1.0.{number}"
            host = Host(name, name, f"i-{number:017x}", "eu-west-1a")
            self.remotes.append(Remote(host, own, self.routes))
        return self.remotes


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    servers = [
        Sshd(tmp_path / name, address)
        for name, address in (("h", "0.0.0.0"), ("a", "127.0.0.2"), ("b", "127.0.0.3"))  # noqa: S104 - loopback's addresses
    ]
    hosts, jump, second = servers
    for server in servers:
        server.max_startups = MAX_STARTUPS
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    known = hosts.known_hosts().replace(hosts.address, "127.1.0.*")
    (tmp_path / "known_hosts").write_text(known + "".join(s.known_hosts() for s in servers[1:]))
    made = Network(tmp_path, hosts, jump, second)
    yield made
    for remote in made.remotes:
        remote.close()
    made.routes.close()
    for server in servers:
        server.stop()


def ask(remote: Remote) -> str:
    """What a host prints, or why it does not."""
    try:
        return remote.ask(typed("echo here")).stdout.strip()
    except DeployError as error:
        return str(error)


def ask_all(remotes: list[Remote]) -> list[str]:
    with ThreadPoolExecutor(len(remotes)) as pool:
        return list(pool.map(ask, remotes))


def ask_until_here(remotes: list[Remote]) -> list[str]:
    """What hosts print once a refusal no longer holds, or why they do not by then."""
    end = time.monotonic() + REFUSAL_SECONDS + 5
    while (said := ask_all(remotes)) != ["here"] * len(remotes) and time.monotonic() < end:
        threading.Event().wait(0.1)
    return said


def has_ended(server: Sshd) -> bool:
    """Whether all connections to a server end within a moment."""
    end = time.monotonic() + 5
    while server.open_connections and time.monotonic() < end:
        threading.Event().wait(0.05)
    return server.open_connections == 0


BEHIND = "Host 127.1.*\n  ProxyJump 127.0.0.2\n"
BEHIND_TWO = "Host 127.1.*\n  ProxyJump 127.0.0.2,127.0.0.3\n"


def test_thirty_hosts_behind_a_jump_host_share_one_connection_to_it(network: Network) -> None:
    network.hosts.max_startups = FLEET  # which stands for thirty machines
    assert ask_all(network.reach(FLEET, BEHIND)) == ["here"] * FLEET
    assert (network.jump.connections, network.jump.turned_away) == (1, 0)


def test_control_each_with_a_connection_of_its_own_meets_the_limit(network: Network) -> None:
    network.hosts.max_startups, network.jump.login_seconds = FLEET, 0.5
    for remote in network.reach(FLEET, BEHIND):
        remote._connection = connect.connection_to(remote.host, network.environment(BEHIND))
    ask_all(network.remotes)
    assert network.jump.turned_away > 0


def test_the_hops_of_a_chain_are_shared_too(network: Network) -> None:
    assert ask_all(network.reach(5, BEHIND_TWO)) == ["here"] * 5
    assert (network.jump.connections, network.second.connections) == (1, 1)


@pytest.mark.parametrize("text", ["[", "user: other\ngateway: nc %h %p\nport: 1\n"])
def test_fabrics_files_of_the_home_are_not_read_for_a_jump_host(
    network: Network, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(network.folder))
    (network.folder / ".fabric.yaml").write_text(text)
    assert ask_all(network.reach(1, BEHIND)) == ["here"]


def test_one_jump_host_with_two_keys_is_two(network: Network) -> None:
    """What decides whether a login succeeds is not mixed up."""
    config = (
        "Host 127.1.0.1\n  ProxyJump one\nHost 127.1.0.2\n  ProxyJump two\n"
        f"Host one two\n  HostName 127.0.0.2\n  Port {network.jump.port}\n"
        f"Host one\n  IdentityFile {network.folder}/key\n"
        f"Host two\n  IdentityFile {network.folder}/other\n"
    )
    paramiko.ECDSAKey.generate().write_private_key_file(str(network.folder / "other"))
    assert ask_all(network.reach(2, config)) == ["here"] * 2
    assert network.jump.connections == 2


def test_at_most_eight_log_in_at_once_at_one_address(network: Network) -> None:
    names = [f"h{number}" for number in range(20)]
    own = network.environment("Host h*\n  HostName 127.1.0.1\n")
    network.hosts.login_seconds = 0.1
    for name in names:
        network.remotes.append(Remote(Host(name, "127.1.0.1", name), own, network.routes))
    assert ask_all(network.remotes) == ["here"] * 20
    assert network.hosts.most_startups == MOST_AT_ONCE
    assert network.hosts.turned_away == 0


@pytest.mark.parametrize("config", ["", BEHIND])
def test_a_login_that_is_turned_away_is_tried_again(network: Network, config: str) -> None:
    network.hosts.turns_away = network.jump.turns_away = 2
    assert ask_all(network.reach(1, config)) == ["here"]
    assert network.hosts.turned_away == 2
    assert network.jump.turned_away == (2 if config else 0)


def test_one_that_is_always_turned_away_is_given_up_in_time(network: Network) -> None:
    network.jump.max_startups = 0
    (remote,) = network.reach(1, BEHIND)
    began = time.monotonic()
    with pytest.raises(Unreachable) as refused:
        remote.connect()
    assert 5 <= time.monotonic() - began < 5 + 7
    said = str(refused.value)
    assert said.startswith("127.1.0.1: jump host 127.0.0.2: no SSH connection on port ")
    assert "closed before the SSH banner, as sshd does past MaxStartups" in said
    assert network.jump.turned_away > 3


def test_a_user_whom_the_jump_host_refuses_is_asked_for_once_and_named(network: Network) -> None:
    network.jump.refuses = "publickey"
    first, *others = network.reach(FLEET, BEHIND)
    said = [ask(first), *ask_all(others)]  # however late they come
    of_all = {f"127.1.0.{number}": (text,) for number, text in enumerate(said, 1)}
    assert folded(of_all) == (
        f"{FLEET} hosts (127.1.0.1, 127.1.0.2, 127.1.0.3 and {FLEET - 3} more): jump host "
        f"127.0.0.2: refuses user 'deploy' with the keys offered: {network.folder}/key",
        f"  check User of 127.0.0.2 in ~/.ssh/config ({USERS}), and that one of",
        "  these keys is in that user's ~/.ssh/authorized_keys",
        "  no agent runs: SSH_AUTH_SOCK names none",
    )
    assert network.jump.connections == 1
    network.jump.refuses, network.hosts.max_startups = "", FLEET
    assert ask_until_here(network.remotes) == ["here"] * FLEET


def test_an_identity_file_of_a_jump_host_that_is_absent_keeps_no_other_from_it(
    network: Network,
) -> None:
    """As OpenSSH does, and as for the hosts themselves."""
    absent = f"{BEHIND}Host 127.0.0.2\n  IdentityFile {network.folder}/absent\n"
    network.jump.refuses = "password"
    (said,) = ask_all(network.reach(1, absent))
    lines = said.split("\n")
    assert "  it lets users in by password alone, and not by a key" in lines
    network.jump.refuses = ""
    assert ask_until_here(network.remotes) == ["here"]


def test_the_looks_ahead_of_a_refusal_share_the_jump_host_too(network: Network) -> None:
    network.hosts.max_startups = FLEET
    hosts = [each.host for each in network.reach(FLEET, BEHIND)]
    own = network.environment(BEHIND)
    assert machines.problems(own, hosts).keys() == {host.name for host in hosts}
    assert (network.jump.connections, network.jump.turned_away) == (1, 0)
    assert has_ended(network.jump)


def test_a_jump_host_that_forwards_nothing_is_named(network: Network) -> None:
    network.jump.forwards = False
    (remote,) = network.reach(1, BEHIND)
    with pytest.raises(BadInput) as refused:
        remote.connect()
    assert not isinstance(refused.value, Unreachable)
    place = f"127.1.0.1:{network.hosts.port}"
    assert f"127.1.0.1: jump host 127.0.0.2: forwards nothing to {place}" in str(refused.value)
    assert "AllowTcpForwarding, PermitOpen" in str(refused.value)


def test_a_host_that_the_jump_host_cannot_reach_is_named(network: Network) -> None:
    remotes = network.reach(2, BEHIND)
    remotes[0]._connection.port = 1
    said = ask_all(remotes)
    assert said[0].startswith("127.1.0.1: jump host 127.0.0.2: opens no connection to 127.1.0.1:1")
    assert said[1] == "here"
    assert network.jump.connections == 1


def test_an_unknown_key_of_the_jump_host_is_its_own(network: Network) -> None:
    known = network.folder / "known_hosts"
    known.write_text("".join(known.read_text().splitlines(keepends=True)[:1]))
    (remote,) = network.reach(1, BEHIND)
    with pytest.raises(BadInput) as refused:
        remote.connect()
    first, *rest = refused.value.args
    assert first == "127.1.0.1: jump host 127.0.0.2: unknown host key"
    assert rest[-2].startswith("  # 127.0.0.2: ")
    assert rest[-1].strip() == network.jump.known_hosts().strip()


def test_a_jump_hosts_connection_that_dies_is_opened_again_for_all(network: Network) -> None:
    network.hosts.max_startups = FLEET
    remotes = network.reach(10, BEHIND)
    assert ask_all(remotes) == ["here"] * 10
    dropped = threading.Timer(0.5, network.jump.drop)
    dropped.start()
    with pytest.raises(ConnectionLost, match=r"the connection broke: jump host 127.0.0.2 is gone"):
        remotes[0].ask(typed("sleep 20"), timeout_seconds=20)
    dropped.join()
    with ThreadPoolExecutor(10) as pool:  # some notice only as they ask
        again = [ask(each) for each in remotes if ask(each) != "here"]
        assert again == []
        assert list(pool.map(ask, remotes)) == ["here"] * 10
    assert network.jump.connections == 2


def test_the_jump_hosts_connection_ends_with_the_command(network: Network) -> None:
    ask_all(network.reach(2, BEHIND_TWO))
    for remote in network.remotes:
        remote.close()
    network.routes.close()
    for server in (network.jump, network.second):
        assert has_ended(server)
