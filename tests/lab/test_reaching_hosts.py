"""P7 on the lab: what a real sshd and a real agent see of a deploy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fabric
import paramiko
import pytest

from deploy.aws import inventory
from deploy.errors import BadInput
from deploy.hosts import instance_identity
from deploy.hosts.ssh import connect, login
from deploy.hosts.ssh.remote import Remote
from deploy.settings.environment import Environment
from deploy.survey import gather
from lab.fleet import Lab, LabHost
from lab.hosts import greets
from lab.project import Project, called, until

pytestmark = pytest.mark.hosts(2)

# systemd refuses a sixth start within ten seconds.
RESTART = "systemctl reset-failed ssh; systemctl restart ssh"

WEAK = ("Ciphers 3des-cbc", "Ciphers aes256-cbc", "MACs hmac-md5", "MACs hmac-sha1-96")
FOREIGN = ("Ciphers chacha20-poly1305@openssh.com", "MACs umac-64-etm@openssh.com")


def environment(lab: Lab, **settings: Any) -> Environment:
    """The lab's environment, as its file says."""
    given: dict[str, Any] = {
        "name": "lab",
        "root": Path("/"),
        "apps": [{"name": "web", "package": "x", "target_group": "web-lab", "ports": [5000]}],
        "hosts": {"tags": {"Environment": "lab"}},
        "aws": {"endpoint_url": "http://127.0.0.1:9"},
        "ssh": {
            "user": "ec2-user",
            "key_files": [str(lab.folder / "id_ed25519")],
            "known_hosts": [str(lab.folder / "known_hosts")],
        },
    }
    return Environment.model_validate(given | settings)


def host(of: LabHost) -> inventory.Host:
    """The lab's host as the inventory finds it."""
    return inventory.Host(called(of), of.address, of.instance_id)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with a folder for ssh."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def agent(lab: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real agent that holds the lab's key."""
    socket = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        words = ["ssh-add", "-q", str(lab.folder / "id_ed25519")]
        subprocess.run(words, check=True, capture_output=True)
        yield
    finally:
        process.terminate()
        process.wait(10)


def allow(lab: Lab, line: str) -> None:
    """Let the first host's sshd allow this alone."""
    file = "/etc/ssh/sshd_config.d/only.conf"
    lab.shell(lab.hosts[0], f"echo '{line}' > {file} && sshd -t && {{ {RESTART}; }}")
    until("sshd to answer", lambda: greets(lab.hosts[0].address))


def test_a_sshd_without_a_common_algorithm_is_named_with_what_to_allow(lab: Lab) -> None:
    for line in (*WEAK, *FOREIGN):
        allow(lab, line)
        directive, name = line.split()
        connection = connect.connection_to(host(lab.hosts[0]), environment(lab))
        with pytest.raises(BadInput) as refused:
            login.open_to(host(lab.hosts[0]), connection)
        said = str(refused.value)
        assert f"no {directive} in common: the server allows {name}; offered are " in said
        assert f"to the line `{directive}` in the server's /etc/ssh/sshd_config" in said


def test_control_paramiko_itself_agrees_on_weak_algorithms(lab: Lab) -> None:
    for line in WEAK:
        allow(lab, line)
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(lab.folder / "known_hosts"))
            key = str(lab.folder / "id_ed25519")
            client.connect(lab.hosts[0].address, username="ec2-user", key_filename=key)
            transport: Any = client.get_transport()
            assert line.split()[1] in {transport.local_cipher, transport.local_mac}


def test_a_jump_host_without_a_common_algorithm_is_named(lab: Lab, home: Path) -> None:
    allow(lab, "Ciphers aes128-cbc")
    first, second = lab.hosts[:2]
    (home / ".ssh" / "config").write_text(
        f"Host {second.address}\n    ProxyJump ec2-user@{first.address}\n"
    )
    connection = connect.connection_to(host(second), environment(lab))
    with pytest.raises(BadInput, match=rf"jump host {first.address}: no Ciphers in common"):
        login.open_to(host(second), connection)


@pytest.mark.usefixtures("agent")
def test_m9_the_agent_is_not_forwarded(lab: Lab, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host *\n    ForwardAgent yes\n")
    looked = "sudo sh -c 'for s in /tmp/ssh-*/agent.*; do SSH_AUTH_SOCK=$s ssh-add -l; done'"
    own = environment(lab)
    connection = connect.connection_to(host(lab.hosts[0]), own)
    login.open_to(host(lab.hosts[0]), connection)
    with connection:
        seen = connection.run(f"ssh-add -l; {looked}", hide=True, warn=True, in_stream=False)
        assert "ED25519" not in seen.stdout
        assert "Could not open a connection" in seen.stderr

    # Control: Fabric's own connection follows the same configuration, and root sees the key.
    own_file = paramiko.SSHConfig.from_path(str(home / ".ssh" / "config"))
    config = fabric.Config(ssh_config=own_file, lazy=True)
    key = {"key_filename": str(lab.folder / "id_ed25519")}
    lent = fabric.Connection(
        lab.hosts[0].address, user="ec2-user", config=config, connect_kwargs=key
    )
    lent.client.load_host_keys(str(lab.folder / "known_hosts"))
    with lent:
        seen = lent.run(looked, hide=True, warn=True, in_stream=False)
        assert "ED25519" in seen.stdout


def test_m10_a_name_tag_equal_to_an_alias_sends_nobody_to_its_machine(
    project: Project, lab: Lab, tmp_path: Path
) -> None:
    first, second = lab.hosts[:2]
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    (folder / "config").write_text(f"Host {called(first)}\n    HostName {second.address}\n")
    alias = f"`Host {called(first)}` sets HostName {second.address}"
    for words in (("status",), ("deploy", "--dry-run")):
        ran = project.start(*words, "--env", "lab", HOME=str(tmp_path / "home")).wait()
        assert ran.code == 2, ran.output
        assert f"{called(first)} ({first.address}): ~/.ssh/config:2: {alias}" in ran.output
        assert "Traceback" not in ran.output
    (folder / "config").write_text(f"Host {called(first)}\n    ConnectTimeout 1\n    User nobody\n")
    ran = project.start("status", "--env", "lab", HOME=str(tmp_path / "home")).wait()
    assert called(first) in ran.output


def test_a_host_that_shows_another_instances_id_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, own = host(lab.hosts[0]), environment(lab)
    file = instance_identity.SOURCES["instance_cloud"]
    plant = f"mkdir -p {os.path.dirname(file)}; echo %s > {file}"  # noqa: PTH120 - a host's path
    remote = Remote(first, own)
    try:
        lab.shell(lab.hosts[0], plant % "i-0abc0abc0abc0abc0")
        gather.look(remote, own)  # another API than AWS's is no authority on what it shows
        monkeypatch.setattr(instance_identity, "is_aws", lambda _: True)
        with pytest.raises(BadInput, match="the machine there is instance i-0abc0abc0abc0abc0"):
            gather.look(remote, own)
        lab.shell(lab.hosts[0], plant % first.instance_id)
        gather.look(remote, own)
    finally:
        remote.close()
