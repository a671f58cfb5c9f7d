"""A connection's bytes, plain or within TLS, with one deadline for all reads and writes."""

from __future__ import annotations

import ssl
import time
from typing import Protocol

_CHUNK_BYTES, _RECORD_BYTES = 4096, 16 * 1024


class Stream(Protocol):
    """The part of a socket or an SSH channel that a request needs."""

    def settimeout(self, seconds: float, /) -> None:
        """Let the next operation take so long at most."""

    def sendall(self, data: bytes, /) -> object:
        """Send all of it."""

    def recv(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Connection(Stream, Protocol):
    """A stream that is closed by its user."""

    def close(self) -> object:
        """End it."""


class Deadline:
    """The end of a time, by the machine's own clock.

    A time limit for each receive alone never ends an answer that trickles.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds until then; 0 when it is over."""
        return max(self._end - time.monotonic(), 0.0)

    def send(self, stream: Stream, data: bytes) -> None:
        """Send all of it; raises TimeoutError when the time is over, and what the stream raises."""
        stream.settimeout(self._some())
        stream.sendall(data)

    def receive(self, stream: Stream, size: int = _CHUNK_BYTES) -> bytes | None:
        """The next bytes, none at the end; None when the time is over.

        A connection that is reset has ended: its server closed it before it had read all.
        """
        try:
            stream.settimeout(self._some())
            return stream.recv(size)
        except TimeoutError:
            return None
        except ConnectionError:
            return b""

    def _some(self) -> float:
        """The seconds left; a socket would take 0 for "do not wait"."""
        left = self.left
        if not left:
            raise TimeoutError
        return left


class TlsStream:
    """A stream within TLS, as an Application Load Balancer opens it to a target.

    Nothing of the certificate is verified, as AWS does (ALB guide, target groups): what is asked is
    whether the target answers, and the host is known by its SSH key. Operations raise ssl.SSLError,
    an OSError, and what the stream beneath raises.
    """

    def __init__(self, beneath: Stream, seconds: float, protocols: tuple[str, ...] = ()) -> None:
        """Shake hands over a stream, for so many seconds at most.

        protocols: what is offered by ALPN (RFC 7301); nothing is by default.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # As old a protocol, and as short a key, as a load balancer takes.
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if protocols:
            context.set_alpn_protocols(protocols)
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

    @property
    def protocol(self) -> str | None:
        """The protocol that the other side chose of those offered (ALPN); None for none."""
        return self._tls.selected_alpn_protocol()

    def settimeout(self, seconds: float) -> None:
        """Let the next operations take so long at most, all together."""
        self._deadline = Deadline(seconds)

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
            self._deadline.send(self._beneath, data)

    def _read_more(self) -> bool:
        data = self._deadline.receive(self._beneath, _RECORD_BYTES)
        if data is None:
            raise TimeoutError
        self._coming.write(data)
        return bool(data)
