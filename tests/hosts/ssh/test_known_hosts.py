"""A known_hosts file means what OpenSSH takes it to mean: its own programs judge the same lines."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, cast

import builders
import paramiko
import pytest

from deploy.errors import BadInput
from deploy.hosts.ssh import connect
from deploy.hosts.ssh.known_hosts import Known, RevokedHostKey, UnknownHostKey
from deploy.hosts.ssh.openssh import known_lines
from deploy.hosts.ssh.openssh.known_lines import parse
from deploy.hosts.ssh.transport import preferring

if TYPE_CHECKING:
    from pathlib import Path

OWN, OTHER = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
RSA = paramiko.RSAKey.generate(2048)
HOST, PORTED = "10.138.78.5", "[jump.example.com]:2222"


def line(names: str, key: paramiko.PKey = OWN, marker: str = "") -> str:
    return f"{marker} {names} {key.get_name()} {key.get_base64()} a comment".strip()


def hashed(name: str) -> str:
    salt = bytes(range(20))
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return "|1|" + "|".join(base64.b64encode(each).decode() for each in (salt, digest))


def judge(text: str, key: paramiko.PKey = OWN, machine: str = HOST, without_port: str = "") -> str:
    """The verdict on a key that a machine shows, in one word, and the message."""
    known = Known(parse(text, "known_hosts"), machine, machine, without_port=without_port)
    try:
        known.missing_host_key(cast("Any", None), machine, key)
    except UnknownHostKey as error:
        return f"unknown {error}"
    except RevokedHostKey as error:
        return f"revoked {error}"
    except paramiko.BadHostKeyException:
        return "changed"
    return "known"


NAMES = {
    HOST: True,
    f"web-1,{HOST}": True,
    "10.138.78.*": True,
    "10.138.78.?": True,
    "10.138.78.??": False,
    "10.138.7*": True,
    "*": True,
    f"*,!{HOST}": False,
    f"!{HOST},*": False,
    "!10.138.79.*,10.138.*": True,
    "!10.138.78.*": False,
    "10.138.78.[0-9]": False,
    "10x138x78x5": False,
    f"[{HOST}]:22": False,
    f"[{HOST}]:2222": False,
    hashed(HOST): True,
    hashed("10.138.78.6"): False,
    "|1|nonsense": False,
    "|1|AAAA|AAAA": False,
}


@pytest.mark.parametrize("names", NAMES)
def test_a_line_is_about_the_machines_that_ssh_finds_in_it(names: str, tmp_path: Path) -> None:
    text = line(names)
    assert (judge(text) == "known") is NAMES[names]
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("no ssh-keygen here")
    (tmp_path / "known_hosts").write_text(f"{text}\n")
    found = subprocess.run(
        [program, "-F", HOST, "-f", str(tmp_path / "known_hosts")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (OWN.get_base64() in found.stdout) is NAMES[names], found


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", "unknown"),
        (line(HOST), "known"),
        (f"{line(HOST, OTHER)}\n{line(HOST)}", "known"),
        (f"{line(HOST)}\n{line(HOST, OTHER)}", "known"),
        (line(HOST, OTHER), "changed"),
        (line(HOST, RSA), "unknown"),
        (f"{line(HOST)}\n{line(HOST, marker='@revoked')}", "revoked"),
        (f"{line(HOST, marker='@revoked')}\n{line('*')}", "revoked"),
        (f"{line('10.138.*', marker='@revoked')}\n{line(HOST)}", "revoked"),
        (f"{line(HOST, OTHER, '@revoked')}\n{line(HOST)}", "known"),
        (f"{line('elsewhere', marker='@revoked')}\n{line(HOST)}", "known"),
        (line(HOST, marker="@cert-authority"), "unknown"),
        (f"{line('*.corp.example.com', RSA, '@cert-authority')}\n{line(HOST)}", "known"),
        (line(HOST, marker="@something"), "unknown"),
        (f"# {line(HOST)}", "unknown"),
        (f"\t  {line(HOST)}  \r", "known"),
        (f"old.example.com ssh-rsa AAAAB3NzaC1yc2E!!notbase64\n{line(HOST)}", "known"),
        (f"old ssh-rsa AAAA\nold\n\x00\n1024 35 12345\n{line(HOST)}", "known"),
        (f"{HOST} ssh-rsa {OWN.get_base64()}", "unknown"),
        (f"{HOST} {OWN.get_name()} {OWN.get_base64()[:40]}\n{line(HOST)}", "known"),
        (line("caf\u00e9") + "\n" + line(HOST), "known"),
    ],
)
def test_a_key_is_judged_by_all_lines_of_its_machine(text: str, verdict: str) -> None:
    assert judge(text).partition(" ")[0] == verdict


def test_a_machine_on_another_port_is_another_machine() -> None:
    assert judge(line(PORTED), machine=PORTED) == "known"
    assert judge(line("[*.example.com]:2222"), machine=PORTED) == "known"
    assert judge(line(hashed(PORTED)), machine=PORTED) == "known"
    assert judge(line("[JUMP.example.COM]:2222"), machine=PORTED.upper()) == "known"
    assert judge(line("[jump.example.com]:22"), machine=PORTED).startswith("unknown")


BARE = "jump.example.com"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (line(BARE), "known"),
        (line(BARE.upper()), "known"),
        (line(hashed(BARE)), "known"),
        (line("*.example.com"), "known"),
        (line(BARE, OTHER), "unknown"),
        (line(BARE, RSA), "unknown"),
        (f"{line(BARE, OTHER)}\n{line(PORTED)}", "known"),
        (f"{line(PORTED, OTHER)}\n{line(BARE)}", "changed"),
        (f"{line(BARE)}\n{line(BARE, marker='@revoked')}", "revoked"),
        (f"{line(PORTED, marker='@revoked')}\n{line(BARE)}", "revoked"),
        (line("other.example.com"), "unknown"),
    ],
)
def test_a_machine_on_another_port_is_known_by_its_name_alone_as_well(
    text: str, verdict: str
) -> None:
    """As ssh (check_host_key): where none of its port is known; ncclient#302, Tmds.Ssh#326."""
    assert judge(text, machine=PORTED, without_port=BARE).partition(" ")[0] == verdict


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HOST} ssh-ed25519 AAAA!", "; known_hosts:1 is about it, and is damaged"),
        (
            f"\n{line('10.*', RSA, '@cert-authority')}",
            "; known_hosts:2 trusts an authority, and the machine shows no certificate",
        ),
        ("elsewhere ssh-ed25519 AAAA!", ""),
    ],
)
def test_a_line_that_was_of_no_use_is_named(text: str, said: str) -> None:
    assert judge(text).endswith(f"{OWN.fingerprint}{said}")


