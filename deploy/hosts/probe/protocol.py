"""Chooses the protocol by which a port is asked, within one time limit for all attempts."""

from __future__ import annotations

import ssl
from contextlib import closing
from typing import TYPE_CHECKING

from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe import http1, http2
from deploy.hosts.probe.http2 import NotHttp2
from deploy.hosts.probe.request import NotHttp, Reply
from deploy.hosts.probe.stream import Deadline, TlsStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.hosts.probe.request import Request
    from deploy.hosts.probe.stream import Connection, Stream

FIRST_SHARE = 0.5
"""Of the time, for a server to show that it speaks HTTP/2. What is left is for HTTP/1.1."""


def ask(
    opened: Callable[[float], Connection | None], request: Request, timeout_seconds: float
) -> Reply | None:
    """The answer of an address and port, or None for none.

    A group of version HTTP2 is asked over HTTP/2, by prior knowledge or within TLS by ALPN; what
    does not speak it is asked again over HTTP/1.1.

    Args:
        opened: Opens a connection within so many seconds; None where nothing takes one.
        request: What is asked.
        timeout_seconds: For all of it.

    Raises:
        NotHttp: Something else came back, or an answer that does not end in time.
    """
    deadline = Deadline(timeout_seconds)
    if request.version is ProtocolVersion.HTTP2:
        try:
            reply = _asked(opened, request, timeout_seconds, ProtocolVersion.HTTP2)
        except NotHttp2:
            reply = None
        if reply or not deadline.left:
            return reply
        return _asked(opened, request, deadline.left, ProtocolVersion.HTTP1)
    return _asked(opened, request, timeout_seconds, request.version)


def _asked(
    opened: Callable[[float], Connection | None],
    request: Request,
    timeout_seconds: float,
    version: ProtocolVersion,
) -> Reply | None:
    deadline = Deadline(timeout_seconds)
    connection = opened(timeout_seconds)
    if connection is None:
        return None
    with closing(connection):
        try:
            code = _code(connection, request, deadline, version)
        except ssl.SSLError as error:
            why = getattr(error, "reason", None) or error  # which only OpenSSL's own errors have
            kind = NotHttp if version is ProtocolVersion.HTTP1 else NotHttp2
            raise kind(f"no TLS ({why})") from error
        except OSError:
            return None
    return None if code is None else Reply(code, version)


def _code(
    connection: Connection, request: Request, deadline: Deadline, version: ProtocolVersion
) -> int | None:
    is_http1 = version is ProtocolVersion.HTTP1
    stream: Stream = connection
    if request.is_tls:
        tls = TlsStream(connection, deadline.left, () if is_http1 else (http2.ALPN,))
        if not is_http1 and tls.protocol != http2.ALPN:
            raise NotHttp2("TLS without HTTP/2 (no h2 by ALPN)")
        stream = tls
    if is_http1:
        return http1.get(stream, request, deadline.left)
    share = FIRST_SHARE if version is ProtocolVersion.HTTP2 else 1.0
    return http2.ask(stream, request, deadline.left, deadline.left * share)
