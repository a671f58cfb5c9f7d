"""What AWS refuses, in words that name the cause."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
from email.utils import formatdate
from typing import Any

import botocore.exceptions
import builders
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    MissingDependencyException,
    RefreshWithMFAUnsupportedError,
    SSLError,
)
from urllib3.exceptions import LocationParseError

from deploy.aws.api import credential_errors, network
from deploy.aws.api.errors import Translator
from deploy.errors import ApiError, BadInput, CredentialsRefused, DeployError


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


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TooManyRequestsException", 400),
        ("RequestThrottled", 400),
        ("Unavailable", 400),
        ("UnknownError", 429),
        ("UnknownError", 503),
    ],
)
def test_an_overloaded_service_may_pass_whatever_its_code(code: str, status: int) -> None:
    answer: Any = {
        "Error": {"Code": code, "Message": "x"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    for operation in ("RegisterTargets", "GetRoleCredentials", "AssumeRoleWithWebIdentity"):
        error = of(ClientError(answer, operation))
        assert error.may_pass
        assert not isinstance(error, BadInput), "an answer about credentials"


def test_control_another_code_with_another_status_stays() -> None:
    answer: Any = {
        "Error": {"Code": "UnknownError", "Message": "x"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    assert not of(ClientError(answer, "RegisterTargets")).may_pass


def of(raised: Exception) -> DeployError:
    """Our error for a foreign one, of a call that got no answer."""
    translator = Translator(builders.environment().aws, lambda: None)
    return translator.translated(raised, "AWS (x)", is_answered=False)


def test_p7_credentials_that_no_header_carries_are_not_shown() -> None:
    """http.client's own text repeats the header, which has the session token."""
    session = "IQoJb3JpZ2luX2VjE"
    error = of(HTTPClientError(error=ValueError(f"Invalid header value {session!r}")))
    assert type(error) is BadInput
    assert session not in str(error)
    assert "a line break at the end" in str(error)


@pytest.mark.parametrize(
    "address", ["http://proxy.corp:abc", "http://[proxy", "http://me:secret#2024@proxy:3128", ":::"]
)
def test_p7_a_proxys_address_that_cannot_be_read_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    error = of(HTTPClientError(error=LocationParseError(address)))
    assert type(error) is BadInput
    assert "the address in HTTPS_PROXY cannot be read" in str(error)
    assert "credentials" not in str(error)
    assert address not in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "address", ["", "proxy:3128", "http://me:pass@proxy.corp", "http://[::1]:9"]
)
def test_control_a_proxys_address_that_can_be_read_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    assert "HTTPS_PROXY" not in str(of(HTTPClientError(error=ValueError("another"))))


CHECKS = {
    "of the region": ("EndpointConnectionError", {}, "the region under `aws:`"),
    "of another service's endpoint": (
        "EndpointConnectionError",
        {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"},
        "the region under `aws:`",
    ),
    "of a proxy": (
        "ProxyConnectionError",
        {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "x", "ALL_PROXY": "x"},
        "the proxy in HTTPS_PROXY, and",
    ),
    "of an endpoint": (
        "EndpointConnectionError",
        {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9/", "AWS_ENDPOINT_URL": ""},
        "AWS_ENDPOINT_URL_STS, which names that address",
    ),
    "of the settings": ("ProfileNotFound", {}, "`aws:` in fabric.yaml, and ~/.aws/config"),
}


@pytest.mark.parametrize(("code", "environ", "check"), CHECKS.values(), ids=CHECKS)
def test_what_decides_the_way_to_aws_is_what_to_check(
    code: str, environ: dict[str, str], check: str
) -> None:
    error = ApiError("http://127.0.0.1:9/ is silent", code, may_pass=code != "ProfileNotFound")
    assert network.to_check(error, environ).startswith(check)


def test_an_older_botocore_without_aws_login_is_enough() -> None:
    """The lower bound of boto3 has no LoginError, and the import of the product failed."""
    assert all(issubclass(kind, BotoCoreError) for kind in credential_errors.LOGIN_ERRORS)
    script = (
        "import botocore.exceptions as e; vars(e).pop('LoginError', None); "
        "import deploy.aws.api.errors"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_tls_that_a_proxy_opens_or_a_ca_that_is_missing_names_the_variable() -> None:
    verify = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    for cause in (verify, FileNotFoundError(2, "No such file")):
        error = of(SSLError(endpoint_url="https://x", error=Exception(cause)))
        assert type(error) is BadInput
        assert "AWS_CA_BUNDLE" in str(error)


def test_control_a_tls_connection_that_broke_may_come_about_again() -> None:
    error = of(SSLError(endpoint_url="https://x", error=Exception(ssl.SSLEOFError(8, "EOF"))))
    assert error.may_pass
    assert "AWS_CA_BUNDLE" not in str(error)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "UnrecognizedClientException"])
def test_credentials_that_a_region_does_not_know_may_be_of_another_one(code: str) -> None:
    error, _ = translated(code, "The security token included in the request is invalid", 0)
    assert isinstance(error, CredentialsRefused)
    assert "check that the region is right" in str(error)
    assert "region" not in str(translated("ExpiredToken", "x", 0)[0])


def test_a_web_identity_that_is_over_is_renewed_by_its_issuer() -> None:
    answer: Any = {"Error": {"Code": "ExpiredTokenException", "Message": "Token expired"}}
    text = str(of(ClientError(answer, "AssumeRoleWithWebIdentity")))
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in text
    assert "sso" not in text


def test_what_only_aws_can_decode_of_a_denial_is_not_shown() -> None:
    said = f"You are not authorized. Encoded authorization failure message: {'x' * 1000}"
    text = str(translated("UnauthorizedOperation", said, None)[0])
    assert "not allowed: You are not authorized.; docs/permissions.md" in text


def test_a_login_by_aws_login_says_what_it_needs() -> None:
    lacking = of(MissingDependencyException(msg='pip install "botocore[crt]" before.'))
    assert 'eval "$(aws configure export-credentials --format env)"' in str(lacking)
    kind = getattr(botocore.exceptions, "LoginRefreshRequired", None)
    if kind is None:
        pytest.skip("this botocore knows no `aws login`")
    over = of(kind())
    assert isinstance(over, CredentialsRefused)
    assert "run `aws login`" in str(over)