def test_the_types_that_are_known_are_asked_for_first() -> None:
    known = Known(parse(f"{line(HOST, RSA)}\n{line(HOST)}", "f"), HOST, HOST)
    assert known.kinds == ("ssh-rsa", "ecdsa-sha2-nistp256")
    made = preferring(known.kinds)(_Silent())
    kinds = made.get_security_options().key_types
    first = [kind for kind in kinds if kind.startswith(("rsa-sha2-", "ssh-rsa"))]
    assert kinds[: len(first)] == tuple(first)
    assert kinds[len(first)] == "ecdsa-sha2-nistp256"
    assert "ssh-ed25519" in kinds


class _Silent:
    """As much of a socket as a transport wants that is not started."""

    def settimeout(self, seconds: float) -> None:
        del seconds


def environment(folder: Path, *lines: str, config: str = "") -> Any:
    """One whose project file has these lines, and whose ssh configuration is this one."""
    (folder / "known_hosts").write_text("\n".join(lines))
    (folder / "config").write_text(config)
    ssh = builders.environment().ssh.model_copy(update={"known_hosts": ("known_hosts",)})
    own = {"ssh_config_path": str(folder / "config")}
    return builders.environment(root=folder).model_copy(update={"ssh": ssh, "fabric": own})


def verdict_on(host: Any, own: Any, key: paramiko.PKey = OWN) -> str:
    policy = cast("Any", connect.connection_to(host, own).client)._policy
    try:
        policy.missing_host_key(None, "", key)
    except paramiko.SSHException as error:
        return str(error)
    return "known"


