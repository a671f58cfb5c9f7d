"""An ssh configuration means what OpenSSH takes it to mean: its own program reads the same."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.errors import BadInput
from deploy.hosts.ssh import connect, ssh_config
from deploy.hosts.ssh.openssh import answers, match, options, program, reader, tokens

if TYPE_CHECKING:
    from pathlib import Path

COMPARED = (
    "hostname",
    "user",
    "port",
    "proxyjump",
    "proxycommand",
    "identityfile",
    "certificatefile",
    "hostkeyalias",
    "identitiesonly",
    "identityagent",
    "userknownhostsfile",
    "addressfamily",
    "bindaddress",
)
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH is not installed here")

CONFIGURATIONS = {
    "match all": "Match all\n  User x\n",
    "match host": "Match host x\n  User q\nHost web\n  HostName x\nMatch host x\n  Port 7\n",
    "match host is after HostName": "Host web\n  HostName db.%h\nMatch host db.*\n  User q\n",
    "match list": "Match host a,web,!c user !root\n  Port 9\nMatch host *,!web\n  Port 8\n",
    "originalhost": "Match originalhost web\n  HostName x\nMatch originalhost w*\n  Port 6\n",
    "match user": "Host web\n  User bob\nMatch user bob\n  IdentityFile /bob\n",
    "match not": "Match !host db\n  User q\nMatch !host web\n  Port 2\n",
    "match exec": 'Match exec "test %h = web"\n  User q\nMatch exec "test %h = db"\n  Port 2\n',
    "match exec after": 'Match host no exec "touch {folder}/ran"\n  User q\n',
    "match exec with equals": 'Match host=web exec="true"\n  User q\n',
    "match final": "Match final all\n  User q\nHost web\n  HostName 10.0.0.9\n",
    "match final host": "Host web\n  HostName X.example\nHost x.example\n  Port 5\nMatch final\n",
    "match final not": "Match !final host web\n  HostName y\nMatch final host y\n  User q\n",
    "match comment": "Match host web # a comment\n  User q\n",
    "match canonical": "Match canonical host web\n  User q\n",
    "first counts": "Host web\n  User a\nHost *\n  User b\n  Port 4\n",
    "global first": "User a\nHost web\n  User b\n",
    "host list": "Host a b web c\n  User q\n",
    "host not": "Host * !web\n  User q\nHost !db *\n  Port 3\n",
    "host upper": "Host WEB\n  User q\nHost Web\n  User r\n",
    "host quoted": "Host \"web\" 'b'\n  User q\n",
    "host question mark": "Host w?b\n  User q\nHost w[ea]b\n  Port 3\n",
    "jump none": "Host web\n  ProxyJump none\nHost *\n  ProxyJump bastion\n",
    "jump chain": "Host web\n  ProxyJump a@one:22,two,c@three\n",
    "jump user with an at": "Host web\n  ProxyJump vault@root@10.1.1.1@one:22,b@x@two\n",
    "user of a domain": "Host web\n  User CORP\\jdoe\nHost *\n  User jdoe@corp.example\n",
    "revoked": "Host *\n  RevokedHostKeys ~/revoked\n",
    "provider": "Host *\n  PKCS11Provider /usr/lib/opensc.so\n",
    "no provider": "Host *\n  PKCS11Provider none\n",
    "jump uri": "Host web\n  ProxyJump ssh://a@one:33\n",
    "proxy none": "Host web\n  ProxyCommand none\nHost *\n  ProxyCommand nc %h %p\n",
    "proxy then jump": "Host *\n  ProxyCommand nc %h %p\n  ProxyJump one\n",
    "jump then proxy": "Host *\n  ProxyJump one\n  ProxyCommand nc %h %p\n",
    "jump none then proxy": "Host *\n  ProxyJump none\n  ProxyCommand nc %h %p\n",
    "proxy none then jump": "Host *\n  ProxyCommand none\n  ProxyJump one\n",
    "proxy quotes": "Host *\n  ProxyCommand   sh -c \"nc '%h' %p\"  # not a comment\n",
    "files": 'Host *\n  IdentityFile /a\n  IdentityFile "/b c"\nHost web\n  IdentityFile /d\\ e\n',
    "no files": "Host *\n  IdentityFile none\n",
    "file and none": "Host *\n  IdentityFile none\n  IdentityFile /a\n  IdentityFile /a\n",
    "tokens": "Host *\n  IdentityFile ~/id_%r_%h_%%\n  CertificateFile %d/x\n  HostName %h.ex\n",
    "certificate": "Host *\n  CertificateFile /a-cert.pub\n  CertificateFile /b-cert.pub\n",
    "agent": "Host *\n  IdentityAgent ~/a.sock\n  IdentitiesOnly yes\n",
    "agent none": "Host *\n  IdentityAgent none\n",
    "alias": "Host *\n  HostKeyAlias A%h\n",
    "known hosts": "Host *\n  UserKnownHostsFile /a /b\n  UserKnownHostsFile /c\n",
    "no known hosts": "Host *\n  UserKnownHostsFile none\n",
    "equals": "Host=web\nUser=q\nPort = 9\nHostName\t=\tx\n",
    "spaces": "\t Host web \t\r\n  User q \r\n\n# comment\n   # comment\n  Port 9 # comment\n",
    "quoted": "Host *\n  User \"a\"\n  HostName 'x'\n",
    "family": "Host *\n  AddressFamily inet6\n  BindAddress 10.0.0.7\n",
    "deprecated": "Host *\n  Protocol 2\n  UsePrivilegedPort no\n  User q\n",
    "ignored": "IgnoreUnknown Foo*,Bar\nFooBar 1\nHost *\n  Bar 2\n  User q\n",
    "other options": "Host *\n  ForwardAgent yes\n  LocalForward 1 a:2\n  SendEnv A B\n  User q\n",
    "include": "Include {folder}/one\nHost *\n  User last\n",
    "include in a block": "Host web\n  Include {folder}/one\nHost *\n  Port 77\n",
    "include elsewhere": "Host db\n  Include {folder}/one\nHost *\n  Port 77\n",
    "include many": "Include {folder}/o* {folder}/absent\nHost *\n  User last\n",
    "include ends its block": "Include {folder}/two\nUser global\n",
    "not utf-8": "# caf\udce9\nHost *\n  IdentityFile /caf\udce9\n",
    "empty": "",
}
INCLUDED = {
    "one": "Host web\n  User one\n  Include {folder}/two\nHost x\n  HostName y\n",
    "two": "Host web\n  Port 22\n  IdentityFile /two\n",
}
REFUSED = {
    "unknown keyword": "Host *\n  User q\n  Nonsense 1\n",
    "ignored too late": "Nonsense 1\nIgnoreUnknown Nonsense\n",
    "no value": "Host *\n  User\n",
    "two values": "Host *\n  User a b\n",
    "open quote": 'Host *\n  User "a\n',
    "port": "Host *\n  Port abc\n",
    "port zero": "Host *\n  Port 0\n",
    "port too high": "Host *\n  Port 65536\n",
    "yes or no": "Host *\n  IdentitiesOnly maybe\n",
    "family": "Host *\n  AddressFamily inet9\n",
    "criterion": "Match bogus x\n  User q\n",
    "no criterion": "Match\n  User q\n",
    "criterion without value": "Match host\n  User q\n",
    "byte order mark": "\ufeffHost *\n  User q\n",
    "elsewhere": "Host db\n  Port abc\n",
    "jump port": "Host *\n  ProxyJump a:123456\n",
    "jump port too high": "Host *\n  ProxyJump a:70000\n",
    "jump address": "Host *\n  ProxyJump 2001:db8::1\n",
    "no jump host": "Host *\n  ProxyJump a,,b\n",
    "none and another": "Host *\n  UserKnownHostsFile none /a\n",
    "in an included file": "Include {folder}/bad\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in INCLUDED.items():
        (tmp_path / name).write_text(text.format(folder=tmp_path))
    (tmp_path / "bad").write_text("Host *\n  Port abc\n")
    return tmp_path


def write(folder: Path, text: str) -> str:
    file = folder / "config"
    file.write_bytes(text.replace("{folder}", str(folder)).encode("utf-8", "surrogateescape"))
    return str(file)


def read_by_ssh(name: str, file: str) -> options.Answer:
    found = program.ask(name, file, "", None)
    assert found is not None
    return found


def comparable(found: options.Answer) -> dict[str, Any]:
    """What an answer means, without what is a default of ssh's own."""
    made = ssh_config.options(answers.checked(found))
    usual = {
        "user": tokens.local_user(),
        "port": "22",
        "addressfamily": "any",
        "identitiesonly": "no",
    }
    keys = {key: made.get(key) or usual.get(key) for key in COMPARED}
    if keys["userknownhostsfile"] and keys["userknownhostsfile"][0].endswith("/.ssh/known_hosts"):
        keys["userknownhostsfile"] = None
    return keys


