"""A login offers the keys that ssh would offer, and says which were refused or of no use."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import paramiko
import pytest

from deploy.errors import BadInput
from deploy.hosts.route.failures import LoginEnded, NoKeyAccepted
from deploy.hosts.ssh import connect
from deploy.hosts.ssh.openssh import agents, private_keys
from deploy.hosts.ssh.openssh.identities import Login
from deploy.hosts.ssh.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no OpenSSH here")
LONGEST_SECONDS = 20.0


def keygen(file: Path, *words: str, passphrase: str = "", kind: str = "ed25519") -> Path:
    program = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(file), *words]
    subprocess.run(program, check=True, capture_output=True)
    return file


def public(file: Path) -> bytes:
    return private_keys._public_of((file.parent / f"{file.name}.pub").read_bytes())


class Server(paramiko.ServerInterface):
    """Lets in who shows one of these keys."""

    def __init__(self, *accepted: bytes, most: int = 100, ways: str = "publickey") -> None:
        self.accepted, self.most, self.ways = accepted, most, ways
        self.shown: list[bytes] = []
        self.transport: Any = None
        self.pubkeys: tuple[str, ...] = ()
        self.banner = ""

    def get_banner(self) -> tuple[str | None, str | None]:
        return (self.banner, "en") if self.banner else (None, None)

    def get_allowed_auths(self, username: str) -> str:
        del username
        return self.ways

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username
        blob: Any = key.public_blob
        self.shown.append(blob.key_blob if blob else key.asbytes())
        if len(self.shown) > self.most:
            self.transport.close()
        is_known = key.asbytes() in self.accepted
        return paramiko.common.AUTH_SUCCESSFUL if is_known else paramiko.common.AUTH_FAILED


def log_in(login: Login, server: Server) -> None:
    ours, theirs = socket.socketpair()
    peer, client = paramiko.Transport(theirs), Transport(ours)
    server.transport = peer
    peer.add_server_key(paramiko.ECDSAKey.generate())
    if server.pubkeys:
        cast("Any", peer)._preferred_pubkeys = server.pubkeys
    peer.start_server(event=threading.Event(), server=server)
    try:
        client.start_client(timeout=LONGEST_SECONDS)
        login.authenticate(client)
        assert client.is_authenticated()
    finally:
        client.close()
        peer.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without keys, and no agent."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def agent(home: Path) -> Iterator[str]:
    """An agent's socket, without keys."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent here")
    path = str(home / "agent.sock")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    while not os.path.exists(path):  # noqa: PTH110 - a socket
        assert process.poll() is None
    yield path
    process.send_signal(signal.SIGTERM)
    process.wait()


def add(agent: str, *files: Path) -> None:
    environ = os.environ | {"SSH_AUTH_SOCK": agent}
    for file in files:
        subprocess.run(
            ["ssh-add", "-q", str(file)], env=environ, check=True, capture_output=True, timeout=20
        )


@needs_keygen
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("form", [(), ("-m", "PEM"), ("-m", "PKCS8")], ids=str)
def test_a_key_is_read_in_every_usual_form(kind: str, form: tuple[str, ...], home: Path) -> None:
    file = keygen(home / "key", *form, kind=kind)
    log_in(Login("deploy", named=(str(file),)), Server(public(file)))
    file.unlink()
    (home / "key.pub").unlink()
    file = keygen(home / "key", *form, kind=kind, passphrase="secret")
    log_in(Login("deploy", named=(str(file),), passphrase="secret"), Server(public(file)))
    with pytest.raises(NoKeyAccepted, match=r"no key to log in with.*/key has a passphrase, and"):
        log_in(Login("deploy", named=(str(file),)), Server(public(file)))
    with pytest.raises(NoKeyAccepted, match="/key has a passphrase, which is not the one in"):
        log_in(Login("deploy", named=(str(file),), passphrase="other"), Server(public(file)))