def test_the_files_and_the_alias_are_those_of_the_ssh_configuration(tmp_path: Path) -> None:
    """HostKeyAlias, UserKnownHostsFile and GlobalKnownHostsFile: OpenSSH connected, we did not."""
    host = builders.host(1)
    for name, text in (("own", line("fleet")), ("global", line(host.name, RSA))):
        (tmp_path / name).write_text(text)
    config = (
        f"Host {host.name}\n  HostKeyAlias fleet\n"
        f'  UserKnownHostsFile {tmp_path}/none "{tmp_path}/own"\n'
        f"  GlobalKnownHostsFile {tmp_path}/absent\n"
    )
    assert verdict_on(host, environment(tmp_path, config=config)) == "known"
    assert "fleet shows a key" in verdict_on(host, environment(tmp_path, config=config), RSA)
    config = (
        f"Host {host.name}\n  UserKnownHostsFile none\n  GlobalKnownHostsFile {tmp_path}/global\n"
    )
    assert verdict_on(host, environment(tmp_path, config=config), RSA) == "known"
    assert "is unknown here" in verdict_on(host, environment(tmp_path, config=config))


def test_a_file_of_the_project_that_is_not_there_is_refused_once_and_has_no_keys(
    tmp_path: Path,
) -> None:
    """The keys that it would have to hold are shown in the same message, so hosts are asked."""
    own = environment(tmp_path)
    (tmp_path / "known_hosts").unlink()
    with pytest.raises(BadInput, match=r"known_hosts: .*known_hosts does not exist; make it"):
        connect.read_own_files(own)
    assert "is unknown here" in verdict_on(builders.host(1), own)


def test_a_file_of_the_project_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    own = environment(tmp_path)
    (tmp_path / "known_hosts").unlink()
    (tmp_path / "known_hosts").mkdir()
    with pytest.raises(BadInput, match=r"known_hosts: .*known_hosts cannot be read"):
        connect.connection_to(builders.host(1), own)