@needs_ssh
@pytest.mark.parametrize("title", CONFIGURATIONS)
def test_our_reader_finds_what_ssh_finds(
    title: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ssh takes `~` from the list of users, whatever HOME says.
    monkeypatch.setenv("HOME", pwd.getpwuid(os.getuid()).pw_dir)
    file = write(folder, CONFIGURATIONS[title])
    for name in ("web", "db", "WEB", "10.0.0.1"):
        own = reader.answer(name, [file])
        assert comparable(own) == comparable(read_by_ssh(name, file)), name
    assert not (folder / "ran").exists()


@needs_ssh
@pytest.mark.parametrize("title", REFUSED)
def test_what_ssh_refuses_our_reader_refuses_with_file_and_line(title: str, folder: Path) -> None:
    file = write(folder, REFUSED[title])
    with pytest.raises(BadInput, match=r"ssh refuses its configuration: .*line \d"):
        program.ask("web", file, "", None)
    with pytest.raises(BadInput, match=rf"{folder}/(config|bad):\d+: ") as refused:
        reader.answer("web", [file])
    assert len(refused.value.args) == 1


@needs_ssh
def test_the_settings_user_and_port_go_before(folder: Path) -> None:
    text = "Host *\n  User q\n  Port 9\nMatch user bob\n  IdentityFile /%r_%p\n"
    file = write(folder, text)
    asked = program.ask("web", file, "bob", 2222)
    assert asked is not None
    assert comparable(asked) == comparable(reader.answer("web", [file], "bob", 2222))
    assert comparable(asked)["user"] == "bob"
    assert comparable(asked)["port"] == "2222"


CANNOT = {
    "localnetwork": "Match localnetwork 192.0.2.0/24\n  ProxyJump bastion\n",
    "canonical names": "Host *\n  CanonicalizeHostname yes\n",
    "deep": "Include {folder}/config\n",
    "exec that is no token": 'Match exec "test %y"\n  User q\n',
    "unreadable include": "Include {folder}/secret\n",
}


@pytest.mark.parametrize("title", CANNOT)
def test_what_cannot_be_judged_without_openssh_is_refused(title: str, folder: Path) -> None:
    """Case 20: a criterion that was not known was taken to hold."""
    (folder / "secret").mkdir()
    (folder / "secret").chmod(0)
    file = write(folder, CANNOT[title])
    if title == "unreadable include":
        assert reader.answer("web", [file]).values == {
            "hostname": ("web",)
        }  # a folder has no lines, as for ssh
        return
    with pytest.raises(BadInput, match="config"):
        reader.answer("web", [file])


def test_a_match_exec_without_end_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(folder, 'Match exec "sleep 60"\n  User q\n')
    monkeypatch.setattr(program, "SECONDS", 0.2)
    monkeypatch.setattr(match, "EXEC_SECONDS", 0.2)
    began = time.monotonic()
    if shutil.which("ssh"):
        with pytest.raises(BadInput, match=r"`ssh -G web` did not end within 0\.2 s"):
            program.ask("web", file, "", None)
    with pytest.raises(BadInput, match=r"config:1: `Match exec` did not end within 0\.2 s"):
        reader.answer("web", [file])
    assert time.monotonic() - began < 10


def test_a_jump_host_that_its_own_pattern_matches_is_reached_directly(folder: Path) -> None:
    own = {"ssh_config_path": write(folder, "Host *\n  ProxyJump hop\nHost hop\n  User q\n")}
    for name, expected in (("hop", None), ("web", "hop")):
        listed = builders.environment(hosts=(name,)).model_copy(update={"fabric": own})
        made = connect.connection_to(replace(builders.host(1), name=name), listed)
        assert (made.gateway and made.gateway.host) == expected


@pytest.mark.parametrize("name", ["-oProxyCommand=id", "a b", "$(id)", "_x", "", "a@b", "x\n"])
def test_p7_ssh_is_asked_for_plain_names_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "touch ran")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert program.ask(name, "", "", None) is None
    assert not (tmp_path / "ran").exists()


