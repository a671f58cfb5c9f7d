"""`changeover init` from a target group of a fleet on this machine, and what is done with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from deploy.aws import permissions
from deploy.commands.setup import check, init
from deploy.errors import BadInput
from deploy.run.report import ExitCode
from deploy.screen import question
from deploy.session.arguments import CommandOptions
from deploy.settings import load
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from loopback import Host, Project

SSH = """Host 127.*
  User deploy
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
"""
FILES = ["fabric.yaml", "iam-policy.json", "known_hosts", "tasks.py"]


class NewUser:
    """Somebody with a fleet, an ssh configuration and an empty folder."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        folder.mkdir()

    @property
    def written(self) -> list[str]:
        return sorted(each.name for each in self.folder.iterdir())

    def vouch(self, *hosts: Host) -> None:
        """Let these hosts' consoles have their keys."""
        by_name = {host: name for name, host in self.project.hosts.items()}
        account = self.project.account
        for host in hosts:
            place, kind, blob = host.sshd.known_hosts().split()
            del place
            instance = account.instances[f"changeover-test-{by_name[host]}"]
            account.consoles[instance] = (
                "[   9.1] ci-info: nothing\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n"
                f"{kind} {blob} root@host\r\n-----END SSH HOST KEY KEYS-----\r\n"
            )

    def init(self, **options: Any) -> ExitCode:
        """Type `init --target-group web-lab --env lab --yes` in the folder."""
        given: dict[str, Any] = {"target_group": "web-lab", "region": "eu-west-1", "profile": None}
        given |= {"ssh_user": None, "key": None}
        asked: dict[str, Any] = {"yes": True, "settings": str(self.folder / "fabric.yaml")}
        own = {key: options.pop(key) for key in list(options) if key in {"yes", "app", "settings"}}
        return init.init(CommandOptions("lab", **(asked | own)), **(given | options))


@pytest.fixture
def user(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewUser:
    port = next(iter(project.hosts.values())).sshd.port
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(SSH.format(port=port, folder=project.folder))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_ENDPOINT_URL", project.account.api.url)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for host in project.hosts.values():
        host.program("systemd-analyze", "#!/bin/sh\nexit 0\n")
    return NewUser(project, tmp_path / "new")


def test_an_empty_folder_becomes_a_project_that_is_ready_for_a_deploy(
    user: NewUser, capsys: pytest.CaptureFixture[str]
) -> None:
    user.vouch(*user.project.hosts.values())
    assert user.init() is ExitCode.DONE
    assert user.written == FILES
    loaded = load.load(user.folder / "fabric.yaml", "lab")
    assert [app.name for app in loaded.apps] == ["web"]
    assert loaded.apps[0].ports == (5000,)
    assert loaded.hosts == Hosts(tags={"Environment": "lab"})
    assert (loaded.aws.region, loaded.aws.account) == ("eu-west-1", "123456789012")
    known = (user.folder / "known_hosts").read_text().splitlines()
    assert known == [host.sshd.known_hosts().strip() for host in user.project.hosts.values()]
    (user.folder / "packages").mkdir()
    (package,) = (user.project.folder / "packages").iterdir()
    (user.folder / "packages" / package.name).write_bytes(package.read_bytes())
    capsys.readouterr()
    code = check.check(CommandOptions("lab", str(user.folder / "fabric.yaml")), None)
    output = capsys.readouterr().out
    assert code is ExitCode.DONE, output
    assert "a deploy would start" in output


def test_the_policy_is_for_this_group_alone(user: NewUser) -> None:
    user.init()
    policy = json.loads((user.folder / "iam-policy.json").read_text())
    elb = user.project.account.client("elbv2")
    arn = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"][0]["TargetGroupArn"]
    assert policy == permissions.policy([arn])


def test_a_key_that_no_console_has_is_shown_and_taken_by_no_script(
    user: NewUser, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = user.project.hosts.values()
    user.vouch(*others)
    assert user.init() is ExitCode.DONE
    known = (user.folder / "known_hosts").read_text()
    assert first.sshd.known_hosts().strip() not in known
    assert len(known.splitlines()) == 2
    output = capsys.readouterr().out
    assert first.sshd.key.fingerprint in output
    assert "left out of known_hosts" in output


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_decides_about_a_key_that_was_compared(
    user: NewUser, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    asked: list[str] = []

    def ask(text: str, *_: object) -> bool:
        asked.append(text)
        return answer or "Write" in text

    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", ask)
    assert user.init(yes=False) is ExitCode.DONE
    assert "Did you compare them" in asked[0]
    known = (user.folder / "known_hosts").read_text().splitlines()
    assert len(known) == (3 if answer else 0)


def test_no_writes_nothing(user: NewUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", lambda *_: False)
    assert user.init(yes=False) is ExitCode.DECLINED
    assert user.written == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_exists_is_kept_and_the_texts_are_shown(
    user: NewUser, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (user.folder / name).write_text("mine")
    assert user.init() is ExitCode.BAD_INPUT
    assert user.written == [name]
    assert (user.folder / name).read_text() == "mine"
    shown = capsys.readouterr()
    assert "target_group: web-lab" in shown.out
    assert f"{name} exists" in shown.err


def test_files_that_are_as_they_would_be_written_are_no_obstacle(
    user: NewUser, capsys: pytest.CaptureFixture[str]
) -> None:
    user.init()
    (user.folder / "tasks.py").unlink()
    assert user.init() is ExitCode.DONE
    assert user.written == FILES
    capsys.readouterr()
    assert user.init() is ExitCode.DONE
    assert "All files are there" in capsys.readouterr().out


def test_hosts_that_cannot_be_read_are_named_with_what_to_type(
    user: NewUser, capsys: pytest.CaptureFixture[str]
) -> None:
    user.init()  # their keys are not known
    output = capsys.readouterr().out
    assert "since 3 of 3 hosts could not be read" in output
    assert "--ssh-user NAME and --key FILE" in output


def test_a_dangling_link_is_a_file_too(user: NewUser) -> None:
    (user.folder / "tasks.py").symlink_to(user.folder / "nowhere")
    assert user.init() is ExitCode.BAD_INPUT
    assert (user.folder / "tasks.py").readlink() == user.folder / "nowhere"


def test_what_is_given_goes_into_the_settings(user: NewUser) -> None:
    key = str(user.project.folder / "key")
    user.init(app="shop", ssh_user="deploy", key=key)
    settings = YAML(typ="safe").load((user.folder / "fabric.yaml").read_text())
    assert list(settings["deploy"]["apps"]) == ["shop"]
    ssh = settings["deploy"]["environments"]["lab"]["ssh"]
    assert ssh == {"user": "deploy", "key_files": [key], "known_hosts": ["known_hosts"]}


@pytest.mark.parametrize(
    ("group", "said"),
    [("nowhere", "does not exist in region"), ("grpc-lab", "has no targets")],
)
def test_a_group_that_cannot_be_used_is_refused(user: NewUser, group: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        user.init(target_group=group)
    assert user.written == []
