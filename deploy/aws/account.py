"""The AWS account that an environment lives in: every API call goes through here."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
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

from deploy.aws import transport
from deploy.aws.answers import LONGEST_TEXT, Answer
from deploy.errors import BadInput, BalancerError, DeployError, UnexpectedAnswer, Unreachable
from deploy.foreign_text import visible
from deploy.settings import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.settings.environment import Environment

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
PASSING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "InternalError",
        "InternalFailure",
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
WRITES = frozenset({"RegisterTargets", "DeregisterTargets"})
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class ApiError(BalancerError):
    """AWS answered a call with an error; `code` is AWS's own word for it."""

    blames_release = False

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.may_pass = code in PASSING


class CredentialsRefused(BadInput):
    """AWS does not take the credentials; renewed ones are read at the next call."""

    may_pass = True


class Account:
    """Clients of one account and region, made on first use and shared by all threads.

    confirm: called before each write is sent, each time that it is tried; what it raises is
    raised in place of the write. AWS knows no lock of ours, and a workstation may sleep at any
    instant: so the last look at the lock comes as late as can be.
    """

    def __init__(self, environment: Environment) -> None:
        """Take the environment's `aws:` keys; empty ones follow the AWS tools' own settings."""
        transport.bound_answers()
        self.confirm: Callable[[], object] = lambda: None
        self._aws = environment.aws
        self._credentials_file = (
            str(environment.path(environment.aws.credentials_file))
            if environment.aws.credentials_file
            else ""
        )
        self._lock = threading.Lock()
        self._progress = threading.local()
        self._clients: dict[str, Any] = {}
        self._session_core = self._fresh()

    def _fresh(self) -> botocore.session.Session:
        core = botocore.session.Session(profile=self._aws.profile)
        if self._credentials_file:
            core.set_config_variable("credentials_file", self._credentials_file)
        return core

    def _forget(self) -> None:
        """Credentials that ran out half way may be renewed meanwhile: read them anew."""
        with self._lock:
            self._clients.clear()
            self._session_core = self._fresh()

    @property
    def region(self) -> str:
        """The region in force."""
        try:
            default = self._session_core.get_config_variable("region")
        except ProfileNotFound:  # reported by the first call
            default = None
        return str(self._aws.region or default or "none")

    def verify(self) -> str:
        """Ask AWS who we are; BadInput when it refuses the credentials or cannot be reached."""
        try:
            answer = self.call("sts", "get_caller_identity")
            caller = Answer("sts.get_caller_identity", answer).text("Arn")
        except ApiError as error:
            check = "`aws:` in fabric.yaml, and ~/.aws/config"
            if error.may_pass or "Region" in error.code:
                check = "the region under `aws:` in fabric.yaml, and your network"
            raise BadInput(f"{error}; check {check}") from error
        except UnexpectedAnswer as error:
            raise BadInput(str(error)) from error
        return caller

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one API call; boto3's standard retries cover throttling and short outages.

        Raises a DeployError for whatever goes wrong, and nothing else.
        """
        with self._translating(service, operation):
            answer: dict[str, Any] = getattr(self._client(service), operation)(**arguments)
        return answer

    def items(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[object]:
        """All items of a paged call, from every page; errors are those of `call`."""
        with self._translating(service, operation):
            paginator = self._client(service).get_paginator(operation)
            pages = iter(paginator.paginate(**arguments))
        while True:
            with self._translating(service, operation):
                page = next(pages, None)
            if page is None:
                return
            yield from Answer(f"{service}.{operation}", page).items(key)

    @contextmanager
    def _translating(self, service: str, operation: str) -> Iterator[None]:
        """The one place where foreign errors become ours, unexpected ones included."""
        self._progress.is_answered = False
        try:
            yield
        except DeployError:
            raise  # of the lock, which is asked before a write is sent
        except Exception as error:
            raise self._translated(error, service, operation) from error

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                session = boto3.Session(
                    botocore_session=self._session_core, region_name=self._aws.region
                )
                client = session.client(
                    service,
                    endpoint_url=self._aws.endpoint_url,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": 6},
                        connect_timeout=5,
                        read_timeout=20,
                        max_pool_connections=16,
                    ),
                )
                client.meta.events.register("before-parse", self._before_parse)
                client.meta.events.register_first("needs-retry", _is_retried)
                if problem := endpoint.problem(client.meta.endpoint_url):
                    raise BadInput(
                        f"AWS ({service}): {problem}; it is from `aws:` in fabric.yaml, "
                        "AWS_ENDPOINT_URL or the profile in ~/.aws/config"
                    )
                for write in WRITES if service == "elbv2" else ():
                    event = (
                        f"before-send.{client.meta.service_model.service_id.hyphenize()}.{write}"
                    )
                    client.meta.events.register(event, self._before_send)
                self._clients[service] = client
            return self._clients[service]

    def _before_send(self, **_: Any) -> None:
        self.confirm()

    def _before_parse(self, **_: Any) -> None:
        self._progress.is_answered = True

    def _translated(  # noqa: PLR0911 - a table of errors
        self, error: Exception, service: str, operation: str
    ) -> DeployError:
        """Foreign errors, once, in words that say what to do next."""
        where = f"AWS ({service}.{operation}, region {self.region})"
        match error:
            case ClientError():
                return self._of_answer(error, where)
            case EndpointConnectionError() | ConnectTimeoutError() if self._aws.endpoint_url:
                return Unreachable(
                    f"the AWS API at {self._aws.endpoint_url} does not answer; if this is the lab, "
                    "start it with `inv lab.up`"
                )
            case HTTPClientError() if _is_unexpected(error):
                return UnexpectedAnswer(f"{where}: {error.kwargs['error']}")
        if (refused := self._of_credentials(error)) is not None:
            return refused
        if isinstance(error, BotoCoreError):
            return ApiError(f"{where}: {visible(error)}", type(error).__name__)
        if isinstance(error, ResponseParserError) or self._progress.is_answered:
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
        if code in REFUSED_CREDENTIALS:
            self._forget()
            return CredentialsRefused(
                f"{where} refuses the credentials{self._of_profile}: {code}; renew them, "
                f"for example with {self._login}, and run the same command again"
            )
        if code in DENIED:
            return BadInput(
                f"{where}: not allowed{self._of_profile}: {said or code}; docs/permissions.md has "
                "the policy that is needed"
            )
        return ApiError(f"{where}: {code}: {said}", code)

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


def _is_retried(caught_exception: object = None, **_: Any) -> bool | None:
    """Keep botocore from asking again after an endless answer; who waits decides on that."""
    return False if _is_unexpected(caught_exception) else None


def _is_unexpected(error: object) -> bool:
    return isinstance(error, HTTPClientError) and isinstance(
        error.kwargs.get("error"), UnexpectedAnswer
    )


def _shortened(error: Exception) -> str:
    """An error's first line; a parser's may quote all that it was given."""
    lines = str(error).splitlines() or [""]
    return visible(lines[0], 200)
