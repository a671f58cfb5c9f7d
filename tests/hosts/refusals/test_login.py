"""A login that fails is named as what it is: on a server that refuses, with keys that are real."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import builders
import paramiko
import pytest
from sshd import Sshd

from deploy.aws.inventory import Host
from deploy.errors import BadInput
from deploy.hosts.ssh import connect
from deploy.hosts.ssh.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = Sshd(tmp_path)
    (tmp_path / "known_hosts").write_text(server.known_hosts())
    yield server
    server.stop()


def key(file: Path, password: str | None = None) -> None:
    file.parent.mkdir(exist_ok=True)
    paramiko.ECDSAKey.generate().write_private_key_file(str(file), password=password)


def said(sshd: Sshd, *files: str, user: str = "deploy", config: str = "", **more: Any) -> list[str]:
    """The lines for a login with these key files; none where it succeeds."""
    (sshd.folder / "config").write_text(config)
    environment = builders.environment(
        hosts=("127.0.0.1",),
        root=sshd.folder,
        ssh={
            "user": user,
            "port": sshd.port,
            "key_files": files,
            "known_hosts": ["known_hosts"],
            "connect_timeout_seconds": 5,
        },
    )
    own: dict[str, Any] = {"ssh_config_path": str(sshd.folder / "config")}
    environment = environment.model_copy(update={"fabric": own | more})
    remote = Remote(Host("127.0.0.1", "127.0.0.1", "i-1"), environment)
    try:
        remote.connect()
    except BadInput as error:
        return list(error.args)
    finally:
        remote.close()
    return []


WHO = "127.0.0.1 (127.0.0.1): "


def test_a_key_with_a_passphrase_is_named_with_what_to_type(sshd: Sshd) -> None:
    key(sshd.folder / "locked", "secret")
    first, second, *_ = said(sshd, "locked")
    assert first == f"{WHO}no key to log in with as user 'deploy'"
    assert "locked has a passphrase, and your agent does not hold it: " in second
    assert second.endswith(f"ssh-add {sshd.folder}/locked")
    assert said(sshd, "locked", connect_kwargs={"passphrase": "secret"}) == []


def test_no_key_at_all_is_named_as_that(sshd: Sshd) -> None:
    assert said(sshd) == [
        f"{WHO}no key to log in with as user 'deploy'",
        "  no agent runs: SSH_AUTH_SOCK names none",
        "  name one under `ssh: key_files:`, or add one to your agent: ssh-add FILE",
    ]
    lines = said(sshd, connect_kwargs={"allow_agent": False})
    assert "  no agent is asked: `allow_agent: false` under `connect_kwargs:`" in lines


def test_a_user_that_is_refused_is_named_with_the_keys_that_were_offered(sshd: Sshd) -> None:
    sshd.refuses = "publickey"
    key(sshd.folder / "mine")
    key(sshd.folder / ".ssh" / "id_ecdsa")
    first, *rest = said(sshd, "mine")
    assert first == f"{WHO}refuses user 'deploy' with the keys offered: {sshd.folder}/mine"
    assert "  check `ssh: user:` (ec2-user on Amazon Linux, ubuntu on Ubuntu, " in rest[0]
    (first, *_) = said(sshd, user=getpass.getuser())
    assert "(your own name on this machine) with the keys offered: " in first
    assert first.endswith(f"{sshd.folder}/.ssh/id_ecdsa")


def test_a_connection_that_ends_after_many_keys_is_named_with_how_many(sshd: Sshd) -> None:
    """An agent may hold more keys than sshd allows tries (MaxAuthTries)."""
    sshd.refuses = "publickey"
    sshd.most_tries = 6
    for number in range(7):
        key(sshd.folder / f"key-{number}")
    first, second, third, *_ = said(sshd, *(f"key-{number}" for number in range(7)))
    assert first.startswith(f"{WHO}the connection broke while user 'deploy' logged in: ")
    assert second.startswith("  6 keys were offered, and sshd allows 6 tries by default")
    assert third == "  `ssh: key_files:`, and set `connect_kwargs: {allow_agent: false}`"


def test_a_machine_that_takes_no_keys_is_named_with_what_it_takes(sshd: Sshd) -> None:
    sshd.refuses = "password"
    key(sshd.folder / "mine")
    assert "  it lets users in by password alone, and not by a key" in said(sshd, "mine")


@pytest.mark.parametrize("absent", ["~/.ssh/id_company_rsa", "none", "{folder}/key.pub"])
def test_an_identity_file_that_cannot_be_used_keeps_no_other_from_being_offered(
    absent: str, sshd: Sshd
) -> None:
    """Case 18: OpenSSH passes over it and connects."""
    (sshd.folder / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    key(sshd.folder / ".ssh" / "id_ecdsa")
    config = f"Host *\n  IdentityFile {absent.format(folder=sshd.folder)}\n"
    config += "  IdentityFile ~/.ssh/id_ecdsa\n"
    assert said(sshd, config=config) == []
    (sshd.folder / ".ssh" / "id_ecdsa").unlink()
    lines = said(sshd, config=config)
    assert lines[0] == f"{WHO}no key to log in with as user 'deploy'"
    assert any("id_ecdsa does not exist" in line for line in lines)
    assert sum("not offered" in line for line in lines) == 1 + (absent != "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "mine does not exist"),
        ("ssh-ed25519 AAAA me\n", "mine is a public key; name the private one, without .pub"),
        ("PuTTY-User-Key-File-3: ssh-rsa\n", "mine is PuTTY's; convert it: puttygen "),
        ("-----BEGIN PRIVATE KEY-----\n", "mine is no private key, or is damaged"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\n", "mine is a public key; name the private one"),
        ("hello", "mine is no private key, or is damaged"),
    ],
)
def test_p8_a_key_file_of_the_settings_that_is_no_key_is_refused_before_a_connection(
    text: str | None, words: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "mine").write_text(text)
    environment = builders.environment(root=tmp_path, ssh={"key_files": ["mine", "other"]})
    with pytest.raises(BadInput) as refused:
        connect.read_own_files(environment)
    first, second = refused.value.args
    assert first.startswith(f"lab: ssh: key_files: {tmp_path}/{words}")
    assert second == f"lab: ssh: key_files: {tmp_path}/other does not exist"
