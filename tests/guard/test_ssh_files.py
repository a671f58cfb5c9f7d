"""Whatever the user's SSH files hold, a login comes about or is refused in one message."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard import damage, examples, paper
from guard.command import Ended, check, run

if TYPE_CHECKING:
    from guard.conftest import Ground

CONFIGS = (
    "",
    """\
Include ~/.ssh/conf.d/*
Include pipe folder loop
Host *.example.com web-* !web-9
    User ec2-user
    Port 22
    HostName %h
    IdentityFile ~/.ssh/id_ecdsa
    IdentityFile %d/.ssh/%r@%h.pem
    IdentitiesOnly yes
    IdentityAgent "SSH_AUTH_SOCK"
    CertificateFile ~/.ssh/id_ecdsa-cert.pub
    UserKnownHostsFile ~/.ssh/known_hosts "/dev/null"
    GlobalKnownHostsFile none
    HostKeyAlias web
    StrictHostKeyChecking no
    ForwardAgent yes
    ConnectTimeout 10
    SetEnv A=b
    LocalForward 8080 localhost:80
Match host 10.0.0.* user ec2-user
    ProxyJump bastion.example.com
Host bastion.example.com
    ProxyJump none
    User=jump
Match all
    ServerAliveInterval 30
    AddKeysToAgent yes
Host *
    ProxyJump ops@bastion.example.com:2222,second
    CanonicalizeHostname yes
    CanonicalDomains example.com
    KexAlgorithms +diffie-hellman-group1-sha1
""",
    """\
# 1Password, Amazon Q and Teleport write such blocks.
Host *
\tIdentityAgent "~/Library/Group Containers/2BUA8C4S2C.com.1password/t/agent.sock"
Match originalhost web-1.example.com,web-2
\tHostname 10.0.0.5
Match localnetwork 192.0.2.0/24
\tProxyJump bastion
Match canonical final host "*.example.com" localuser deployer
\tPort 2222
Match exec "true"
\tUser  =  "ec2-user"
Match tagged x version OpenSSH_9* sessiontype shell command none
\tTag y
Host i-* mi-*
\tProxyCommand sh -c "aws ssm start-session --target %h --parameters 'portNumber=%p'"
Host web-1.example.com
\tProxyCommand none
\tUserKnownHostsFile=/dev/null
\tHostKeyAlgorithms ssh-ed25519
""",
)
CONFIG_WORDS = (
    *("Host", "Match", "Match all", "Match host", "Match exec", "Match !host x", "Match final all"),
    *("Host *", "Host !*", "Host", "ProxyJump", "ProxyJump a,,b", "ProxyJump web-1.example.com"),
    *(
        "ProxyJump user@[::1]:22",
        "ProxyJump ssh://a:b@c:d",
        "ProxyJump :",
        "ProxyJump @",
        "ProxyJump ,",
    ),
    *("ProxyCommand", "ProxyCommand none", "ProxyCommand 'a", "ProxyCommand %h %p %r %n %%", "%"),
    *(
        "ProxyCommand %",
        "ProxyCommand folder",
        "ProxyCommand /nowhere %h",
        "Port",
        "Port 0",
        "Port x",
    ),
    *(
        "Port 99999",
        "Port -1",
        "User",
        "User a b",
        "User %u",
        "HostName",
        "HostName %",
        "HostName %%h",
    ),
    *(
        "HostName host.invalid",
        "HostName ..",
        f"HostName {'a' * 300}",
        "HostName é",
        "HostName %h.%h",
    ),
    *(
        "IdentityFile",
        "IdentityFile none",
        "IdentityFile %",
        "IdentityFile pipe",
        "IdentityFile ~x/y",
    ),
    *("IdentityFile ~/.ssh/folder", "IdentityFile ~/.ssh/binary", "IdentityFile ~/.ssh/pipe"),
    *("CertificateFile ~/.ssh/binary", "HostKeyAlias %h", "HostKeyAlias", "HostKeyAlias *"),
    *("UserKnownHostsFile", "UserKnownHostsFile '", "UserKnownHostsFile ~/.ssh/pipe ~nobody-x/y"),
    *(
        "UserKnownHostsFile /dev/zero",
        "Include",
        "Include ~/.ssh/config",
        "Include ~/.ssh/[a",
        "Include *",
    ),
    *(
        "Include /dev/zero",
        "ConnectTimeout x",
        "Compression maybe",
        "ForwardAgent",
        "= = =",
        "User=",
        "=x",
    ),
    *damage.WORDS,
)
LISTED = ("[web-1.example.com]", "[web-1.example.com, bastion.example.com, second]", "[10.0.0.5]")
TAGGED = (
    "{tags: {Name: web-1.example.com}}",
    '{tags: {Name: "web 1; x"}}',
    "{tags: {Name: 10.0.0.9}}",
)
FABRIC = (
    *(
        "",
        "",
        "",
        "load_ssh_configs: false\n",
        "ssh_config_path: ssh_config\n",
        "gateway: bastion\n",
    ),
    *("ssh_config_path: pipe\n", "ssh_config_path: ~nobody-of-this-name/x\n", "user: ec2-user\n"),
    *("gateway: ' '\n", "connect_kwargs: {key_filename: [key, nowhere]}\n", "port: 2222\n"),
    *("connect_kwargs: {disabled_algorithms: {kex: [a]}, passphrase: x}\n",),
)
SSH = (
    *("{}", "{}", "{key_files: [key]}", "{key_files: [key], known_hosts: [known_hosts]}"),
    *("{user: 'a b'}", "{key_files: [pipe]}", "{key_files: [folder]}", "{known_hosts: [pipe]}"),
    *(
        "{known_hosts: [folder, loop]}",
        "{port: 2222}",
        "{key_files: [binary, empty]}",
        "{user: ''}",
    ),
    *("{key_files: ['~nobody-of-this-name/x']}", "{known_hosts: [binary, empty]}"),
)


def hashed(name: str) -> str:
    salt = bytes(range(20))
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return "|1|" + "|".join(base64.b64encode(each).decode() for each in (salt, digest))


OWN = f"{paper.HOST_KEY.get_name()} {paper.HOST_KEY.get_base64()}"
OTHER = f"{paper.LOGIN_KEY.get_name()} {paper.LOGIN_KEY.get_base64()}"
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQC3vRQ0Fu5Mkx"
KNOWN = (
    f"* {OWN}\n",
    f"""\
# comments and blank lines

web-1.example.com,10.0.0.5,[10.0.0.5]:2222 {OTHER} a comment
web-1.example.com,10.0.0.* {OWN} user@machine
{hashed("10.0.0.5")} {OWN}
{hashed("web-1.example.com")} {OWN}
@cert-authority *.corp.example.com {OTHER}
@cert-authority * {RSA}
@revoked * {OTHER}
*.example.com,!web-9.example.com {OWN}
[bastion.example.com]:2222 {OWN}
old.example.com {RSA}!!notbase64
old.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==
old.example.com sk-ssh-ed25519@openssh.com AAAA
second,bastion.example.com,10.0.0.9 {OWN}
web {OWN}
1.2.3.4 1024 35 12345678901234567890
""",
)
KNOWN_WORDS = (
    *(
        "@revoked",
        "@cert-authority",
        "@",
        "@x",
        "|1|",
        "|1|AAAA|AAAA",
        "|1|é|é",
        "|2|a|b",
        "||||",
        "!",
    ),
    *(
        "!*",
        "*",
        "**?",
        "[",
        "[x",
        "[]:22",
        "[x]:y",
        ",",
        ",,",
        "!",
        RSA,
        OWN,
        OTHER,
        "AAAA",
        "====",
        "A",
    ),
    *(
        "ssh-rsa",
        "ssh-dss",
        "ecdsa-sha2-nistp999",
        "é",
        "*" * 300,
        "?" * 300,
        "*a" * 60,
        "AAAAB3NzaC1yc2E",
    ),
    *damage.WORDS,
)


def lay_out(ground: Ground) -> None:
    """Put keys and known hosts where they are looked for."""
    ground.clear()
    for folder in (ground.project, ground.home / ".ssh"):
        for name in ("key", "id_ecdsa"):
            paper.lay_key(folder / name)
    damage.odd_files(ground.home / ".ssh")
    (ground.home / ".ssh/known_hosts").write_text(f"* {OWN}\n")
    (ground.home / ".ssh/conf.d").mkdir()
    (ground.home / ".ssh/conf.d/more").write_text("Host x\n  User y\n")


def status(ground: Ground, hosts: str, fabric: str = "", ssh: str = "{}") -> Ended:
    """Log in to hosts, and look at them."""
    text = paper.SETTINGS.format(fabric=fabric, hosts=hosts, ssh=ssh, aws="{}")
    (ground.project / "fabric.yaml").write_text(text)
    return run("status", "--env", "lab")


@examples.of_each
@given(
    text=damage.damaged(CONFIGS, CONFIG_WORDS),
    place=damage.places,
    hosts=st.sampled_from(LISTED + TAGGED),
    fabric=st.sampled_from(FABRIC),
    ssh=st.sampled_from(SSH),
)
def test_a_damaged_ssh_config_is_followed_or_refused(
    ground: Ground, text: bytes, place: str, hosts: str, fabric: str, ssh: str
) -> None:
    lay_out(ground)
    file = ground.project if "ssh_config" in fabric else ground.home / ".ssh"
    damage.put(place, file / ("ssh_config" if "ssh_config" in fabric else "config"), text)
    ended = check(status(ground, hosts, fabric, ssh))
    assert ended.code in {0, 1, 2, 5}


@examples.of_each
@given(
    text=damage.damaged(KNOWN, KNOWN_WORDS),
    place=damage.places,
    is_own=st.booleans(),
    config=st.sampled_from(CONFIGS),
    hosts=st.sampled_from(LISTED + TAGGED),
)
def test_a_damaged_known_hosts_file_is_read_or_refused(
    ground: Ground, text: bytes, place: str, is_own: bool, config: str, hosts: str
) -> None:
    lay_out(ground)
    (ground.home / ".ssh/config").write_text(config)
    (ground.home / ".ssh/known_hosts").unlink()
    damage.put(place, (ground.project if is_own else ground.home / ".ssh") / "known_hosts", text)
    ended = check(status(ground, hosts, ssh="{known_hosts: [known_hosts]}" if is_own else "{}"))
    assert ended.code in {0, 1, 2, 5}


KEYS = (
    paper.private_key(),
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB\n"
    "-----END OPENSSH PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,01\n"
    "\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
    "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\nAAAA\n",
    f"{OTHER} a public key\n",
)


@examples.of_each
@given(
    text=damage.damaged(KEYS),
    place=damage.places,
    where=st.sampled_from(("key", "key-cert.pub", "id_ecdsa", "id_ed25519", "id_rsa-cert.pub")),
)
def test_a_damaged_key_file_is_used_or_refused(
    ground: Ground, text: bytes, place: str, where: str
) -> None:
    lay_out(ground)
    is_own = where.startswith("key")
    file = (ground.project if is_own else ground.home / ".ssh") / where
    file.unlink(missing_ok=True)
    damage.put(place, file, text)
    ended = check(status(ground, LISTED[0], ssh="{key_files: [key]}" if is_own else "{}"))
    assert ended.code in {0, 1, 2, 5}


@pytest.mark.parametrize("place", damage.PLACES)
@pytest.mark.parametrize("name", ["config", "known_hosts", "key", "id_ecdsa", "id_ecdsa-cert.pub"])
def test_what_is_no_ssh_file_is_passed_over_or_refused(
    ground: Ground, place: str, name: str
) -> None:
    lay_out(ground)
    (ground.home / ".ssh" / name).unlink(missing_ok=True)
    damage.put(place, ground.home / ".ssh" / name, b"")
    ssh = "{key_files: [~/.ssh/key], known_hosts: [known_hosts]}" if name == "key" else "{}"
    (ground.project / "known_hosts").touch()
    ended = check(status(ground, LISTED[0], ssh=ssh))
    assert ended.code in {1, 2, 5}


@pytest.mark.parametrize("place", damage.PLACES)
@pytest.mark.parametrize(
    "key", ["IdentityFile", "CertificateFile", "UserKnownHostsFile", "Include"]
)
def test_an_ssh_config_may_name_what_is_no_file(ground: Ground, place: str, key: str) -> None:
    lay_out(ground)
    (ground.home / ".ssh/config").write_text(f"Host *\n  {key} ~/.ssh/{place}\n")
    ended = check(status(ground, LISTED[0]))
    assert ended.code in {1, 2, 5}


@pytest.mark.parametrize("hosts", LISTED + TAGGED)
def test_control_a_valid_configuration_logs_in(ground: Ground, hosts: str) -> None:
    lay_out(ground)
    assert "healthy" in check(status(ground, hosts)).out