NO_KEYS = {
    "PuTTY-User-Key-File-3: ssh-ed25519\n": "is PuTTY's; convert it: puttygen",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n": "is a public key; name the private one",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n": "is damaged",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n": "is damaged",
    "": "is no private key, or is damaged",
    "\0\udcff": "is no private key, or is damaged",
}


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_private_key_is_named_as_what_it_is(text: str, home: Path) -> None:
    """Case 18: a .ppk and a .pub were no SSH connection on port 22."""
    file = home / "key"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    own = builders.environment(root=home, ssh={"key_files": ("key",)})
    with pytest.raises(BadInput, match=rf"ssh: key_files: {file} .*{NO_KEYS[text]}"):
        connect.read_own_files(own)
    with pytest.raises(NoKeyAccepted, match=f"no key to log in with.*{file} .*{NO_KEYS[text]}"):
        log_in(Login("deploy", configured=(str(file),)), Server())


def test_key_files_that_cannot_be_read_are_named(home: Path) -> None:
    own = builders.environment(root=home, ssh={"key_files": ("key",)})
    with pytest.raises(BadInput, match="key does not exist"):
        connect.read_own_files(own)
    (home / "key").mkdir()
    with pytest.raises(BadInput, match="key is no file"):
        connect.read_own_files(own)


def test_files_that_are_closed_to_us_are_named_with_what_to_type(home: Path) -> None:
    file = home / "my key"
    file.touch(mode=0o000)
    if not os.getuid():
        pytest.skip("root reads every file")
    assert private_keys.read(str(file)).why.endswith(f"owner and mode (chmod 600 '{file}')")


@needs_keygen
def test_a_certificates_file_stands_for_the_key_beside_it(home: Path) -> None:
    """Paramiko took it for `key_filename` so."""
    file, authority = keygen(home / "key"), keygen(home / "ca")
    words = ["-s", str(authority), "-I", "me", "-n", "deploy", f"{file}.pub"]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)
    server = Server(public(file))
    log_in(Login("deploy", named=(f"{file}-cert.pub",)), server)
    assert server.shown[0] == private_keys._public_of((home / "key-cert.pub").read_bytes())


@needs_keygen
def test_absent_files_are_passed_over(home: Path) -> None:
    """Case 18: an IdentityFile that is absent, or `none`, ended every login."""
    file = keygen(home / "key")
    absent = str(home / "not-there")
    log_in(Login("deploy", configured=(absent, str(file))), Server(public(file)))
    with pytest.raises(NoKeyAccepted) as refused:
        log_in(Login("deploy", configured=(absent, str(file))), Server())
    assert "not-there" not in str(refused.value)
    with pytest.raises(NoKeyAccepted, match=r"no key to log in with.*not-there does not exist"):
        log_in(Login("deploy", configured=(absent,)), Server())
    with pytest.raises(NoKeyAccepted, match="not-there does not exist"):
        log_in(Login("deploy", named=(absent,)), Server())


@needs_keygen
def test_keys_of_the_home_folder_are_tried_where_none_is_named(home: Path) -> None:
    file = keygen(home / ".ssh" / "id_ed25519")
    log_in(Login("deploy"), Server(public(file)))
    for login in (
        Login("deploy", configured=()),
        Login("deploy", configured=(str(home / "absent"),)),
        Login("deploy", looks_for_keys=False),
    ):
        with pytest.raises(NoKeyAccepted, match="no key to log in with"):
            log_in(login, Server(public(file)))


@needs_keygen
def test_the_agent_signs_for_the_files_that_are_named_and_these_go_first(
    home: Path, agent: str
) -> None:
    others = [keygen(home / f"other{number}") for number in range(4)]
    own = keygen(home / "own", passphrase="secret")
    add(agent, *others)
    login = Login("deploy", configured=(f"{own}.pub", str(others[3])), agent=agent)
    server = Server(public(others[3]))
    log_in(login, server)
    assert server.shown[0] == public(others[3])
    server = Server()
    with pytest.raises(NoKeyAccepted, match=r"own\.pub is a public key"):
        log_in(replace(login, only_named=True), server)
    assert set(server.shown) == {public(others[3])}
    server = Server()
    with pytest.raises(NoKeyAccepted, match=r"ssh-ed25519 \S+ of the agent"):
        log_in(login, server)
    assert set(server.shown) == {public(each) for each in others}
    # An encrypted file, and a public one, stand for a key that the agent holds.
    own.write_bytes(keygen(home / "plain").read_bytes())
    own.chmod(0o600)
    (home / "own.pub").write_bytes((home / "plain.pub").read_bytes())
    add(agent, own)
    own.unlink()
    log_in(replace(login, only_named=True), Server(public(own)))


