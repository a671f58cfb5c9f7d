"""Asks one question over HTTP/1.1, within limits of bytes and time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.hosts.probe.request import HEADERS, MOST_BYTES, Head, NotHttp, shown
from deploy.hosts.probe.stream import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.probe.request import Request
    from deploy.hosts.probe.stream import Stream

_LOWEST, _FINAL, _SWITCHING, _HIGHEST = 100, 200, 101, 599
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_BLANK_LINE = re.compile(rb"\n\r?\n")


def get(stream: Stream, request: Request, timeout_seconds: float) -> int | None:
    """The status code of the answer to GET, or None where nothing came back at all.

    timeout_seconds: for the question and all of the answer's headers, interim answers (1xx)
    included. The body is not read. Raises NotHttp, which shows what came instead, and what the
    stream raises.
    """
    request.refuse_unaskable()
    lines = (f"GET {request.path} HTTP/1.1", f"Host: {request.host_header}", *HEADERS)
    answer = head(stream, lines, timeout_seconds)
    return answer.code if answer else None


def head(stream: Stream, lines: Iterable[str], timeout_seconds: float) -> Head | None:
    """How the answer to a request begins, or None where nothing came back at all; see `get`.

    lines: the request's own, without a line break.
    """
    deadline = Deadline(timeout_seconds)
    deadline.send(stream, "\r\n".join((*lines, "", "")).encode())
    received = bytearray()
    while (answer := final_head(received)) is None:
        if len(received) >= MOST_BYTES:
            raise NotHttp(f"headers of more than {MOST_BYTES // 1024} KiB")
        chunk = deadline.receive(stream)
        if chunk:
            received += chunk
        elif not received:
            return None
        else:
            how = "ended within its headers"
            if chunk is None:
                how = f"was not complete after {timeout_seconds:g} s"
            raise NotHttp(f"an answer that {how} ({shown(received)})")
    return answer


def final_code(received: bytes | bytearray) -> int | None:
    """The final answer's status code; see `final_head`."""
    answer = final_head(received)
    return answer.code if answer else None


def final_head(received: bytes | bytearray) -> Head | None:
    """How the final answer begins once all of its headers are there; None until then.

    Interim answers are passed over (RFC 9110, 15.2), except 101, after which no HTTP follows.
    Raises NotHttp for what cannot become an HTTP/1 answer, or has a code that HTTP does not have.
    """
    data = bytes(received)
    start = 0
    while (line_end := data.find(b"\n", start) + 1) > 0:
        found = _STATUS.fullmatch(data, start, line_end)
        code = int(found[1]) if found else 0
        if not _LOWEST <= code <= _HIGHEST:
            raise NotHttp(f"no HTTP answer ({shown(data[start:])})")
        blank = _BLANK_LINE.search(data, line_end - 1)
        if blank is None:
            return None
        if code >= _FINAL or code == _SWITCHING:
            lines = data[line_end : blank.start()].splitlines()
            return Head(code, tuple(line.decode("latin-1") for line in lines))
        start = blank.end()
    prefix = b"HTTP/1."
    if data[start : start + len(prefix)] != prefix[: len(data) - start]:
        raise NotHttp(f"no HTTP answer ({shown(data[start:])})")
    return None
