"""Errors of the AWS API and of botocore, in words that say what to do next."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

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
MOST_SKEW_SECONDS = 240
"""AWS refuses a signature that is 5 minutes away from its own time."""
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
        seconds_ahead = _seconds_ahead(error.response)
        if code in REFUSED_CREDENTIALS | REFUSED_TIMES and abs(seconds_ahead) >= MOST_SKEW_SECONDS:
            return BadInput(
                f"{where} refuses the signature, since this workstation's clock is "
                f"{abs(seconds_ahead) / 60:.0f} min {'ahead' if seconds_ahead > 0 else 'behind'}: "
                f"{code}: {said}; set the clock (`timedatectl set-ntp true`), and run the same "
                "command again"
            )
        if code in REFUSED_CREDENTIALS:
            self._forget()
            return CredentialsRefused(
                f"{where} refuses the credentials{self._of_profile}: {code}; renew them, "
                f"for example with {self._login}, and run the same command again"
            )
        if code in DENIED:
            return NotAllowed(
                f"{where}: not allowed{self._of_profile}: {said or code}; docs/permissions.md in "
                "Changeover's repository has the policy that is needed"
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


def _seconds_ahead(response: Any) -> float:
    """How far our clock is ahead of AWS's, by its answer's Date; 0 where that is not known."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0.0
    return time.time() - theirs


def is_unexpected(error: object) -> bool:
    """Whether an answer was given up because it was too long or did not end."""
    return isinstance(error, HTTPClientError) and isinstance(
        error.kwargs.get("error"), UnexpectedAnswer
    )


def _shortened(error: Exception) -> str:
    """An error's first line; a parser's may quote all that it was given."""
    lines = str(error).splitlines() or [""]
    return visible(lines[0], 200)
