"""The guard can fail: readers without the product's care do, by the same examples."""

from __future__ import annotations

import configparser
import tarfile
import time
import zipfile
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.configloader
import paramiko
import pytest
from hypothesis import HealthCheck, find, settings
from ruamel.yaml import YAML

from deploy.hosts.ssh import ssh_config
from deploy.settings import yaml_document
from guard import damage, projects, test_aws_files, test_options, test_packages
from guard import test_settings as settings_guard
from guard import test_ssh_files as ssh_guard
from guard.command import Hung, ending, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from guard.conftest import Ground


SEARCH = settings(max_examples=500, database=None, suppress_health_check=list(HealthCheck))


def is_seen(body: Callable[[], object]) -> bool:
    """Whether the guard sees that a program ends as none may."""
    try:
        return bool(ending(body, 5).problem)
    except Exception:  # noqa: BLE001 - a traceback is one of the ways
        return True


def read_yaml(file: Path) -> None:
    loaded = YAML(typ="rt").load(file.read_text())
    str(loaded["deploy"]["environments"]["lab"]["hosts"][0])


def read_ssh_config(file: Path) -> None:
    paramiko.SSHConfig.from_path(str(file)).lookup("web-1.example.com")


def read_key(file: Path) -> None:
    paramiko.ECDSAKey(filename=str(file))


def read_known_hosts(file: Path) -> None:
    paramiko.HostKeys(str(file))


def read_profiles(file: Path) -> None:
    with suppress(configparser.MissingSectionHeaderError):
        configparser.ConfigParser().read(file)


def read_version(file: Path) -> None:
    _, major, minor, *_ = file.name.split(".")
    int(major) + int(minor)


NAIVE: dict[str, tuple[SearchStrategy[Any], Callable[[Path], None]]] = {
    "settings": (damage.damaged((projects.LEAST,), settings_guard.VALUES), read_yaml),
    "ssh config": (damage.damaged(ssh_guard.CONFIGS, ssh_guard.CONFIG_WORDS), read_ssh_config),
    "known_hosts": (damage.damaged(ssh_guard.KNOWN, ssh_guard.KNOWN_WORDS), read_known_hosts),
    "key files": (damage.damaged(ssh_guard.KEYS), read_key),
    "AWS files": (damage.damaged(test_aws_files.CONFIGS[1:], test_aws_files.WORDS), read_profiles),
}


@pytest.mark.parametrize("kind", NAIVE)
def test_control_a_reader_without_care_is_seen(
    ground: Ground, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strategy, read = NAIVE[kind]
    # Paramiko's reader would run what `Match exec` names.
    ran = SimpleNamespace(ok=True)
    monkeypatch.setattr("paramiko.config.invoke.run", lambda *_, **__: ran)

    def fails(content: bytes) -> bool:
        ground.clear()
        file = ground.project / "control"
        file.write_bytes(content)
        return is_seen(lambda: read(file))

    assert find(strategy, fails, settings=SEARCH)


def test_control_a_name_and_an_option_that_are_read_without_care_are_seen(ground: Ground) -> None:
    def misread(name: str) -> bool:
        return is_seen(lambda: read_version(ground.project / name.replace("/", "")))

    assert find(test_packages.names, misread, settings=SEARCH)
    assert find(test_options.VALUE, lambda value: is_seen(lambda: int(value)), settings=SEARCH)


ENDINGS: dict[str, Callable[[], object]] = {
    "not in the table": lambda: exit_with(7),
    "a defect shows": lambda: exit_with(2, "Traceback (most recent call last):\n  x"),
    "a character that acts": lambda: exit_with(2, "no \x1b[2J"),
    "no message": lambda: exit_with(2),
    "the message has": lambda: exit_with(2, "line\n" * 100),
}


def exit_with(code: int, *messages: str) -> None:
    import sys  # noqa: PLC0415 - as it is then, with other streams

    print(*messages, file=sys.stderr, end="")
    sys.exit(code)


@pytest.mark.parametrize("problem", ENDINGS)
def test_control_an_ending_that_no_user_should_see_is_seen(problem: str) -> None:
    assert problem in ending(ENDINGS[problem]).problem


def test_control_a_command_that_hangs_is_seen() -> None:
    with pytest.raises(Hung):
        ending(lambda: time.sleep(5), 0.1)


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("out of the blue")


READERS = {
    "fabric.yaml: this YAML": (yaml_document, "YAML"),
    "the SSH configuration": (ssh_config.Lookups, "lookup"),
    "web-1.example.com (web-1.example.com): a key file": (paramiko.SSHClient, "connect"),
    "package web.1.2.3.zip": (zipfile, "ZipFile"),
    "package web.1.2.3.tgz": (tarfile, "open"),
}


@pytest.mark.parametrize("what", READERS)
def test_an_exception_that_none_foresaw_names_the_file(
    ground: Ground, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects.lay_out(ground, projects.LEAST.replace("web.*.zip", "web.*"))
    if "tgz" in what:
        damage.clear(ground.project / "packages")
        (ground.project / "packages/web.1.2.3.tgz").write_bytes(test_packages.ARCHIVES["tar"][0])
    monkeypatch.delenv("CHANGEOVER_DEBUG", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(ground.home / "empty"))  # where no package is kept
    monkeypatch.setattr(*READERS[what], fail)
    ended = run("deploy", "--env", "lab", "--dry-run", "--allow-downtime")
    assert ended.code == 2
    assert f"{what}" in ended.err
    assert "cannot be read: ZeroDivisionError: out of the blue; " in ended.err
    assert not ended.problem


def test_an_exception_of_the_aws_files_reader_is_one_message(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.aws.api.account import Account  # noqa: PLC0415 - in place of that on paper
    from deploy.checkup import aws  # noqa: PLC0415 - as above

    projects.lay_out(ground, projects.LEAST)
    monkeypatch.setattr(aws, "Account", Account)
    monkeypatch.setattr(botocore.configloader, "raw_config_parse", fail)
    ended = run("status", "--env", "lab")
    assert ended.code == 2
    assert "out of the blue; check `aws:` in fabric.yaml" in ended.err
