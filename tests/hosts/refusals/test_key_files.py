"""What lies in a key's file is known without a passphrase, as ssh-keygen and others write it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import paramiko
import pytest

from deploy.hosts.refusals import key_files
from deploy.hosts.refusals.key_files import Kind

if TYPE_CHECKING:
    from pathlib import Path

MADE = {
    "ed25519": (("-t", "ed25519"), "", Kind.USABLE),
    "rsa": (("-t", "rsa", "-b", "2048"), "", Kind.USABLE),
    "with a passphrase": (("-t", "ed25519"), "secret", Kind.ENCRYPTED),
    "pem": (("-t", "rsa", "-b", "2048", "-m", "PEM"), "", Kind.USABLE),
    "pem with a passphrase": (("-t", "rsa", "-b", "2048", "-m", "PEM"), "secret", Kind.ENCRYPTED),
    "pkcs8": (("-t", "rsa", "-b", "2048", "-m", "PKCS8"), "", Kind.PKCS8),
    "pkcs8 locked": (("-t", "rsa", "-b", "2048", "-m", "PKCS8"), "secret", Kind.ENCRYPTED),
}


@pytest.mark.parametrize("name", MADE)
def test_a_key_of_ssh_keygen_is_what_it_is(name: str, tmp_path: Path) -> None:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("no ssh-keygen here")
    words, passphrase, kind = MADE[name]
    file = tmp_path / "key"
    subprocess.run([program, "-q", *words, "-N", passphrase, "-f", str(file)], check=True)
    assert key_files.kind_of(file) is kind
    assert key_files.kind_of(tmp_path / "key.pub") is Kind.PUBLIC


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", Kind.PUTTY),
        (b"\n-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", Kind.NO_KEY),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n", Kind.NO_KEY),
        (b"-----BEGIN CERTIFICATE-----\n", Kind.NO_KEY),
        (b"\x00\xff" * 9, Kind.NO_KEY),
        (b"", Kind.NO_KEY),
        (b"ssh-ed25519-cert-v01@openssh.com AAAA me", Kind.USABLE),
        (b"ssh-rsa AAAA me", Kind.PUBLIC),
    ],
)
def test_what_no_ssh_keygen_writes_is_named_too(data: bytes, kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(data)
    assert key_files.kind_of(file) is kind


def test_paramikos_own_keys_can_be_offered(tmp_path: Path) -> None:
    file = tmp_path / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    assert key_files.kind_of(file) is Kind.USABLE
    paramiko.ECDSAKey.generate().write_private_key_file(str(file), password="secret")
    assert key_files.kind_of(file) is Kind.ENCRYPTED


def test_files_that_are_not_there_or_closed_are_named_with_what_to_type(tmp_path: Path) -> None:
    absent, folder = tmp_path / "my key", tmp_path / "folder"
    folder.mkdir()
    read = key_files.read([str(absent), "none", str(folder), str(absent)])
    assert [str(each) for each in read] == [
        f"{absent} does not exist",
        f"{folder} cannot be read by you; check its owner and mode (chmod 600 {folder})",
    ]
    if os.getuid():
        absent.touch(mode=0o000)
        assert key_files.kind_of(absent) is Kind.UNREADABLE


def test_a_passphrase_of_the_settings_opens_a_key(tmp_path: Path) -> None:
    file = tmp_path / "my key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file), password="secret")
    (locked,) = key_files.read([str(file)])
    assert str(locked).endswith(f"add it to your agent: ssh-add '{file}'")
    (opened,) = key_files.read([str(file)], has_passphrase=True)
    assert opened.kind is Kind.USABLE
