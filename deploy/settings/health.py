"""The settings of a health check and of smoke tests: what a new release is asked."""

from __future__ import annotations

import shlex
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator

from deploy.errors import BadInput
from deploy.settings import success_codes
from deploy.settings.base import Strict
from deploy.unit import command
from deploy.unit.syntax import is_control

COMMAND_SECONDS = 5.0
_HTTP, _HTTPS = 80, 443


class Health(Strict):
    """How a started release is asked on its own host; empty keys follow the target group."""

    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")] | None = None
    """The path that is asked; of a gRPC target group the method. Default: the target group's."""
    expect: str | None = None
    """The codes that mean healthy: status codes such as `200` or `200-299,301`, or for a gRPC
    target group 0 to 99 such as `12` or `0,12`. Default: the target group's.
    """
    host: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")] | None = None
    """The Host header. Default: the host's private address and the port."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] | None = None
    """How long one answer, or the command, may take. Default: the target group's
    HealthCheckTimeoutSeconds; 5 for the command.
    """
    command: Annotated[str, StringConstraints(min_length=1)] | None = None
    """What a started worker must pass besides staying up: a file of the package or a program on the
    host's PATH, with its arguments, that ends with 0. It is run as the service's user in the
    release's folder, with the service's environment.
    """

    @field_validator("expect")
    @classmethod
    def _expect(cls, text: str | None) -> str | None:
        return _codes(text)

    @field_validator("command")
    @classmethod
    def _words(cls, text: str | None) -> str | None:
        try:
            words = shlex.split(text or "")
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}; close the quote") from error
        if text is not None and not (words and words[0]):
            raise ValueError("is empty; leave it out, or name the program")
        if any(map(is_control, text or "")):
            raise ValueError("must not hold a control character; write a program for it")
        if "{port}" in (text or ""):
            raise ValueError("holds {port}, and a worker (`target_group: none`) has none")
        return text if text is None else command.checked(text)

    @property
    def words(self) -> tuple[str, ...]:
        """The command's words; none where there is no command."""
        return tuple(shlex.split(self.command or ""))

    @property
    def command_seconds(self) -> float:
        """How long the command may take."""
        return self.timeout_seconds or COMMAND_SECONDS

    @property
    def is_over_http(self) -> bool:
        """Whether a key is given that only an answer over HTTP can have to do with."""
        return any(key is not None for key in (self.path, self.expect, self.host))

    def refuse_kind(self, *, is_worker: bool) -> None:
        """Raise ValueError for what an app of the other kind has: a worker is not asked over HTTP.

        is_worker: whether the app is one.
        """
        if is_worker and self.is_over_http:
            raise ValueError("of a worker has `command` and `timeout_seconds` alone")
        if not is_worker and self.command:
            raise ValueError("has a `command`, which is for workers (`target_group: none`) alone")


class SmokeTest(Strict):
    """One request that a new release must answer on its own host before it serves."""

    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")]
    """The path that is asked for, with its query; of a gRPC target group the method."""
    expect: str | None = None
    """The codes that are right, as in `health: expect:`. Default: the target group's."""
    host: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")] | None = None
    """The Host header. Default: the host's private address and the port; through the load balancer
    the name in its URL.
    """
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """How long the answer may take."""
    new: bool = False
    """Whether only the new release gives this answer, as of a path that older ones do not have.
    Through the load balancer it then has to come once, and otherwise every time.
    """

    @field_validator("expect")
    @classmethod
    def _expect(cls, text: str | None) -> str | None:
        return _codes(text)

    @property
    def as_health(self) -> Health:
        """The same as a health check of the app."""
        return Health(
            path=self.path,
            expect=self.expect,
            host=self.host,
            timeout_seconds=self.timeout_seconds,
        )


class SmokeThrough(Strict):
    """Where the smoke tests are asked again, when the first batch serves: as users ask."""

    url: Annotated[
        str,
        StringConstraints(
            pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?$"
        ),
    ]
    """A listener of the load balancer by the name that users have for it, without a path:
    `https://www.example.com`. It is asked from where the command runs; the certificate must be
    valid for the name. `http_proxy`, `https_proxy` and `no_proxy` of the environment count.
    """
    release_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    """A response header in which the app names its release: the version (`2.0.0`) or the release's
    id. Answers that name another release then do not count.
    """

    @field_validator("url")
    @classmethod
    def _port(cls, url: str) -> str:
        try:
            urlsplit(url).port  # noqa: B018 - it is checked when it is read
        except ValueError as error:
            raise ValueError(f"{url!r}: {error}") from error
        return url.rstrip("/")

    @property
    def is_tls(self) -> bool:
        """Whether it is asked within TLS."""
        return self.url.startswith("https:")

    @property
    def address(self) -> str:
        """The name or address in the URL."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The URL's port."""
        return urlsplit(self.url).port or (_HTTPS if self.is_tls else _HTTP)

    @property
    def authority(self) -> str:
        """The Host header that a browser sends."""
        return urlsplit(self.url).netloc


def _codes(text: str | None) -> str | None:
    """Codes as they are compared; ValueError for what is none."""
    try:
        return text if text is None else str(success_codes.parse(text))
    except BadInput as error:
        raise ValueError(str(error)) from error