@needs_keygen
def test_no_agent_is_asked_where_it_is_none(home: Path, agent: str) -> None:
    file = keygen(home / "key")
    add(agent, file)
    log_in(Login("deploy", agent=agent), Server(public(file)))
    with pytest.raises(NoKeyAccepted, match="no key to log in with"):
        log_in(Login("deploy", agent="none"), Server(public(file)))
    with pytest.raises(NoKeyAccepted, match="the agent /absent/agent gives no keys"):
        log_in(Login("deploy", agent="/absent/agent"), Server(public(file)))


@needs_keygen
@pytest.mark.parametrize("by_agent", [False, True], ids=["file", "agent"])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_certificates_are_shown_before_their_keys(
    kind: str, by_agent: bool, home: Path, agent: str
) -> None:
    file, other, authority = (keygen(home / name, kind=kind) for name in ("key", "other", "ca"))
    for each in (file, other):
        words = ["-s", str(authority), "-I", "me", "-n", "deploy", f"{each}.pub"]
        subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)
    certificate = private_keys._public_of((home / "key-cert.pub").read_bytes())
    server = Server()
    beside = Login("deploy", configured=(str(file),), only_named=True, agent="none")
    if by_agent:
        plain = home / "plain"
        plain.write_bytes(file.read_bytes())
        plain.chmod(0o600)
        add(agent, plain)
        beside = replace(beside, agent=agent, configured=(f"{file}.pub",))
    with pytest.raises(NoKeyAccepted, match=r"with .*/key-cert\.pub, .*/key"):
        log_in(beside, server)
    assert list(dict.fromkeys(server.shown)) == [certificate, public(file)]
    moved = home / "moved-cert.pub"
    (home / "key-cert.pub").rename(moved)
    named = replace(beside, certificates=(str(home / "other-cert.pub"), str(moved)))
    server = Server(public(file))
    log_in(named, server)
    assert set(server.shown) == {certificate}


@needs_keygen
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_certificates_that_an_agent_holds_are_shown(kind: str, home: Path, agent: str) -> None:
    file, authority = keygen(home / "key", kind=kind), keygen(home / "ca", kind=kind)
    words = ["-s", str(authority), "-I", "me", "-n", "deploy", f"{file}.pub"]
    subprocess.run(["ssh-keygen", "-q", *words], check=True, capture_output=True)
    certificate = private_keys._public_of((home / "key-cert.pub").read_bytes())
    add(agent, file)
    (home / "key-cert.pub").unlink()
    for login in (
        Login("deploy", agent=agent),
        Login("deploy", agent=agent, configured=(f"{file}.pub",), only_named=True),
    ):
        server = Server()
        with pytest.raises(NoKeyAccepted, match="with a certificate of the agent"):
            log_in(login, server)
        assert list(dict.fromkeys(server.shown)) == [certificate, public(file)]
    server = Server(public(file))
    log_in(Login("deploy", agent=agent), server)
    assert set(server.shown) == {certificate}
    environ = os.environ | {"SSH_AUTH_SOCK": agent}
    gone = ["ssh-add", "-q", "-d", f"{file}.pub"]
    subprocess.run(gone, env=environ, check=True, capture_output=True)
    left = agents.held(agent)
    left.close()
    if left.certificates and not left.keys:  # some agents remove both
        server = Server(public(file))
        log_in(Login("deploy", agent=agent), server)
        assert set(server.shown) == {certificate}


@needs_keygen
def test_a_server_that_ends_after_many_keys_is_told_from_one_that_breaks(home: Path) -> None:
    files = tuple(str(keygen(home / f"key{number}")) for number in range(6))
    with pytest.raises(LoginEnded) as ended:
        log_in(Login("deploy", configured=files), Server(most=5))
    assert ended.value.keys.offered == files
    with pytest.raises(LoginEnded) as ended:
        log_in(Login("deploy", configured=files[:1]), Server(most=0))
    assert ended.value.keys.offered == files[:1]


