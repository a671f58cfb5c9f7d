"""What AWS refuses, in words that name the cause."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import builders
import pytest
from botocore.exceptions import ClientError, RefreshWithMFAUnsupportedError

from deploy.aws.api.errors import Translator
from deploy.errors import BadInput, CredentialsRefused, DeployError


def translated(code: str, message: str, ahead_seconds: float | None) -> tuple[DeployError, int]:
    """Our error for AWS's, whose answer has a Date; how often credentials were forgotten."""
    metadata: dict[str, Any] = {}
    if ahead_seconds is not None:
        metadata["HTTPHeaders"] = {"date": formatdate(time.time() - ahead_seconds, usegmt=True)}
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    forgotten: list[None] = []
    translator = Translator(builders.environment().aws, lambda: forgotten.append(None))
    error = translator.translated(
        ClientError(answer, "GetCallerIdentity"), "AWS (sts.x)", is_answered=True
    )
    return error, len(forgotten)


@pytest.mark.parametrize(
    ("code", "ahead_seconds", "said"),
    [
        ("SignatureDoesNotMatch", 900, "clock is 15 min ahead: SignatureDoesNotMatch: Signature x"),
        ("RequestExpired", -7200, "clock is 120 min behind: RequestExpired: Signature x"),
        ("AuthFailure", 400, "clock is 7 min ahead"),
        ("RequestTimeTooSkewed", 600, "clock is 10 min ahead"),
    ],
)
def test_a_wrong_clock_is_named_with_awss_own_words(
    code: str, ahead_seconds: float, said: str
) -> None:
    error, forgotten = translated(code, "Signature x", ahead_seconds)
    assert type(error) is BadInput
    assert said in str(error)
    assert "timedatectl" in str(error)
    assert not forgotten


EXPIRED = (
    "Signature expired: 20261129T120000Z is now earlier than 20261129T121000Z "
    "(20261129T121500Z - 5 min.)"
)
EARLY = (
    "Signature not yet current: 20261129T123000Z is still later than 20261129T122000Z "
    "(20261129T121500Z + 5 min.)"
)


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("SignatureDoesNotMatch", EXPIRED, "clock is 15 min behind"),
        ("SignatureDoesNotMatch", EARLY, "clock is 15 min ahead"),
        ("RequestTimeTooSkewed", "The difference is too large.", "clock is wrong"),
        ("RequestInTheFuture", "", "clock is wrong"),
    ],
)
def test_a_wrong_clock_is_named_where_a_proxy_took_the_date_away(
    code: str, message: str, said: str
) -> None:
    error, forgotten = translated(code, message, None)
    assert type(error) is BadInput
    assert f"{said}: {code}: {message}" in str(error)
    assert "aws sso login" not in str(error)
    assert not forgotten


@pytest.mark.parametrize(
    "message",
    [
        "The security token included in the request is expired",
        "Signature expired: 20261129T120000Z",
        "Signature expired: 20261199T120000Z is now earlier than 20261199T121500Z",
        EXPIRED.replace("T120000Z", "T121400Z"),
    ],
)
def test_awss_own_words_are_shown_where_credentials_are_refused(message: str) -> None:
    error, forgotten = translated("SignatureDoesNotMatch", message, None)
    assert isinstance(error, CredentialsRefused)
    assert f"SignatureDoesNotMatch: {message}; renew them" in str(error)
    assert forgotten == 1


@pytest.mark.parametrize("operation", ["AssumeRole", "GetRoleCredentials"])
def test_a_busy_login_is_tried_again_and_is_named(operation: str) -> None:
    answer: Any = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}
    translator = Translator(builders.environment().aws, lambda: None)
    error = translator.translated(ClientError(answer, operation), "AWS (x)", is_answered=True)
    assert error.may_pass
    assert f"{operation}): Throttling: Rate exceeded" in str(error)


def test_a_session_that_only_a_code_renews_is_over() -> None:
    forgotten: list[None] = []
    translator = Translator(builders.environment().aws, lambda: forgotten.append(None))
    error = translator.translated(RefreshWithMFAUnsupportedError(), "AWS (x)", is_answered=False)
    assert isinstance(error, CredentialsRefused)
    assert "the AWS session is over, and a new one needs an MFA code" in str(error)
    assert forgotten == [None]


@pytest.mark.parametrize("ahead_seconds", [None, 0, 120])
def test_with_a_right_clock_it_is_the_credentials(ahead_seconds: float | None) -> None:
    error, forgotten = translated("SignatureDoesNotMatch", "Signature x", ahead_seconds)
    assert isinstance(error, CredentialsRefused)
    assert "clock" not in str(error)
    assert forgotten == 1


@pytest.mark.parametrize(
    ("code", "may_pass"),
    [("HealthUnavailable", True), ("Throttling", True), ("TargetGroupNotFound", False)],
)
def test_what_may_pass_is_tried_again(code: str, may_pass: bool) -> None:
    error, _ = translated(code, "x", None)
    assert error.may_pass is may_pass
