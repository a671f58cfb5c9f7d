"""One HTTP question to an app's own port, plain or within TLS, with limits of bytes and time."""

from __future__ import annotations

import re
import ssl
import time
from typing import Protocol

import paramiko

from deploy.errors import DeployError
from deploy.hosts.scripts.probe import HEADERS

MOST_BYTES = 64 * 1024
"""Of status line and headers, interim answers (1xx) included; the body is not read."""

_CHUNK_BYTES, _RECORD_BYTES = 4096, 16 * 1024
_LOWEST, _FINAL, _SWITCHING, _HIGHEST = 100, 200, 101, 599
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ASKABLE = re.compile(r"[\x21-\x7e]+")
_SHOWN_BYTES = 40


class NotHttp(DeployError):
    """Something answered, and it was no HTTP answer, or one that did not end in time."""

    blames_release = True


class Stream(Protocol):
    """What a question needs of a socket or an SSH channel."""

    def settimeout(self, seconds: float, /) -> None:
        """Let the next operation take so long at most."""

    def sendall(self, data: bytes, /) -> object:
        """Send all of it."""

    def recv(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def get(stream: Stream, path: str, host_header: str, timeout_seconds: float) -> int | None:
    """The status code of the answer to `GET path`, or None where nothing came back at all.

    timeout_seconds: for the question and all of the answer's headers, by a clock; a time limit
    for each receive alone never ends an answer that trickles.
    Raises NotHttp, which shows what came instead, and what the stream raises.
    """
    end = time.monotonic() + timeout_seconds
    if not (_ASKABLE.fullmatch(path) and _ASKABLE.fullmatch(host_header)):
        raise NotHttp(f"no answer: {path!r} for {host_header!r} cannot be asked for in HTTP")
    stream.settimeout(timeout_seconds)
    lines = (f"GET {path} HTTP/1.1", f"Host: {host_header}", *HEADERS, "", "")
    request = "\r\n".join(lines)
    stream.sendall(request.encode())
    received = bytearray()
    while (code := final_code(received)) is None:
        if len(received) >= MOST_BYTES:
            raise NotHttp(f"headers of more than {MOST_BYTES // 1024} KiB")
        left = end - time.monotonic()
        chunk = _receive(stream, left) if left > 0 else None
        if chunk:
            received += chunk
        elif not received:
            return None
        else:
            how = "ended within its headers"
            if chunk is None:
                how = f"was not complete after {timeout_seconds:g} s"
            raise NotHttp(f"an answer that {how} ({_shown(received)})")
    return code


def _receive(stream: Stream, seconds: float) -> bytes | None:
    """The next bytes, none at the end; None when the time is over."""
    stream.settimeout(seconds)
    try:
        return stream.recv(_CHUNK_BYTES)
    except TimeoutError:
        return None


def final_code(received: bytes | bytearray) -> int | None:
    """The final answer's status code once all of its headers are there; None until then.

    Interim answers are passed over (RFC 9110, 15.2), except 101, after which no HTTP follows.
    Raises NotHttp for what cannot become an HTTP/1 answer, or has a code that HTTP does not have.
    """
    data = bytes(received)
    start = 0
    while (line_end := data.find(b"\n", start) + 1) > 0:
        found = _STATUS.fullmatch(data, start, line_end)
        code = int(found[1]) if found else 0
        if not _LOWEST <= code <= _HIGHEST:
            raise NotHttp(f"no HTTP answer ({_shown(data[start:])})")
        blank = _BLANK_LINE.search(data, line_end - 1)
        if blank is None:
            return None
        if code >= _FINAL or code == _SWITCHING:
            return code
        start = blank.end()
    prefix = b"HTTP/1."
    if data[start : start + len(prefix)] != prefix[: len(data) - start]:
        raise NotHttp(f"no HTTP answer ({_shown(data[start:])})")
    return None


def _shown(data: bytes | bytearray) -> str:
    start = bytes(data)[:_SHOWN_BYTES]
    return f"it begins {start!r}"


class TlsStream:
    """A stream within TLS, as an Application Load Balancer opens it to a target.

    Nothing of the certificate is verified, as AWS does (ALB guide, target groups): what is asked is
    whether the target answers, and the host is known by its SSH key. Operations raise ssl.SSLError,
    an OSError, and what the stream beneath raises.
    """

    def __init__(self, beneath: Stream, seconds: float) -> None:
        """Shake hands over a stream, for so many seconds at most."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # As old a protocol, and as short a key, as a load balancer takes.
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self._beneath = beneath
        self._coming, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._coming, self._going)
        self.settimeout(seconds)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                if not self._read_more():
                    raise ssl.SSLError("it ended within the handshake") from None
        self._flush()

    def settimeout(self, seconds: float) -> None:
        """Let the next operations take so long at most, all together."""
        self._end = time.monotonic() + seconds

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._tls.write(data)
        self._flush()

    def recv(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                if not self._read_more():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    def _flush(self) -> None:
        data = self._going.read()
        if data:
            self._limit()
            self._beneath.sendall(data)

    def _limit(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._beneath.settimeout(left)

    def _read_more(self) -> bool:
        self._limit()
        data = self._beneath.recv(_RECORD_BYTES)
        self._coming.write(data)
        return bool(data)


class ForwardingRefused(Exception):
    """sshd forbids forwarding."""


def forwarded(
    transport: paramiko.Transport,
    place: tuple[str, int],
    path: str,
    host_header: str,
    timeout_seconds: float,
    *,
    is_tls: bool = False,
) -> int | None:
    """Return what an address and port answer to GET through the SSH connection, or None.

    is_tls: whether it is asked within TLS. Raises ForwardingRefused, and NotHttp where something
    else comes back.
    """
    end = time.monotonic() + timeout_seconds
    try:
        channel = transport.open_channel(
            "direct-tcpip", place, ("127.0.0.1", 0), timeout=timeout_seconds
        )
    except paramiko.ChannelException as error:
        prohibited = 1
        if error.code == prohibited:
            raise ForwardingRefused from error
        return None
    except (paramiko.SSHException, OSError, EOFError):
        return None
    try:
        left = end - time.monotonic()
        stream: Stream = TlsStream(channel, left) if is_tls else channel
        return get(stream, path, host_header, end - time.monotonic())
    except ssl.SSLError as error:
        why = getattr(error, "reason", None) or error  # which only OpenSSL's own errors have
        raise NotHttp(f"no TLS ({why})") from error
    except (paramiko.SSHException, OSError, EOFError):
        return None
    finally:
        channel.close()
