"""The AWS account that an environment lives in: every API call goes through here."""

from __future__ import annotations

import threading
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
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from deploy import endpoint
from deploy.errors import BadInput, BalancerError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.settings import Environment

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
# A profile's `credential_process` may be missing, and `endpoint_url` no URL.
FOREIGN = (BotoCoreError, ClientError, OSError, ValueError)
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
        self.confirm: Callable[[], object] = lambda: None
        self._aws = environment.aws
        self._credentials_file = (
            str(environment.path(environment.aws.credentials_file))
            if environment.aws.credentials_file
            else ""
        )
        self._lock = threading.Lock()
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
        except ProfileNotFound:  # told by whoever makes a call
            default = None
        return str(self._aws.region or default or "none")

    def verify(self) -> str:
        """Ask AWS who we are; BadInput when it refuses the credentials or cannot be reached."""
        try:
            answer = self.call("sts", "get_caller_identity")
        except ApiError as error:
            check = "`aws:` in fabric.yaml, and ~/.aws/config"
            if error.may_pass or "Region" in error.code:
                check = "the region under `aws:` in fabric.yaml, and your network"
            raise BadInput(f"{error}; check {check}") from error
        return str(answer["Arn"])

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one API call; boto3's standard retries cover throttling and short outages."""
        try:
            answer: dict[str, Any] = getattr(self._client(service), operation)(**arguments)
        except FOREIGN as error:
            raise self._translated(error, service, operation) from error
        return answer

    def items(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """All items of a paged call, from every page."""
        try:
            for page in self._client(service).get_paginator(operation).paginate(**arguments):
                yield from page[key]
        except FOREIGN as error:
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

    def _translated(  # noqa: PLR0911, C901 - a table of errors
        self, error: Exception, service: str, operation: str
    ) -> BadInput | ApiError:
        """Foreign errors, once, in words that say what to do next."""
        where = f"AWS ({service}.{operation}, region {self.region})"
        own = self._aws.profile
        profile = f" for profile {own!r}" if own else ""
        login = f"`aws sso login{f' --profile {own}' if own else ''}`"
        match error:
            case ClientError():
                code = str(error.response.get("Error", {}).get("Code", "unknown"))
                said = str(error.response.get("Error", {}).get("Message", ""))
                if code in REFUSED_CREDENTIALS:
                    self._forget()
                    return CredentialsRefused(
                        f"{where} refuses the credentials{profile}: {code}; renew them, "
                        f"for example with {login}, and run the same command again"
                    )
                if code in DENIED:
                    return BadInput(
                        f"{where}: not allowed{profile}: {said or code}; docs/permissions.md has "
                        "the policy that is needed"
                    )
                return ApiError(f"{where}: {code}: {said}", code)
            case NoCredentialsError() | PartialCredentialsError():
                return BadInput(
                    f"no AWS credentials{profile}: log in with {login}, set AWS_PROFILE, "
                    "or name a profile in fabric.yaml under `aws:`"
                )
            case ProfileNotFound():
                return BadInput(
                    f"AWS profile {error.kwargs.get('profile', own)!r} does not exist; "
                    "`aws configure list-profiles` shows those that do"
                )
            case NoRegionError():
                return BadInput("no AWS region: set `region:` under `aws:` in fabric.yaml")
            case TokenRetrievalError() | CredentialRetrievalError():
                self._forget()
                return CredentialsRefused(f"AWS credentials{profile} could not be had: {error}")
            case SSOError() | UnauthorizedSSOTokenError():
                self._forget()
                return CredentialsRefused(f"the AWS login{profile} is over: run {login}")
            case EndpointConnectionError() | ConnectTimeoutError() if self._aws.endpoint_url:
                return Unreachable(
                    f"the AWS API at {self._aws.endpoint_url} does not answer; if this is the lab, "
                    "start it with `inv lab.up`"
                )
            case BotoCoreError():
                return ApiError(f"{where}: {error}", type(error).__name__)
            case _:
                return BadInput(
                    f"{where} could not be called{profile}: {error}; check `aws:` in fabric.yaml, "
                    "and the profile in ~/.aws/config"
                )
