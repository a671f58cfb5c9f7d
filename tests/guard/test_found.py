"""What the guard found, each by itself: what is wrong, and the message that it gets."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from guard import damage, projects
from guard.command import check, run

if TYPE_CHECKING:
    from guard.conftest import Ground


@pytest.mark.parametrize("text", ["a: [", "run: 5", "- a", "tasks: x"])
def test_files_and_variables_of_invoke_are_not_read(
    ground: Ground, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects.lay_out(ground, projects.LEAST)
    (ground.home / ".invoke.yaml").write_text(text)
    (ground.project / "invoke.yaml").write_text(text)
    monkeypatch.setenv("INVOKE_RUN_WATCHERS", "x")
    assert check(run("status", "--env", "lab")).code == 1
    for words in (("-f", "invoke.yaml"), ("--config=/dev/null",)):
        ended = check(run(*words, "status", "--env", "lab"))
        assert ended.code == 2
        assert "name the settings file with --settings" in ended.err


OF_SETTINGS = {
    "user: x\x07\n": "fabric.yaml:1: no valid YAML: the character U+0007 is not allowed",
    f"port: 0x{'f' * 4000}\n": "fabric.yaml:1: a number of more than 18 digits",
    "run: x\n": "top level: run: must be a mapping, not 'x'",
    "connect_kwargs: .nan\n": "top level: connect_kwargs: must be a mapping, not nan",
    "connect_kwargs: x\n": "top level: connect_kwargs: must be a mapping, not 'x'",
    "run: {env: x}\n": "top level: run: env: must be a mapping, not 'x'",
    "gateway: [a]\n": "top level: gateway: must be of type str, not ['a']",
    "port: true\n": "top level: port: must be of type int, not True",
    "port: 70000\n": "top level: port: must be from 1 to 65535, not 70000",
    "connect_kwargs: {key_filename: 5}\n": "key_filename: must be a path, or a list of paths",
    "ssh_config_path: pipe\n": "pipe cannot be read: it is not a file",
    "ssh_config_path: ~nobody-of-this-name/x\n": "no user whose home that would be",
}


@pytest.mark.parametrize("line", OF_SETTINGS)
def test_a_key_at_the_top_is_refused_in_words(ground: Ground, line: str) -> None:
    projects.lay_out(ground, line + projects.LEAST)
    ended = check(run("status", "--env", "lab"))
    assert ended.code in {2, 5}  # a listed machine that cannot be looked up is out of service
    assert OF_SETTINGS[line] in ended.out + ended.err


SECRETS = {
    "connect_kwargs: {passphrase: 271828}\n": "passphrase: must be text: put it in quotes",
    "connect_kwargs: {password: [271828]}\n": "password: must be text: put it in quotes",
    'connect_kwargs: {key_filename: "-----BEGIN RSA PRIVATE KEY-----\\n271828"}\n': (
        "key_filename: holds a private key itself"
    ),
}


@pytest.mark.parametrize("line", SECRETS)
def test_what_is_secret_is_refused_without_being_shown(ground: Ground, line: str) -> None:
    projects.lay_out(ground, line + projects.LEAST)
    ended = check(run("status", "--env", "lab"))
    assert ended.code == 2
    assert SECRETS[line] in ended.out + ended.err
    assert "271828" not in ended.out + ended.err


LONG = "a" * 3000
"""No file can have this name (NAME_MAX is 255)."""


@pytest.mark.parametrize(
    "change",
    [
        ("packages/web.*.zip", LONG),
        ("packages/web.*.zip", f"{LONG}/web.*.zip"),
        ("ports: [5000]", f"ports: [5000]\n      template: {LONG}"),
        ("ports: [5000]", f"ports: [5000]\n      verify: {{sha256sums: {LONG}}}"),
        ("hosts: ", f"hooks: {LONG}\n      hosts: "),
        ("hosts: ", f"runs: {LONG}\n      hosts: "),
        ("hosts: ", f"from: {LONG}\n      hosts: "),
        ("hosts: ", f"aws: {{credentials_file: {LONG}}}\n      hosts: "),
        ("hosts: ", f"ssh: {{user: a, key_files: [{LONG}]}}\n      hosts: "),
        ("hosts: ", f"ssh: {{user: a, known_hosts: [{LONG}]}}\n      hosts: "),
    ],
    ids=lambda change: change[1][:40].replace("\n", " "),
)
def test_a_path_that_no_file_can_have_is_refused_in_words(
    ground: Ground, change: tuple[str, str]
) -> None:
    assert change[0] in projects.LEAST
    text = projects.LEAST.replace(*change)
    projects.lay_out(ground, text)
    for words in (("deploy", "--dry-run"), ("status",), ("rollback", "--dry-run")):
        check(run(*words, "--env", "lab"))


@pytest.mark.parametrize(
    "words",
    [
        ("--settings", LONG),
        ("--package", LONG),
        ("--package", f"{LONG}/web.1.2.3.zip"),
    ],
)
def test_an_options_path_that_no_file_can_have_is_refused_in_words(
    ground: Ground, words: tuple[str, str]
) -> None:
    projects.lay_out(ground, projects.LEAST)
    assert check(run("deploy", "--dry-run", "--env", "lab", *words)).code == 2


@pytest.mark.parametrize(
    "words",
    [("report", "--file", LONG), ("report", "--output", LONG), ("observe", "--trace", LONG)],
)
def test_other_paths_that_no_file_can_have_are_refused_in_words(
    ground: Ground, words: tuple[str, ...]
) -> None:
    projects.lay_out(ground, projects.LEAST)
    more = () if words[0] == "report" else ("--host", "web-1.example.com")
    assert check(run(words[0], "--env", "lab", *words[1:], *more)).code == 2


@pytest.mark.parametrize("line", [("deploy", "--prompt-for-sudo-password", "--env", "lab")])
def test_invokes_prompt_for_a_password_is_refused(ground: Ground, line: tuple[str, ...]) -> None:
    """It asked even without a terminal, where Python warns and reads standard input."""
    projects.lay_out(ground, projects.LEAST)
    ended = check(run(*line))
    assert ended.code == 2
    assert "sudo must ask the SSH user for no password" in ended.err


@pytest.mark.parametrize("line", ["user:\n", "run:\n", "connect_kwargs:\n"])
def test_an_empty_key_at_the_top_is_left_out(ground: Ground, line: str) -> None:
    projects.lay_out(ground, line + projects.LEAST)
    assert check(run("status", "--env", "lab")).code == 1


IN_SETTINGS = {
    (
        "      ports",
        "      environment: &e {A: b}\n      sandbox: {<<: *e}\n      ports",
    ): "sandbox",
    ("packages/web.*.zip", "~nobody-of-this-name/*.zip"): "no user whose home that would be",
    ("packages/web.*.zip", "loop/*.zip"): "nothing in ",
    ("web.*.zip", "web.1.2.3"): "web.1.2.3 in ",
    ("      hosts", "      from: loop\n      hosts"): "loop does not exist",
    ("      hosts", "      ssh: {known_hosts: [pipe]}\n      hosts"): "it is not a file",
    # Python 3.13 resolves a link that leads back to itself to itself.
    ("      hosts", "      ssh: {key_files: [loop]}\n      hosts"): "loop",
}


@pytest.mark.parametrize("change", IN_SETTINGS)
def test_a_setting_is_refused_in_words(ground: Ground, change: tuple[str, str]) -> None:
    projects.lay_out(ground, projects.LEAST.replace(*change))
    (ground.project / "packages/web.1.2.3").touch()
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime"))
    assert ended.code == 2
    assert IN_SETTINGS[change] in ended.err


def test_many_problems_fill_a_screen_at_most(ground: Ground) -> None:
    keys = "".join(f"      key{number}: x\n" for number in range(1000))
    projects.lay_out(ground, projects.LEAST + keys)
    lines = check(run("status", "--env", "lab")).err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 980 more problems; correct these first"


def test_a_long_word_is_not_repeated_in_full(ground: Ground) -> None:
    projects.lay_out(ground, projects.LEAST)
    for words in (("x" * 100_000,), ("status", "x" * 100_000), ("status", "--env", "x" * 100_000)):
        ended = check(run(*words))
        assert ended.code == 2
        assert len(ended.err) < 20_000


@pytest.mark.parametrize("wait", ["9" * 400, "9" * 5000, "٣", "1d"])
def test_a_wait_that_is_no_duration_is_refused(ground: Ground, wait: str) -> None:
    projects.lay_out(ground, projects.LEAST)
    ended = check(run("deploy", "--env", "lab", "--wait-lock", wait))
    assert ended.code == 2
    assert "is no duration; write 90s, 15m or 2h" in ended.err


@pytest.mark.parametrize("name", [".ssh/known_hosts", ".ssh/known_hosts2"])
def test_a_pipe_for_the_users_known_hosts_is_not_waited_for(ground: Ground, name: str) -> None:
    projects.lay_out(ground, projects.LEAST)
    file = ground.home / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    assert check(run("status", "--env", "lab")).code in {1, 2}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_pipe_for_a_package_is_not_waited_for(ground: Ground, suffix: str) -> None:
    projects.lay_out(ground, projects.LEAST)
    damage.clear(ground.project / "packages")
    os.mkfifo(ground.project / f"packages/web.1.2.3{suffix}")
    words = ("--package", f"packages/web.1.2.3{suffix}")
    ended = check(run("deploy", "--env", "lab", "--dry-run", *words))
    assert ended.code == 2
    assert "it is a device, a pipe or a socket" in ended.err


@pytest.mark.parametrize("content", [b"\x80\xff", b"-----BEGIN OPENSSH PRIVATE KEY-----\nA\n"])
def test_a_damaged_key_file_is_named(ground: Ground, content: bytes) -> None:
    settings = projects.LEAST + "      ssh: {key_files: [key]}\n"
    projects.lay_out(ground, settings)
    (ground.project / "key").write_bytes(content)
    ended = check(run("status", "--env", "lab"))
    assert ended.code == 2
    assert "web-1.example.com (web-1.example.com): " in ended.err
    assert "key" in ended.err


def test_a_broken_line_of_the_aws_tools_files_is_named(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.aws.api.account import Account  # noqa: PLC0415 - in place of that on paper
    from deploy.checkup import aws  # noqa: PLC0415 - as above

    projects.lay_out(ground, projects.LEAST)
    monkeypatch.setattr(aws, "Account", Account)
    for text, line in (("[a]\nx = 1\ny\n", 3), ("x = 1\n", 1), ("[a]\nx = 1\nx = 2\n", 3)):
        (ground.home / ".aws/config").write_text(text)
        ended = check(run("status", "--env", "lab"))
        assert f".aws/config:{line} cannot be read: " in ended.err, ended.err


@pytest.fixture
def nobody(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A user that /etc/passwd does not have, as in containers: without a name, and a home."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    projects.lay_out(ground, projects.LEAST)
    for name in ("HOME", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return monkeypatch


def test_a_user_without_a_name_is_told_to_give_one(nobody: pytest.MonkeyPatch) -> None:
    del nobody
    ended = check(run("status", "--env", "lab"))
    assert ended.code == 2
    assert "has no name on this machine" in ended.err


def test_a_user_without_a_home_has_no_files_there(nobody: pytest.MonkeyPatch) -> None:
    from deploy.aws.api.account import Account  # noqa: PLC0415 - in place of that on paper
    from deploy.checkup import aws  # noqa: PLC0415 - as above

    nobody.setenv("USER", "deploy")
    assert "unknown host key" in check(run("status", "--env", "lab")).err
    nobody.setattr(aws, "Account", Account)
    assert "no AWS credentials" in check(run("status", "--env", "lab")).err


@pytest.mark.parametrize(
    "words", [("status", "--env", "lab"), ("init", "--target-group", "web-lab", "--env", "lab")]
)
def test_a_folder_that_is_gone_is_no_defect(
    words: tuple[str, ...], ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects.lay_out(ground, projects.LEAST)
    gone = ground.root / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ended = check(run(*words))
    assert ended.code == 2
    assert "this folder is gone" in ended.err
