"""Sessions of roles are shared with the AWS CLI, and asked for once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest
from moto import mock_aws

from deploy.aws.account import Account
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
[profile base]
region = eu-west-1
aws_access_key_id = testing
aws_secret_access_key = testing
[profile deployer]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/deployer
source_profile = base
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with a profile that takes a role."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield tmp_path


def verified() -> tuple[str, int]:
    """Who AWS says that we are, and how often the role was taken for it."""
    taken: list[str] = []
    account = Account(builders.environment(aws={"profile": "deployer"}))

    def note(**_: Any) -> None:
        taken.append("AssumeRole")

    account._session_core.register("before-call.sts.AssumeRole", note)
    return account.verify(), len(taken)


def test_a_role_is_taken_once_for_many_commands_and_for_the_cli(
    home: Path,
) -> None:
    first, second = verified(), verified()
    assert "assumed-role/deployer" in first[0]
    assert first == (second[0], 1)
    assert second[1] == 0
    (file,) = (home / ".aws/cli/cache").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "SessionToken" in json.loads(file.read_text())["Credentials"]


def test_a_home_that_cannot_be_written_costs_the_cache_alone(
    home: Path,
) -> None:
    (home / ".aws/cli").write_text("no folder")
    assert "assumed-role/deployer" in verified()[0]


def test_refused_credentials_are_not_read_from_the_cache_again(
    home: Path,
) -> None:
    verified()
    account = Account(builders.environment(aws={"profile": "deployer"}))
    account._forget()
    (file,) = (home / ".aws/cli/cache").iterdir()
    before = json.loads(file.read_text())["Credentials"]["AccessKeyId"]
    account.verify()
    found = account._session_core.get_credentials().get_frozen_credentials()
    assert found.access_key != before


def test_credentials_of_another_account_are_refused_where_the_settings_name_one(
    home: Path,
) -> None:
    del home
    aws = {"profile": "base", "region": "eu-west-1"}
    assert Account(builders.environment(aws=aws | {"account": "123456789012"})).verify()
    with pytest.raises(BadInput, match=r"are of account 123456789012 .*is 210987654321"):
        Account(builders.environment(aws=aws | {"account": "210987654321"})).verify()