def stand_in(folder: Path, *words: str) -> None:
    """A program of ssh's name in a folder, which does this."""
    file = folder / "ssh"
    file.write_text(f"#!/bin/sh\ncd {folder}\n" + "\n".join(words) + "\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


ANSWER = "echo host web; echo user root; echo hostname 10.9.9.9; echo port 22"


def test_ssh_is_asked_once_for_each_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, 'echo "$@" >> asked', ANSWER)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(program, "is_here", lambda: True)
    names = ("web", "db", "api")
    own = builders.environment(hosts=names, ssh={"user": "deploy", "port": 2222})
    (tmp_path / "config").write_text("")
    own = own.model_copy(update={"fabric": {"ssh_config_path": str(tmp_path / "config")}})
    for _ in range(2):
        assert {connect.resolve(own, name) for name in names} == {"10.9.9.9"}
    asked = sorted((tmp_path / "asked").read_text().splitlines())
    file = tmp_path / "config"
    assert asked == [f"-G -F {file} -l deploy -p 2222 -- {name}" for name in ("api", "db", "web")]


def test_hosts_found_by_tags_are_asked_for_once_by_name_and_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, 'echo "$5" >> asked', 'echo "hostname $5"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(program, "is_here", lambda: True)
    (tmp_path / "config").write_text("")
    own = builders.environment(hosts={"tags": {"Role": "web"}})
    own = own.model_copy(update={"fabric": {"ssh_config_path": str(tmp_path / "config")}})
    hosts = [replace(builders.host(number), name=name) for number, name in ((1, "a"), (2, "-x"))]
    connect.ask_ahead(own, hosts)
    for host in hosts:
        assert connect.connection_to(host, own).host == host.address
    asked = sorted((tmp_path / "asked").read_text().splitlines())
    assert asked == ["10.0.0.1", "10.0.0.2", "a"]