def test_the_line_to_add_makes_the_key_known_and_names_the_file_of_the_settings(
    tmp_path: Path,
) -> None:
    own = environment(tmp_path)
    policy = cast("Any", connect.connection_to(builders.host(1), own).client)._policy
    with pytest.raises(UnknownHostKey) as refused:
        policy.missing_host_key(None, "", OWN)
    shown = refused.value.shown
    assert shown.file == str(tmp_path / "known_hosts")
    assert verdict_on(builders.host(1), environment(tmp_path, f"  {shown.line}")) == "known"
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("no ssh-keygen here")
    told = subprocess.run(
        [program, "-l", "-f", str(tmp_path / "known_hosts")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split()[1] == shown.fingerprint, "as OpenSSH prints it"


def test_the_name_without_its_port_counts_only_where_ssh_asks_for_it(tmp_path: Path) -> None:
    host = builders.host(1)
    own = environment(tmp_path, line(host.name))
    assert verdict_on(host, own) == "known"
    for port, alias, verdict in (
        (2222, "", "known"),
        (2222, "fleet", "unknown"),
        (22, "", "known"),
    ):
        more = f"  HostKeyAlias {alias}\n" * bool(alias)
        config = f"Host {host.name}\n  Port {port}\n{more}"
        said = verdict_on(host, environment(tmp_path, line(host.name), config=config))
        assert (said == "known") is (verdict == "known"), (port, alias, said)


@pytest.mark.parametrize(
    ("revoked", "key", "said"),
    [
        (line("", OWN), OWN, "revokes"),
        (f"# a comment\n\nnonsense\n{line('', OWN)}", OWN, "revoked:4 revokes"),
        (line("", OTHER), OWN, "known"),
        ("", OWN, "known"),
    ],
)
def test_a_key_of_revoked_host_keys_is_refused(
    tmp_path: Path, revoked: str, key: paramiko.PKey, said: str
) -> None:
    """As by ssh; the option was passed over here."""
    (tmp_path / "revoked").write_text(revoked)
    host = builders.host(1)
    config = f"Host *\n  RevokedHostKeys {tmp_path}/revoked\n"
    assert said in verdict_on(host, environment(tmp_path, line(host.name), config=config), key)


@pytest.mark.parametrize(
    ("data", "said"), [(None, "No such file"), (b"SSHKRL\n\x00\x00\x00\x00\x01", "binary list")]
)
def test_revoked_host_keys_that_cannot_be_read_are_refused(
    tmp_path: Path, data: bytes | None, said: str
) -> None:
    if data:
        (tmp_path / "revoked").write_bytes(data)
    host = builders.host(1)
    own = environment(tmp_path, line(host.name), config=f"RevokedHostKeys {tmp_path}/revoked\n")
    with pytest.raises(BadInput, match=rf"RevokedHostKeys .*/revoked .*{said}.*; ssh trusts no"):
        connect.connection_to(host, own)


def test_a_file_of_the_project_in_which_ssh_finds_no_names_is_refused(tmp_path: Path) -> None:
    """As PowerShell's `ssh-keyscan … > known_hosts` writes it: Win32-OpenSSH#939."""
    host = builders.host(1)
    own = environment(tmp_path)
    (tmp_path / "known_hosts").write_text(line(host.name), encoding="utf-16")
    with pytest.raises(BadInput, match=r"known_hosts cannot be read: it is UTF-16"):
        connect.connection_to(host, own)


def test_behind_a_byte_order_mark_the_lines_after_the_first_count_as_for_ssh(
    tmp_path: Path,
) -> None:
    host = builders.host(1)
    own = environment(tmp_path)
    text = f"# my hosts\n{line(host.name)}"
    (tmp_path / "known_hosts").write_text(text, encoding="utf-8-sig")
    assert verdict_on(host, own) == "known"


def test_a_comment_in_revoked_host_keys_revokes_nothing(tmp_path: Path) -> None:
    (tmp_path / "revoked").write_text("# revoked by ops\n")
    host = builders.host(1)
    config = f"Host *\n  RevokedHostKeys {tmp_path}/revoked\n"
    assert verdict_on(host, environment(tmp_path, line(host.name), config=config)) == "known"
    unknown = verdict_on(host, environment(tmp_path, config=config))
    assert "damaged" not in unknown


@pytest.mark.parametrize(
    ("config", "file"),
    [
        ("UserKnownHostsFile /dev/null\nGlobalKnownHostsFile none", "a file that you name under"),
        ("UserKnownHostsFile /dev/null {}/mine\n", "{}/mine"),
        ("UserKnownHostsFile {}/mine\n", "{}/mine"),
    ],
)
def test_a_line_to_add_is_for_a_file_that_can_take_it(
    tmp_path: Path, config: str, file: str
) -> None:
    own = environment(tmp_path, config=config.format(tmp_path))
    ssh = own.ssh.model_copy(update={"known_hosts": ()})
    connection = connect.connection_to(builders.host(1), own.model_copy(update={"ssh": ssh}))
    with pytest.raises(UnknownHostKey) as refused:
        cast("Any", connection.client)._policy.missing_host_key(None, "", OWN)
    assert refused.value.shown.file.startswith(file.format(tmp_path))


def test_a_file_is_read_anew_where_it_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(line(HOST))
    first = known_lines.read(str(file), 1)
    file.write_text("")
    assert (known_lines.read(str(file), 1), known_lines.read(str(file), 2)) == (first, ())
