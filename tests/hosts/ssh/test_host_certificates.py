"""P7: a host's certificate is trusted as ssh trusts it: ssh-keygen's own are judged."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any, cast

import paramiko
import pytest

from deploy.hosts.ssh.known_hosts import Known, RevokedHostKey, UnknownHostKey
from deploy.hosts.ssh.openssh import host_certificates, private_keys
from deploy.hosts.ssh.openssh.host_certificates import ALGORITHMS
from deploy.hosts.ssh.openssh.known_lines import parse
from deploy.hosts.ssh.transport import Transport, preferring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no OpenSSH here")
HOST = "web.example.com"


class Certified:
    """A machine's key with its certificate, as a server of Paramiko's shows it."""

    def __init__(self, file: Path, blob: bytes) -> None:
        read = private_keys.read(str(file)).key
        assert read is not None
        self.key, self.blob = read, blob

    def asbytes(self) -> bytes:
        return self.blob

    def __getattr__(self, name: str) -> Any:
        return getattr(self.key, name)


@pytest.fixture
def signed(tmp_path: Path) -> Callable[..., Certified]:
    """A machine's key, certified by the authority `ca`, or as these words say."""
    run = ["ssh-keygen", "-q", "-N", ""]
    for name in ("ca", "other"):
        subprocess.run([*run, "-t", "ed25519", "-f", str(tmp_path / name)], check=True)

    def sign(*words: str, kind: str = "ed25519", ca: str = "ca") -> Certified:
        file = tmp_path / f"host-{kind}"
        if not file.exists():
            subprocess.run([*run, "-t", kind, "-f", str(file)], check=True)
        words = words or ("-h", "-n", HOST)
        line = ["ssh-keygen", "-q", "-s", str(tmp_path / ca), "-I", "id", *words, f"{file}.pub"]
        subprocess.run(line, check=True, capture_output=True)
        blob = private_keys._public_of((tmp_path / f"{file.name}-cert.pub").read_bytes())
        return Certified(file, blob)

    return sign


def trusting(folder: Path, names: str = "*.example.com", ca: str = "ca") -> str:
    return f"@cert-authority {names} {(folder / f'{ca}.pub').read_text()}"


def shown(machine: Certified, known: Known) -> paramiko.PKey:
    """The key that a client gets, which prefers what is known."""
    ours, theirs = socket.socketpair()
    server, client = paramiko.Transport(theirs), preferring(_asked(known))(ours)
    kind = machine.get_name()
    names = [name for name in ALGORITHMS if name.startswith(kind.removeprefix("ssh-rsa"))]
    names = [name for name in ALGORITHMS if name.startswith("rsa-")] if "rsa" in kind else names
    for name in (*names, kind, *(["rsa-sha2-512"] if "rsa" in kind else [])):
        is_certificate = "-cert-" in name
        cast("Any", server).server_key_dict[name] = machine if is_certificate else machine.key
    cast("Any", server)._preferred_keys = tuple(cast("Any", server).server_key_dict)
    server.start_server(event=threading.Event(), server=paramiko.ServerInterface())
    try:
        client.start_client(timeout=20)
        return client.get_remote_server_key()
    finally:
        client.close()
        server.close()


def _asked(known: Known) -> list[str]:
    return [*(ALGORITHMS if known.authorities else ()), *known.kinds]


def judge(text: str, key: paramiko.PKey, host: str = HOST) -> str:
    known = Known(parse(text, "known_hosts"), host, host)
    try:
        known.missing_host_key(cast("Any", None), host, key)
    except (UnknownHostKey, RevokedHostKey) as error:
        return str(error)
    return "known"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certified_host_is_known(
    kind: str, signed: Callable[..., Certified], tmp_path: Path
) -> None:
    machine = signed(kind=kind)
    text = trusting(tmp_path)
    key = shown(machine, Known(parse(text, "known_hosts"), HOST, HOST))
    assert cast("Any", key.public_blob).key_blob == machine.blob
    assert judge(text, key) == "known"
    # Without an authority the plain key is asked for, and shown.
    plain = shown(machine, Known((), HOST, HOST))
    assert plain.public_blob is None
    assert judge("", plain).startswith(f"{HOST} shows a key that is unknown here")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-h", "-n", "db.example.com"), "it is for db.example.com, not for web.example.com"),
        (("-h", "-n", "*.example.com"), r"it is for \*.example.com, not for"),
        (("-h",), "it is for no host"),
        (("-n", HOST), "it is no host's"),
        (("-h", "-n", HOST, "-V", "20200101:20200201"), "it has expired"),
        (("-h", "-n", HOST, "-V", "20900101:20910101"), "it is not valid yet"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused_by_name(
    words: tuple[str, ...], said: str, signed: Callable[..., Certified], tmp_path: Path
) -> None:
    text = trusting(tmp_path)
    key = shown(signed(*words), Known(parse(text, "known_hosts"), HOST, HOST))
    with pytest.raises(AssertionError, match=f"its certificate proves nothing: {said}"):
        assert judge(text, key) == "known"
    # Its plain key may be known by another line, as for ssh.
    line = f"{HOST} {key.get_name()} {key.get_base64()}"
    assert judge(f"{text}\n{line}", key) == "known"


def test_another_authority_trusts_nothing(signed: Callable[..., Certified], tmp_path: Path) -> None:
    machine = signed(ca="other")
    text = trusting(tmp_path)
    key = shown(machine, Known(parse(text, "known_hosts"), HOST, HOST))
    assert "its authority is not trusted for this host" in judge(text, key)
    assert judge(trusting(tmp_path, ca="other"), key) == "known"
    elsewhere = trusting(tmp_path, names="*.elsewhere.com", ca="other")
    assert "is unknown here" in judge(elsewhere, key)


def test_a_revoked_authority_or_key_is_refused(
    signed: Callable[..., Certified], tmp_path: Path
) -> None:
    text = trusting(tmp_path)
    machine = signed()
    key = shown(machine, Known(parse(text, "known_hosts"), HOST, HOST))
    revoked = (tmp_path / "ca.pub").read_text()
    assert "which known_hosts:2 revokes" not in judge(text, key)
    assert "known_hosts:2 revokes" in judge(f"{text.strip()}\n@revoked * {revoked}", key)
    own = f"{key.get_name()} {key.get_base64()}"
    assert "known_hosts:2 revokes" in judge(f"{text.strip()}\n@revoked * {own}", key)


def test_a_certificate_that_was_changed_is_refused(
    signed: Callable[..., Certified], tmp_path: Path
) -> None:
    machine = signed()
    authorities = {private_keys._public_of((tmp_path / "ca.pub").read_bytes())}
    good = host_certificates.parse(machine.blob)
    assert good is not None
    assert good.refusal(HOST, authorities, 0 if good.after == 0 else good.after) == ""
    for at in range(0, len(machine.blob), 3):
        changed = bytearray(machine.blob)
        changed[at] ^= 1
        found = host_certificates.parse(bytes(changed))
        assert found is None or found.refusal(HOST, authorities, good.after)
        assert host_certificates.parse(machine.blob[:at]) is None
    assert host_certificates.parse(machine.blob + b"x") is None
    options = ("-h", "-n", HOST, "-O", "critical:x@example.com=1")
    critical = host_certificates.parse(signed(*options).blob)
    assert critical is not None
    assert "critical options" in critical.refusal(HOST, authorities, critical.after)


def test_control_paramikos_own_policy_knows_no_certificates() -> None:
    assert not any("-cert-" in name for name in Transport._preferred_keys)
