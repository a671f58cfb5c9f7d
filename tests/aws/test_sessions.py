"""Sessions of roles are shared with the AWS CLI, and asked for once."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest
from moto import mock_aws

from deploy.aws.api.account import Account
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


ENDS = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [(KEYS, None), (KEYS | {"AWS_CREDENTIAL_EXPIRATION": ENDS.isoformat()}, ENDS)],
)
def test_keys_of_the_environment_end_when_they_say_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: datetime
) -> None:
    assert home
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    account = Account(builders.environment(aws={"region": "eu-west-1"}))
    assert account.expiry == expected


@pytest.mark.parametrize("wants_factor", [True, False])
def test_a_role_ends_where_it_wants_a_second_factor_and_renews_itself_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, wants_factor: bool
) -> None:
    if wants_factor:
        factor = "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        (home / ".aws" / "config").write_text(CONFIG + factor)
    account = Account(builders.environment(aws={"profile": "deployer"}))
    chain = account._session_core.get_component("credential_provider")
    monkeypatch.setattr(chain.get_provider("assume-role"), "_prompter", lambda _: "123456")
    account.verify()
    ends = account.expiry
    assert (ends is not None) is wants_factor
    assert ends is None or ends > datetime.now(UTC)


def test_without_credentials_nothing_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (home / ".aws" / "config").unlink()
    assert Account(builders.environment(aws={"region": "eu-west-1"})).expiry is None