@needs_keygen
def test_a_key_that_the_agent_does_not_sign_with_keeps_no_other_from_being_offered(
    home: Path, agent: str
) -> None:
    """It ended the connection, and with it the login: paramiko#1574, reproman#563."""
    first, second = keygen(home / "first"), keygen(home / "second")
    environ = os.environ | {"SSH_AUTH_SOCK": agent}
    asks = ["ssh-add", "-q", "-c", str(first)]  # nobody is there to confirm it
    subprocess.run(asks, env=environ, check=True, capture_output=True)
    with pytest.raises(NoKeyAccepted) as none:
        log_in(Login("deploy", agent=agent), Server(public(first)))
    assert none.value.keys.offered == ()
    assert none.value.keys.kept_back[0].endswith(" of the agent: key cannot be used for signing")
    add(agent, second)
    server = Server(public(second))
    log_in(Login("deploy", agent=agent, named=(str(first), str(second))), server)
    assert set(server.shown) == {public(second)}


@needs_keygen
def test_a_server_without_rsa_is_offered_the_next_key(home: Path) -> None:
    """It ended the connection: remy#64, oxfs#24, paramiko#2369."""
    rsa, other = keygen(home / "rsa", kind="rsa"), keygen(home / "other")
    server = Server(public(other))
    server.pubkeys = ("ssh-ed25519",)
    log_in(Login("deploy", named=(str(rsa), str(other))), server)
    server = Server(public(rsa))
    server.pubkeys = ("ssh-ed25519",)
    with pytest.raises(NoKeyAccepted, match=r"not offered: .*/rsa: the server allows no RSA key"):
        log_in(Login("deploy", named=(str(rsa),)), server)


class SecondFactor(Server):
    """Wants an answer, or none, besides a key."""

    def __init__(self, *prompts: tuple[str, bool], ways: str = "keyboard-interactive") -> None:
        super().__init__(ways=ways)
        self.prompts = prompts

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        super().check_auth_publickey(username, key)
        return paramiko.common.AUTH_PARTIALLY_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> Any:
        del username, submethods
        return paramiko.server.InteractiveQuery("Duo \x1b[2J", "", *self.prompts)

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.common.AUTH_FAILED if responses else paramiko.common.AUTH_SUCCESSFUL


