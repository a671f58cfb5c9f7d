"""`ssh: via:`: AWS's own program leads to a host; a stand-in for it does here."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import builders
import paramiko
import pytest
from shell import typed
from sshd import Sshd

from deploy.aws.inventory import Host
from deploy.errors import BadInput, Unreachable
from deploy.hosts.route import tunnels
from deploy.hosts.ssh import connect
from deploy.hosts.ssh.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from deploy.settings.environment import Environment

ID = "i-0abc1234def567890"
SSM = ["ssm", "start-session", "--target", ID, "--document-name", "AWS-StartSSHSession"]
SSM += ["--parameters", "portNumber=2222"]
CONNECT = ["ec2-instance-connect", "open-tunnel", "--instance-id", ID, "--remote-port", "2222"]

FORWARD = (
    "import os, socket, sys, threading\n"
    'peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))\n'
    "def there():\n"
    "    while data := os.read(0, 65536): peer.sendall(data)\n"
    "threading.Thread(target=there, daemon=True).start()\n"
    "while data := peer.recv(65536): os.write(1, data)\n"
)


@pytest.mark.parametrize(
    ("via", "aws", "expected"),
    [
        (None, {}, None),
        ("ssm", {}, ["aws", *SSM]),
        ("instance-connect", {}, ["aws", *CONNECT]),
        (
            "ssm",
            {"region": "eu-west-1", "profile": "the team's"},
            ["aws", *SSM, "--region", "eu-west-1", "--profile", "the team's"],
        ),
        (
            "instance-connect",
            {"credentials_file": "keys file"},
            ["env", "AWS_SHARED_CREDENTIALS_FILE=/nowhere/keys file", "aws", *CONNECT],
        ),
    ],
)
def test_the_program_gets_the_instance_and_the_environments_account(
    via: str | None, aws: dict[str, str], expected: list[str] | None
) -> None:
    own = builders.environment(ssh={"via": via} if via else {}, aws=aws)
    made = tunnels.command(own, ID, 2222)
    assert (made and shlex.split(made)) == expected


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str, body: str = "") -> None:
    """A PATH with these programs, and with the system's."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_programs_that_are_missing_are_all_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = builders.environment(ssh={"via": "ssm"})
    programs(tmp_path / "bin", monkeypatch)
    with pytest.raises(BadInput) as refused:
        tunnels.check(own)
    first, second = str(refused.value).split("\n")
    assert first.startswith("lab: ssh: via: ssm: needs the program `aws`, which PATH does not have")
    assert "`session-manager-plugin`" in second
    assert "https://docs.aws.amazon.com/" in second
    programs(tmp_path / "bin", monkeypatch, "aws")
    with pytest.raises(BadInput, match="needs the program `session-manager-plugin`"):
        tunnels.check(own)
    tunnels.check(builders.environment(ssh={"via": "instance-connect"}))
    programs(tmp_path / "bin", monkeypatch, "session-manager-plugin")
    tunnels.check(own)


def test_a_gateway_beside_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tmp_path / "bin", monkeypatch, "aws", "session-manager-plugin")
    own = builders.environment(ssh={"via": "ssm"}, fabric={"gateway": "nc %h %p"})
    with pytest.raises(BadInput, match="via: ssm: excludes the top-level key `gateway`"):
        tunnels.check(own)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    yield server
    server.stop()


def environment(folder: Path, sshd: Sshd, config: str = "", **settings: Any) -> Environment:
    """Whose host is the server, known by its id, its address or its name."""
    paramiko.ECDSAKey.generate().write_private_key_file(str(folder / "key"))
    names = ",".join(f"[{each}]:{sshd.port}" for each in (ID, "10.0.0.1"))
    key = f"{sshd.key.get_name()} {sshd.key.get_base64()}\n"
    (folder / "known_hosts").write_text(f"{names} {key}")
    (folder / "config").write_text(config)
    ssh = {
        "user": "deploy",
        "port": sshd.port,
        "key_files": ["key"],
        "known_hosts": ["known_hosts"],
        "connect_timeout_seconds": 5,
    }
    given: dict[str, Any] = {"hosts": (ID,), "root": folder} | settings
    given["ssh"] = ssh | given.get("ssh", {})
    given["fabric"] = {
        "ssh_config_path": str(folder / "config"),
        "connect_kwargs": {"allow_agent": False},
    }
    return builders.environment(**given)


