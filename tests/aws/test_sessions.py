"""Sessions of roles are shared with the AWS CLI, asked for once, and their ends are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deploy.aws.api import credential_process, lifetime
from deploy.aws.api.account import Account
from deploy.aws.api.lifetime import Lifetime
from deploy.errors import BadInput, CredentialsRefused

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
    account.log_in()
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


VARIABLES: dict[str, tuple[dict[str, str], Lifetime]] = {
    "a token without an end": (KEYS, lifetime.UNKNOWN),
    "a token with its end": (
        KEYS | {"AWS_CREDENTIAL_EXPIRATION": ENDS.isoformat()},
        Lifetime(ENDS),
    ),
    "keys of a user": (KEYS | {"AWS_SESSION_TOKEN": ""}, lifetime.RENEWED),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_keys_of_the_environment_end_when_they_say_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert home
    variables, expected = VARIABLES[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    account = Account(builders.environment(aws={"region": "eu-west-1"}))
    assert account.lifetime == expected


class Person:
    """Who types the code of a second factor, and counts how often."""

    def __init__(self, code: str = "123456") -> None:
        self.code, self.asked = code, list[str]()

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.code


class Clock:
    """botocore's, which a test puts forward."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    typing = Person()
    monkeypatch.setattr("getpass.getpass", typing)
    return typing


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr("botocore.credentials._local_now", own)
    return own


FACTOR = "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"


def with_factor(home: Path) -> Account:
    """An account whose profile takes a role with a second factor."""
    (home / ".aws" / "config").write_text(CONFIG + FACTOR)
    return Account(builders.environment(aws={"profile": "deployer"}))


def test_a_session_with_a_second_factor_is_used_to_its_very_end(
    home: Path, person: Person, clock: Clock
) -> None:
    """From 10 minutes before it on, botocore alone would raise RefreshWithMFAUnsupportedError."""
    account = with_factor(home)
    account.log_in()
    ends = account.lifetime.ends
    assert ends is not None
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
    clock.ahead = timedelta(minutes=51)
    for _ in range(3):
        assert "assumed-role/deployer" in account.verify()
    assert person.asked == ["Enter MFA code for arn:aws:iam::123456789012:mfa/me: "]
    assert account.lifetime.ends == ends


def test_an_mfa_code_is_asked_for_once_and_never_after_the_login(
    home: Path, person: Person
) -> None:
    """Later a screen is drawn, and hosts may be out of service."""
    account = with_factor(home)
    account.log_in()
    account.log_in()
    account.verify()
    account.call("ec2", "describe_instances")
    account._forget()
    with pytest.raises(CredentialsRefused, match="run the same command again"):
        account.verify()
    assert len(person.asked) == 1


@pytest.mark.parametrize("waiting", [b"", b"next line of a script\n", b"123456\n"])
def test_without_a_terminal_nothing_is_read_in_place_of_a_code(waiting: bytes) -> None:
    """Case 29: a pipe without an end was waited for, and a CI job's script lost a line to it."""
    reading, writing = os.pipe()
    os.write(writing, waiting)
    program = "from deploy.aws.api.sessions import Factor; Factor()('Enter MFA code: ')"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdin=reading,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # without the terminal that the tests may have
        timeout=60,
    )
    os.close(writing)
    assert os.read(reading, 100) == waiting
    os.close(reading)
    assert ended.stderr.splitlines()[-1] == "EOFError"


def test_a_session_that_was_renewed_in_another_terminal_is_used(home: Path, person: Person) -> None:
    account = with_factor(home)
    account.log_in()
    before = account._session_core.get_credentials().access_key
    account._forget()
    (file,) = (home / ".aws/cli/cache").iterdir()
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | {"Credentials": renewed(value["Credentials"])}))
    account.verify()
    found = account._session_core.get_credentials().access_key
    assert (before == found, found) == (False, "ASIARENEWED")
    assert len(person.asked) == 1


def renewed(credentials: dict[str, str]) -> dict[str, str]:
    return credentials | {"AccessKeyId": "ASIARENEWED"}