@pytest.mark.parametrize("jump", ["ProxyJump none", "ProxyCommand none"])
def test_no_proxy_goes_before_the_settings_gateway(jump: str, folder: Path) -> None:
    own = {"ssh_config_path": write(folder, f"Host web\n  {jump}\n"), "gateway": "nc %h %p"}
    for name, expected in (("web", None), ("db", "nc %h %p")):
        listed = builders.environment(hosts=(name,)).model_copy(update={"fabric": own})
        made = connect.connection_to(replace(builders.host(1), name=name), listed)
        assert made.gateway == expected


@pytest.mark.parametrize(
    "words",
    [
        ["echo 'unknown option -- G' >&2", "exit 255"],
        ["echo 'No user exists for uid 1001' >&2", "exit 255"],
        ["exit 0"],
        ["kill -9 $$"],
    ],
    ids=["old", "no user", "silent", "killed"],
)
def test_an_ssh_that_cannot_answer_is_done_without(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, *words)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(program, "is_here", lambda: True)
    file = write(tmp_path, "Host web\n  User q\n")
    assert ssh_config.answer(ssh_config.read({"ssh_config_path": file}), "web").one("user") == "q"


def test_ssh_is_not_asked_where_home_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not program.is_here()


def test_a_list_that_ssh_prints_without_quotes_is_separated(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "known hosts").touch()
    spaced = f"{tmp_path}/a b/known hosts"
    assert program.separated(f"{spaced} /absent") == (spaced, "/absent")
    assert program.separated(f"/absent {spaced}") == ("/absent", spaced)
    assert program.separated("/absent /too") == ("/absent", "/too")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Host *\n  BindInterface eth0\n", "bindinterface cannot be followed here"),
        ("Host *\n  ProxyCommand nc %h\n  ProxyUseFdpass yes\n", "proxyusefdpass cannot be"),
        ("Host *\n  User caf\udce9\n", "user .* has characters that are none of a name's"),
        ("Host *\n  ProxyCommand nc %z\n", "`%z` is no token there; write `%%` for a percent"),
        ("Host *\n  IdentityFile ${NOT_SET_HERE}/x\n", "variable `.*NOT_SET_HERE.*` is not set"),
        ("Host *\n  ProxyJump bastion-%z\n", "`%z` is no token there"),
        ("Host *\n  ProxyJump [2001:db8::1]:2222\n", "name that jump host by an alias"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(text: str, said: str, folder: Path) -> None:
    source = ssh_config.read({"ssh_config_path": write(folder, text)})
    with pytest.raises(BadInput, match=f"web: .*: .*{said}") as refused:
        ssh_config.of_listed(source, "web").lookup("web")
    assert len(refused.value.args) == 1


def test_jump_hosts_are_asked_for_without_the_settings_user(folder: Path) -> None:
    text = (
        "Host web\n  ProxyJump hop@one,two\nHost one two\n  Port 33\n  IdentityFile /jump\n"
        "Match host two user deploy\n  Port 44\nMatch host one user hop\n  IdentityFile /hop\n"
    )
    own = {"ssh_config_path": write(folder, text), "load_ssh_configs": True}
    listed = builders.environment(hosts=("web",), ssh={"user": "deploy"})
    listed = listed.model_copy(update={"fabric": own})
    made = connect.connection_to(replace(builders.host(1), name="web"), listed)
    last, first = made.gateway, made.gateway.gateway
    assert (made.user, last.host, first.host, first.user) == ("deploy", "two", "one", "hop")
    assert (last.port, first.port) == (33, 33)
    assert first.ssh_config["identityfile"] == ["/jump", "/hop"]
    assert last.ssh_config["identityfile"] == ["/jump"]


def test_fabrics_own_user_and_port_come_after_what_is_written(folder: Path) -> None:
    file = write(folder, "Host web\n  User q\n  Port 9\n")
    own = {"ssh_config_path": file, "user": "theirs", "port": 8}
    for name, expected in (("web", ("q", 9)), ("db", ("theirs", 8))):
        listed = builders.environment(hosts=(name,)).model_copy(update={"fabric": own})
        made = connect.connection_to(replace(builders.host(1), name=name), listed)
        assert (made.user, made.port) == expected


def test_all_keywords_of_this_ssh_are_known() -> None:
    assert not options.DECIDING - options.KEYWORDS
    if shutil.which("ssh"):
        code, stdout, _ = program._run("x", ["ssh", "-G", "-F", "none", "--", "x"])
        assert code == 0
        printed = {line.split(" ")[0].lower() for line in stdout.splitlines()}
        assert printed <= options.KEYWORDS