@pytest.fixture
def reach(
    tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Remote]]:
    """A host by way of a stand-in for AWS's program, which does this before it connects."""
    made: list[Remote] = []

    def make(body: str, **settings: Any) -> Remote:
        (tmp_path / "forward.py").write_text(FORWARD)
        said = f'printf "%s\\n" "$@" >> {tmp_path}/arguments'
        forward = f"exec {sys.executable} {tmp_path}/forward.py {sshd.port}"
        programs(tmp_path / "bin", monkeypatch, "aws", body=f"{said}\n{body}\n{forward}")
        own = environment(tmp_path, sshd, **settings)
        name = ID if own.hosts == (ID,) else "web-1"
        made.append(Remote(Host(name, "10.0.0.1", ID), own))
        return made[-1]

    yield make
    for each in made:
        each.close()


BY_NAME = {"hosts": {"tags": {"Role": "web"}}}


@pytest.mark.parametrize("via", ["ssm", "instance-connect"])
@pytest.mark.parametrize("hosts", [{}, BY_NAME], ids=["by id", "by tags"])
def test_a_host_is_reached_by_the_program(
    reach: Callable[..., Remote], tmp_path: Path, via: str, hosts: dict[str, Any], sshd: Sshd
) -> None:
    remote = reach("", ssh={"via": via}, aws={"region": "eu-west-1", "profile": "prod"}, **hosts)
    assert remote.ask(typed("echo here")).stdout.strip() == "here"
    words = (tmp_path / "arguments").read_text().splitlines()
    assert ID in words
    assert words[-4:] == ["--region", "eu-west-1", "--profile", "prod"]
    assert any(str(sshd.port) in word for word in words)


def test_what_the_plugin_prints_before_it_connects_is_no_banner(
    reach: Callable[..., Remote],
) -> None:
    """The connection may take longer then than the 2 s that Paramiko gives each further line."""
    remote = reach("echo; echo 'Starting session with SessionId: me-0abc'; sleep 2.5",
                   ssh={"via": "ssm"})  # fmt: skip
    assert remote.ask(typed("echo here")).stdout.strip() == "here"


def test_the_programs_refusal_is_shown(reach: Callable[..., Remote], tmp_path: Path) -> None:
    said = (
        f"An error occurred (TargetNotConnected) when calling StartSession: {ID} is not connected."
    )
    remote = reach(f"echo; echo '{said}' >&2; exit 254", ssh={"via": "ssm"})
    with pytest.raises(Unreachable, match=rf"{ID} \({ID}\): .* ProxyCommand reports: An error occ"):
        remote.connect()
    assert (tmp_path / "arguments").read_text().count("start-session") == 1, "not tried again"


def test_a_refusal_that_the_plugin_prints_on_stdout_is_shown(
    reach: Callable[..., Remote], tmp_path: Path
) -> None:
    remote = reach("echo 'Cannot perform start session: EOF'; exit 0", ssh={"via": "ssm"})
    with pytest.raises(Unreachable, match="before the SSH banner: Cannot perform start session"):
        remote.connect()
    assert (tmp_path / "arguments").read_text().count("start-session") == 1


@pytest.mark.parametrize("words", ["(ThrottlingException): Rate exceeded", ""])
def test_one_that_is_too_busy_is_asked_again(
    reach: Callable[..., Remote], tmp_path: Path, words: str
) -> None:
    body = f'[ -e {tmp_path}/once ] || {{ touch {tmp_path}/once; echo "{words}" >&2; exit 254; }}'
    assert reach(body, ssh={"via": "ssm"}).ask(typed("echo here")).stdout.strip() == "here"
    assert (tmp_path / "arguments").read_text().count("start-session") == 2


def test_a_listed_id_is_reached_by_the_users_own_proxy_command(
    reach: Callable[..., Remote], tmp_path: Path
) -> None:
    """As AWS's user guide has it for `ssh i-…`; `%h` is the id."""
    remote = reach("", config="Host i-* mi-*\n  ProxyCommand aws ssm start-session --target %h\n")
    assert remote.ask(typed("echo here")).stdout.strip() == "here"
    assert (tmp_path / "arguments").read_text().splitlines()[-1] == ID


def test_a_listed_id_goes_to_the_instances_address(tmp_path: Path, sshd: Sshd) -> None:
    own = environment(tmp_path, sshd, config=f"Host {ID}\n  User other\n")
    made = connect.connection_to(Host(ID, "10.0.0.1", ID), own)
    assert (made.host, made.gateway) == ("10.0.0.1", None)
    own = environment(tmp_path, sshd, config=f"Host {ID}\n  HostName 10.0.0.2\n")
    with pytest.raises(BadInput, match="which is not the address that EC2 gives"):
        connect.connection_to(Host(ID, "10.0.0.1", ID), own)


def test_the_setting_comes_before_the_users_own_way(tmp_path: Path, sshd: Sshd) -> None:
    own = environment(tmp_path, sshd, config="Host *\n  ProxyJump jump\n", ssh={"via": "ssm"})
    made = connect.connection_to(Host(ID, "10.0.0.1", ID), own)
    assert isinstance(made.gateway, tunnels.Tunnel)