def test_a_refusal_of_an_old_session_does_not_drop_the_new_one(home: Path) -> None:
    """Of several threads, each with a call under way, the first reads the credentials anew."""
    assert home
    account = Account(builders.environment(aws={"profile": "deployer"}))
    account.log_in()
    account._forget()
    thread = threading.Thread(target=account.verify)
    thread.start()
    thread.join()
    current = account._session_core
    account._forget()  # of this thread's own call, which began before
    assert account._session_core is current


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "\u0661" * 6])
def test_what_cannot_be_an_mfa_code_is_not_sent(home: Path, person: Person, code: str) -> None:
    person.code = code
    with pytest.raises(BadInput, match="an MFA code has 6 digits"):
        with_factor(home).log_in()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code."),
        ("AccessDenied", "User: me is not authorized to perform: sts:AssumeRole on deployer"),
        ("ValidationError", "1 validation error detected"),
    ],
)
def test_a_role_that_is_not_given_is_named_with_awss_own_words(
    home: Path, person: Person, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": said}}, "AssumeRole")

    account = with_factor(home)
    fetcher = "botocore.credentials.AssumeRoleCredentialFetcher._create_client"
    monkeypatch.setattr(fetcher, lambda _: SimpleNamespace(assume_role=refuse))
    with pytest.raises(BadInput) as refused:
        account.log_in()
    shown = str(refused.value)
    assert (
        f"AWS (sts.AssumeRole) gives no session of the role for profile 'deployer': {code}: "
        in (shown)
    )
    assert said in shown
    assert "MFA code" in shown
    assert "trust policy" in shown
    assert "get_caller_identity" not in shown
    assert "permissions.md" not in shown
    assert len(person.asked) == 1


@pytest.mark.parametrize("file", ["config", "credentials"])
def test_a_configuration_that_cannot_be_read_is_refused_by_name(home: Path, file: str) -> None:
    (home / ".aws" / file).write_text("[profile deployer\nregion = eu-west-1\n")
    with pytest.raises(BadInput, match=rf"/\.aws/{file}:1 cannot be read: ") as refused:
        Account(builders.environment(aws={"profile": "deployer"})).log_in()
    assert "defect" not in str(refused.value)
    assert "repair that file" in str(refused.value)


def test_a_configuration_that_is_spoiled_meanwhile_leaves_the_session_as_it_is(home: Path) -> None:
    account = Account(builders.environment(aws={"profile": "deployer"}))
    account.log_in()
    (home / ".aws" / "config").write_text("[profile")
    account._forget()
    assert "assumed-role/deployer" in account.verify()


def test_p7_a_role_is_not_taken_at_an_endpoint_that_is_refused(
    home: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")
    fetcher = "botocore.credentials.AssumeRoleCredentialFetcher._create_client"
    monkeypatch.setattr(fetcher, lambda _: pytest.fail("it was to be taken"))
    for act in (Account.log_in, Account.verify):
        with pytest.raises(BadInput, match="AWS_ENDPOINT_URL"):
            act(with_factor(home))
    assert person.asked == []


def test_a_damaged_file_of_the_cache_is_no_session(home: Path) -> None:
    verified()
    (file,) = (home / ".aws/cli/cache").iterdir()
    for text in ("", "[]", '{"Credentials": 1}', '{"Credentials": {"AccessKeyId": "x"}}'):
        file.write_text(text)
        assert verified()[1] == 1


def test_a_role_without_a_second_factor_is_renewed(home: Path) -> None:
    assert home
    account = Account(builders.environment(aws={"profile": "deployer"}))
    account.log_in()
    assert account.lifetime == lifetime.RENEWED


def test_a_role_by_a_source_with_a_second_factor_ends_when_nothing_renews_it(
    home: Path, person: Person
) -> None:
    chained = "[profile top]\nrole_arn = arn:aws:iam::123456789012:role/top\n"
    chained += "source_profile = deployer\nregion = eu-west-1\n"
    (home / ".aws" / "config").write_text(CONFIG + FACTOR + chained)
    account = Account(builders.environment(aws={"profile": "top"}))
    account.log_in()
    ends = account.lifetime.ends
    assert ends is not None
    assert timedelta(minutes=49) < ends - datetime.now(UTC) <= timedelta(minutes=50)
    assert len(person.asked) == 1


def test_a_token_in_the_credentials_file_ends_when_its_profile_says_so(home: Path) -> None:
    lines = [
        "[tool]",
        "aws_access_key_id = x",
        "aws_secret_access_key = x",
        "aws_session_token = x",
    ]
    file = home / ".aws" / "credentials"
    file.write_text("\n".join([*lines, f"x_security_token_expires = {ENDS.isoformat()}", ""]))
    aws = {"profile": "tool", "region": "eu-west-1"}
    assert Account(builders.environment(aws=aws)).lifetime == Lifetime(ENDS)
    file.write_text("\n".join([*lines, ""]))
    assert Account(builders.environment(aws=aws)).lifetime == lifetime.UNKNOWN


def test_without_credentials_nothing_ends(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (home / ".aws" / "config").unlink()
    account = Account(builders.environment(aws={"region": "eu-west-1"}))
    account.log_in()
    assert account.lifetime == lifetime.RENEWED


BY_ROLE = """
[profile deployer]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/deployer
source_profile = source
"""


@pytest.mark.parametrize("is_source", [False, True])
def test_a_credential_process_without_an_end_ends_no_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_source: bool
) -> None:
    """Also where a child of its own keeps its output open."""
    monkeypatch.setattr(credential_process, "MOST_SECONDS", 0.3)
    (home / "helper").write_text("#!/bin/sh\nsleep 60 &\nsleep 60\n")
    (home / "helper").chmod(0o700)
    name = "source" if is_source else "deployer"
    config = f"[profile {name}]\nregion=eu-west-1\ncredential_process = {home}/helper\n"
    (home / ".aws" / "config").write_text(config + BY_ROLE * is_source)
    began = time.monotonic()
    with pytest.raises(CredentialsRefused, match=r"helper did not end within 0\.3 s"):
        Account(builders.environment(aws={"profile": "deployer"})).log_in()
    assert time.monotonic() - began < 20


def test_control_a_credential_process_that_ends_gives_credentials(home: Path) -> None:
    keys = '{"Version": 1, "AccessKeyId": "testing", "SecretAccessKey": "testing"}'
    (home / "helper").write_text(f"#!/bin/sh\necho '{keys}'\n")
    (home / "helper").chmod(0o700)
    config = f"[profile deployer]\nregion=eu-west-1\ncredential_process = {home}/helper\n"
    (home / ".aws" / "config").write_text(config)
    assert Account(builders.environment(aws={"profile": "deployer"})).verify()
