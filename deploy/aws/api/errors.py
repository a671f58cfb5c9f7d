"""Errors of the AWS API and of botocore, in words that say what to do next."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from deploy.aws.api import credential_errors, network, skew
from deploy.aws.api.answers import LONGEST_TEXT
from deploy.aws.api.credential_errors import first_line, in_one_line
from deploy.errors import (
    ApiError,
    BadInput,
    CredentialsRefused,
    DeployError,
    NotAllowed,
    UnexpectedAnswer,
    Unreachable,
)
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.settings.environment import Aws

REFUSED_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "AuthFailure",
        "SignatureDoesNotMatch",
    }
)
NOT_KNOWN_THERE = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"})
"""Of those, what a region answers too that does not know the credentials at all: one that the
account has not enabled, or of another partition (IAM user guide, "Manage AWS STS in a Region").
"""
REFUSED_TIMES = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
OF_WEB_IDENTITY = "AssumeRoleWithWebIdentity"
LOGINS = {"AssumeRole": "sts", OF_WEB_IDENTITY: "sts", "GetRoleCredentials": "sso"}
"""The calls that botocore makes to get credentials, with their service."""
PASSING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "SlowDown",
        "IDPCommunicationError",
        "ResourceContention",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "Unavailable",
        "InternalError",
        "InternalFailure",
        "HealthUnavailable",
        "500",
        "502",
        "503",
        "504",
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ProxyConnectionError",
        "HTTPClientError",
    }
)
PASSING_STATUS = frozenset({429, 500, 502, 503, 504})
"""The HTTP statuses of such answers, whatever code a service has for them."""
ENCODED = "Encoded authorization failure message"
"""What begins a thousand characters that only `aws sts decode-authorization-message` reads."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class Translator:
    """Makes foreign errors ours.

    aws: the environment's `aws:` keys; forget: called where credentials were refused, so that
    renewed ones are read.
    """

    def __init__(self, aws: Aws, forget: Callable[[], None]) -> None:
        self._aws = aws
        self._forget = forget

    def translated(  # noqa: PLR0911 - a table of errors
        self, error: Exception, where: str, *, is_answered: bool
    ) -> DeployError:
        """Return our error for a foreign one.

        where: the call and its region, as the message begins; is_answered: whether an answer came.
        """
        match error:
            case ClientError():
                return self._of_answer(error, where)
            case EndpointConnectionError() | ConnectTimeoutError() if self._aws.endpoint_url:
                return Unreachable(
                    f"the AWS API at {self._aws.endpoint_url} does not answer; if this is the lab, "
                    "start it with `inv lab.up`"
                )
            case ConfigParseError():
                cause = error.kwargs.get("error", error)
                return BadInput(
                    f"{visible(error.kwargs.get('path', '~/.aws/config'))}{_line_of(cause)} cannot "
                    f"be read: {first_line(cause)}; repair that file"
                )
            case HTTPClientError() if refused := self._of_transport(error, where):
                return refused
            case SSLError():
                return _of_tls(error, where)
        if (refused := credential_errors.of(error, self._aws.profile)) is not None:
            if refused.may_pass:
                self._forget()
            return refused
        if isinstance(error, BotoCoreError):
            code = type(error).__name__
            return ApiError(f"{where}: {in_one_line(error)}", code, may_pass=code in PASSING)
        if isinstance(error, ResponseParserError) or is_answered:
            return UnexpectedAnswer(
                f"{where}: the answer cannot be read, so it is not AWS's own "
                f"({type(error).__name__}: {first_line(error)}); if something stands between "
                "here and AWS (a proxy, a captive portal), look there, and try again"
            )
        return credential_errors.unforeseen(error, where, self._aws.profile)

    def _of_transport(self, error: HTTPClientError, where: str) -> DeployError | None:
        """What kept a request or its answer from its way; None for what may pass."""
        if is_unexpected(error):
            return UnexpectedAnswer(f"{where}: {error.kwargs['error']}")
        cause = error.kwargs.get("error")
        if isinstance(cause, ValueError) and "header" in str(cause).lower():
            # The text has the header: a session token is one.
            return BadInput(
                f"the AWS credentials{self._of_profile} hold a character that cannot be sent, such "
                "as a line break at the end, with which a CI system may have stored them: store "
                "them without it"
            )
        return network.of_proxy(where, os.environ) if isinstance(cause, ValueError) else None

    @property
    def _of_profile(self) -> str:
        return credential_errors.of_profile(self._aws.profile)

    def _of_answer(self, error: ClientError, where: str) -> DeployError:
        """An error that AWS answered with."""
        given = error.response.get("Error", {})
        code = visible(given.get("Code", "unknown"), LONGEST_TEXT)
        said = visible(given.get("Message", ""), LONGEST_TEXT)
        # botocore takes roles on its own, in the middle of any call.
        service = LOGINS.get(error.operation_name)
        where = f"AWS ({service}.{error.operation_name})" if service else where
        if code in REFUSED_CREDENTIALS | REFUSED_TIMES:
            seconds_ahead = skew.seconds_ahead(error.response, said)
            if abs(seconds_ahead) >= skew.MOST_SECONDS or code in REFUSED_TIMES:
                return BadInput(
                    f"{where} refuses the signature, since this workstation's clock is "
                    f"{skew.in_words(seconds_ahead)}: {code}: {said}; set the clock "
                    "(`timedatectl set-ntp true`), and run the same command again"
                )
            self._forget()
            return CredentialsRefused(
                f"{where} refuses the credentials{self._of_profile}: {code}: {said}; renew them"
                f"{self._way_to_renew(code, error.operation_name)}"
            )
        may_pass = code in PASSING or _status(error) in PASSING_STATUS
        if service and not may_pass:
            self._forget()
            return CredentialsRefused(
                f"{where} gives no session of the role{self._of_profile}: {code}: {said}",
                "If an MFA code was asked for, check it: each is taken once. Else check that the "
                "role exists, and that its trust policy and your own permissions let you take it.",
            )
        if code in DENIED:
            said = said.partition(ENCODED)[0].strip()
            return NotAllowed(
                f"{where}: not allowed{self._of_profile}: {said or code}; docs/permissions.md in "
                "Changeover's repository has the policy that is needed",
                error.operation_name,
                said,
            )
        return ApiError(f"{where}: {code}: {said}", code, may_pass=may_pass)

    def _way_to_renew(self, code: str, operation: str) -> str:
        """How credentials that were refused are renewed, as the end of a sentence."""
        again = "and run the same command again"
        if operation == OF_WEB_IDENTITY:
            return (
                f": let the issuer write a new token into the file of AWS_WEB_IDENTITY_TOKEN_FILE, "
                f"or of the profile, {again}"
            )
        way = f", for example with {credential_errors.login(self._aws.profile)}, {again}"
        if code in NOT_KNOWN_THERE:
            return (
                f"{way}. If they are new, check that the region is right: one that the account "
                "has to enable first, or of China or GovCloud, does not know others"
            )
        return way


def _status(error: ClientError) -> object:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def _of_tls(error: SSLError, where: str) -> DeployError:
    """A TLS connection that did not come about; one that only broke may come about again."""
    causes: tuple[object, ...] = getattr(error.kwargs.get("error"), "args", ())
    said = f"{where}: {in_one_line(error)}"
    if any(isinstance(cause, ssl.SSLEOFError) for cause in causes):
        return ApiError(said, type(error).__name__, may_pass=True)
    return BadInput(
        f"{said}; if a proxy of your network opens TLS, name the file with its CA in "
        "AWS_CA_BUNDLE; if that or the profile's `ca_bundle` names one, check the file"
    )


def is_unexpected(error: object) -> bool:
    """Whether an answer was given up because it was too long or did not end."""
    return isinstance(error, HTTPClientError) and isinstance(
        error.kwargs.get("error"), UnexpectedAnswer
    )


def _line_of(error: object) -> str:
    """`:7` for the line that Python's configparser could not read, where it names one."""
    all_ = getattr(error, "errors", None) or [(getattr(error, "lineno", None),)]
    return f":{all_[0][0]}" if all_[0][0] else ""
