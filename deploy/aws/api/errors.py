"""Errors of the AWS API and of botocore, in words that say what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from deploy.aws.api import skew
from deploy.aws.api.answers import LONGEST_TEXT
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
REFUSED_TIMES = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
LOGINS = {"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "GetRoleCredentials": "sso"}
"""The calls that botocore makes to get credentials, with their service."""
PASSING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
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
                    f"be read: {_shortened(cause)}; repair that file"
                )
            case HTTPClientError() if is_unexpected(error):
                return UnexpectedAnswer(f"{where}: {error.kwargs['error']}")
        if (refused := self._of_credentials(error)) is not None:
            return refused
        if isinstance(error, BotoCoreError):
            code = type(error).__name__
            return ApiError(f"{where}: {visible(error)}", code, may_pass=code in PASSING)
        if isinstance(error, ResponseParserError) or is_answered:
            return UnexpectedAnswer(
                f"{where}: the answer cannot be read, so it is not AWS's own "
                f"({type(error).__name__}: {_shortened(error)}); if something stands between "
                "here and AWS (a proxy, a captive portal), look there, and try again"
            )
        # A profile's `credential_process` may be missing, and `endpoint_url` no URL.
        return BadInput(
            f"{where} could not be called{self._of_profile}: {visible(error)}; check `aws:` in "
            "fabric.yaml, and the profile in ~/.aws/config"
        )

    @property
    def _of_profile(self) -> str:
        return f" for profile {self._aws.profile!r}" if self._aws.profile else ""

    @property
    def _login(self) -> str:
        return f"`aws sso login{f' --profile {self._aws.profile}' if self._aws.profile else ''}`"

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
                f"{where} refuses the credentials{self._of_profile}: {code}: {said}; renew them, "
                f"for example with {self._login}, and run the same command again"
            )
        if service and code not in PASSING:
            self._forget()
            return CredentialsRefused(
                f"{where} gives no session of the role{self._of_profile}: {code}: {said}",
                "If an MFA code was asked for, check it: each is taken once. Else check that the "
                "role exists, and that its trust policy and your own permissions let you take it.",
            )
        if code in DENIED:
            return NotAllowed(
                f"{where}: not allowed{self._of_profile}: {said or code}; docs/permissions.md in "
                "Changeover's repository has the policy that is needed",
                error.operation_name,
                said,
            )
        return ApiError(f"{where}: {code}: {said}", code, may_pass=code in PASSING)

    def _of_credentials(self, error: Exception) -> BadInput | None:
        """What keeps the credentials from being had; None for another error."""
        profile, login = self._of_profile, self._login
        match error:
            case NoCredentialsError() | PartialCredentialsError():
                return BadInput(
                    f"no AWS credentials{profile}: log in with {login}, set AWS_PROFILE, "
                    "or name a profile in fabric.yaml under `aws:`"
                )
            case ProfileNotFound():
                return BadInput(
                    f"AWS profile {error.kwargs.get('profile', self._aws.profile)!r} does not "
                    "exist; `aws configure list-profiles` shows those that do"
                )
            case NoRegionError():
                return BadInput("no AWS region: set `region:` under `aws:` in fabric.yaml")
            case EOFError():
                return BadInput(
                    f"AWS credentials{profile} need an MFA code, and there is no terminal to type "
                    "it on: get a session first (`aws sts get-session-token`), or use a profile "
                    "without MFA"
                )
            case TokenRetrievalError() | CredentialRetrievalError():
                said = f"AWS credentials{profile} could not be had: {visible(error)}"
            case RefreshWithMFAUnsupportedError():
                said = (
                    f"the AWS session{profile} is over, and a new one needs an MFA code: run the "
                    "same command again, which asks for it"
                )
            case SSOError() | UnauthorizedSSOTokenError():
                said = f"the AWS login{profile} is over: run {login}"
            case RuntimeError() if not isinstance(error, RecursionError):
                # Keys of the environment are read once: botocore finds them expired there again.
                said = (
                    f"AWS credentials{profile} could not be renewed: {_shortened(error)}; export "
                    f"new ones, or use a profile and {login}"
                )
            case _:
                return None
        self._forget()
        return CredentialsRefused(said)


def is_unexpected(error: object) -> bool:
    """Whether an answer was given up because it was too long or did not end."""
    return isinstance(error, HTTPClientError) and isinstance(
        error.kwargs.get("error"), UnexpectedAnswer
    )


def _line_of(error: object) -> str:
    """`:7` for the line that Python's configparser could not read, where it names one."""
    all_ = getattr(error, "errors", None) or [(getattr(error, "lineno", None),)]
    return f":{all_[0][0]}" if all_[0][0] else ""


def _shortened(error: object) -> str:
    """An error's first line; a parser's may quote all that it was given."""
    lines = str(error).splitlines() or [""]
    return visible(lines[0], 200)
