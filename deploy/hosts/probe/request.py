"""A health check's request to a port of a host, and the reply, as values. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.aws.targets import ProtocolVersion
from deploy.errors import DeployError

AGENT, ENCODINGS = "ELB-HealthChecker/2.0", "gzip, compressed"
HEADERS = ("Connection: close", f"User-Agent: {AGENT}", f"Accept-Encoding: {ENCODINGS}")
"""What an Application Load Balancer's health check sends beside Host, by reports of its users."""

MOST_BYTES = 64 * 1024
"""Of an answer, as far as it is read: the status line and headers, or the HTTP/2 frames."""

_ASKABLE = re.compile(r"[\x21-\x7e]+")
_SHOWN_BYTES = 40


class NotHttp(DeployError):
    """Something answered, and it was no HTTP answer, or one that did not end in time."""

    blames_release = True


@dataclass(frozen=True)
class Request:
    """One question of a health check.

    Attributes:
        address: The address that is asked, as the host itself sees it.
        port: The port there.
        path: The path; of a gRPC call `/package.Service/method`.
        host_header: The Host header, or HTTP/2's `:authority`.
        version: How it is asked. For HTTP2 an answer over HTTP/1.1 counts too.
        is_tls: Whether it is asked within TLS.
    """

    address: str
    port: int
    path: str
    host_header: str
    version: ProtocolVersion = ProtocolVersion.HTTP1
    is_tls: bool = False

    @property
    def place(self) -> tuple[str, int]:
        """Address and port."""
        return self.address, self.port

    def refuse_unaskable(self) -> None:
        """Raise NotHttp for a path or a Host header that HTTP cannot carry."""
        if not (_ASKABLE.fullmatch(self.path) and _ASKABLE.fullmatch(self.host_header)):
            raise NotHttp(
                f"no answer: {self.path!r} for {self.host_header!r} cannot be asked for in HTTP"
            )


@dataclass(frozen=True)
class Reply:
    """The reply to a request.

    Attributes:
        code: The status code; of a gRPC call its `grpc-status`.
        version: How it was asked in the end.
    """

    code: int
    version: ProtocolVersion = ProtocolVersion.HTTP1


@dataclass(frozen=True)
class Head:
    """How an answer over HTTP/1.1 begins.

    Attributes:
        code: The status code.
        lines: The header lines, as they came.
    """

    code: int
    lines: tuple[str, ...] = ()

    def value(self, name: str) -> str | None:
        """The value of the first header of a name, in whatever case; None without it."""
        for each in self.lines:
            found, _, value = each.partition(":")
            if found.lower() == name.lower():
                return value.strip()
        return None


def shown(data: bytes | bytearray) -> str:
    """How something begins that is no answer, for a message."""
    start = bytes(data)[:_SHOWN_BYTES]
    return f"it begins {start!r}"