@needs_keygen
@pytest.mark.parametrize(
    ("server", "wanted"),
    [
        (SecondFactor(("Passcode \x1b[2J: ", False)), r"an answer to 'Passcode .*:' besides"),
        (SecondFactor(ways="password"), "a password besides"),
    ],
)
def test_a_second_factor_that_cannot_be_given_is_named_and_never_asked_for(
    home: Path,
    server: SecondFactor,
    wanted: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The thread of one host read the terminal, and the key was told as refused: fabric#1202."""
    asked: list[object] = []
    monkeypatch.setattr("builtins.input", asked.append)
    file = str(keygen(home / "key"))
    with pytest.raises(NoKeyAccepted, match=f"accepts a key of user 'deploy' and wants {wanted}"):
        log_in(Login("deploy", named=(file,)), server)
    assert (asked, capsys.readouterr().out) == ([], "")


@needs_keygen
def test_a_second_factor_that_asks_nothing_is_passed(home: Path) -> None:
    log_in(Login("deploy", named=(str(keygen(home / "key")),)), SecondFactor())


@needs_keygen
def test_what_a_server_says_before_it_ends_a_login_is_shown(home: Path) -> None:
    """As pam_nologin and an expired account do; ssh shows it."""
    server = Server(most=0)
    server.banner = "Authorized use only.\n\nSystem is going down.\n****\n"
    with pytest.raises(LoginEnded, match=r"^the server ended it and says: System is going down\.$"):
        log_in(Login("deploy", named=(str(keygen(home / "key")),)), server)


@needs_keygen
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_is_passed_over_as_by_ssh(
    home: Path, agent: str, kind: str, mode: int
) -> None:
    file = keygen(home / "key", kind=kind)
    assert private_keys.read(str(file)).key is not None
    add(agent, file)
    file.chmod(mode)
    found = private_keys.read(str(file))
    said = f"can be read by others (mode {mode:04o}), so ssh passes over it: chmod 600 {file}"
    assert (found.key, found.why, found.may_be_held) == (None, f"{said}, or a copy of it", True)
    told = subprocess.run(["ssh-keygen", "-y", "-f", str(file)], capture_output=True, check=False)
    assert told.returncode != 0
    assert b"bad permissions" in told.stderr
    log_in(Login("deploy", agent=agent, configured=(str(file),)), Server(public(file)))


@needs_keygen
def test_a_key_whose_private_part_an_agent_alone_has_is_no_fault_of_the_settings(
    home: Path, agent: str
) -> None:
    """`key_files: yubikey.pub` and a security key's file were refused, whatever the agent held."""
    file = keygen(home / "key")
    alone = home / "alone.pub"
    alone.write_bytes((home / "key.pub").read_bytes())
    ssh = builders.environment().ssh
    for name, fault in (("alone.pub", ""), ("key.pub", "name the private one, without .pub")):
        own = builders.environment(root=home).model_copy(
            update={"ssh": ssh.model_copy(update={"key_files": (name,)})}
        )
        if fault:
            with pytest.raises(BadInput, match=fault):
                connect.read_own_files(own)
        else:
            connect.read_own_files(own)
    login = Login("deploy", agent=agent, named=(str(alone),))
    with pytest.raises(NoKeyAccepted, match=r"alone\.pub is a public key, without the private one"):
        log_in(login, Server(public(file)))
    add(agent, file)
    log_in(login, Server(public(file)))


@needs_keygen
def test_what_a_tool_did_to_a_keys_text_is_named_or_harmless(home: Path) -> None:
    """Keys from the secrets of a CI system; ssh says `error in libcrypto` of each."""
    text = keygen(home / "key").read_text()
    forms = {
        text.replace("\n", "\\n").encode(): "damaged: its line breaks are written as the two char",
        text.encode("utf-16"): "damaged: it is in UTF-16; save it as UTF-8",
        text.replace("\n", "\r\n").encode(): "",
        text.rstrip().encode(): "",
        text.encode("utf-8-sig"): "",
        text.replace("\n", "\n  ").encode(): "",
    }
    for data, why in forms.items():
        (home / "made").write_bytes(data)
        (home / "made").chmod(0o600)
        found = private_keys.read(str(home / "made"))
        assert (found.key is None) is bool(why)
        assert why in found.why


@needs_keygen
def test_a_provider_of_keys_that_an_agent_alone_can_use_is_named(home: Path) -> None:
    login = Login("deploy", named=(str(keygen(home / "key")),), provider="/usr/lib/opensc.so")
    with pytest.raises(
        NoKeyAccepted, match=r"PKCS11Provider /usr/lib/opensc\.so; .* ssh-add -s /u"
    ):
        log_in(login, Server())


@needs_keygen
def test_a_server_without_public_keys_says_what_it_allows(home: Path) -> None:
    file = keygen(home / "key")

    class Passwords(Server):
        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            del username, key
            return paramiko.common.AUTH_FAILED

        def check_auth_password(self, username: str, password: str) -> int:
            del username
            is_right = password == "right"  # noqa: S105 - of a test
            return paramiko.common.AUTH_SUCCESSFUL if is_right else paramiko.common.AUTH_FAILED

    login = Login("deploy", named=(str(file),))
    with pytest.raises(NoKeyAccepted) as refused:
        log_in(login, Passwords(ways="password"))
    assert refused.value.allowed_types == ("password",)
    log_in(replace(login, password="right"), Passwords(ways="password,publickey"))


def test_an_agent_that_answers_nonsense_gives_no_keys(home: Path) -> None:
    path = str(home / "sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        peer, _ = listener.accept()
        peer.recv(64)
        peer.sendall(b"OK Pleased to meet you\n")
        peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    made = agents.SocketAgent(path)
    thread.join()
    listener.close()
    assert made.get_keys() == ()
    assert "gives no keys" in made.note
