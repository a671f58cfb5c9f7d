"""One question over HTTP/2: an answer is a code, and all else our own error, in time."""

from __future__ import annotations

import random
import time

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from h2.settings import Settings
from http2_peers import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    HELLO,
    OK,
    PADDED,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    WINDOW_UPDATE,
    Peer,
    Server,
    answered,
    byte_by_byte,
    frame,
    repeating,
    saying,
)

from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe import http2
from deploy.hosts.probe.http2 import NotHttp2
from deploy.hosts.probe.request import NotHttp, Request

GET = Request("10.0.0.7", 5000, "/health", "10.0.0.7:5000", ProtocolVersion.HTTP2)
CALL = Request("10.0.0.7", 5000, "/AWS.ALB/healthcheck", "10.0.0.7:5000", ProtocolVersion.GRPC)
LIMIT_SECONDS, LATE_SECONDS = 0.4, 5.0
AMPLE_SECONDS = 60.0
"""For what the bytes end: a busy machine reads 64 KiB of frames for as long as that takes."""
TYPE = ("content-type", "application/grpc")


def asked(peer: Peer, request: Request = GET, seconds: float = 10.0) -> int | None:
    """What a peer's answer is; it is there in time, whatever the peer does."""
    with answered(peer) as connection:
        began = time.monotonic()
        try:
            return http2.ask(connection, request, seconds)
        finally:
            assert time.monotonic() - began < seconds + LATE_SECONDS


@pytest.mark.parametrize(
    ("server", "code"),
    [
        (Server(), 200),
        (Server([(":status", "204"), ("x-odd", "\xff\xfe")]), 204),
        (Server([(":status", "503")], body=b"x" * 60_000), 503),
        (Server(interim=("100", "103")), 200),
        (Server(trailers=[("x-sum", "1")], body=b"x"), 200),
    ],
)
def test_p11_the_code_is_the_final_answers(server: Server, code: int) -> None:
    assert asked(server) == code
    (headers,) = server.asked
    assert headers == {
        ":method": "GET",
        ":scheme": "http",
        ":authority": "10.0.0.7:5000",
        ":path": "/health",
        "user-agent": "ELB-HealthChecker/2.0",
        "accept-encoding": "gzip, compressed",
    }


def of(code: str) -> tuple[str, str]:
    return ("grpc-status", code)


@pytest.mark.parametrize(
    ("server", "code"),
    [
        (Server([(":status", "200"), TYPE, of("12")]), 12),
        (Server([(":status", "200"), TYPE], trailers=[of("12"), ("grpc-message", "no")]), 12),
        (Server([(":status", "200"), TYPE], b"\0\0\0\0\2\x08\1", [of("0")]), 0),
        (Server([(":status", "200"), TYPE], b"x" * 60_000, [of("99")]), 99),
    ],
    ids=["trailers-only", "trailers", "a message and trailers", "a large message"],
)
def test_p11_a_grpc_answers_code_is_that_of_its_trailers(server: Server, code: int) -> None:
    assert asked(server, CALL) == code
    (headers,) = server.asked
    assert headers == {
        ":method": "POST",
        ":scheme": "http",
        ":authority": "10.0.0.7:5000",
        ":path": "/AWS.ALB/healthcheck",
        "user-agent": "ELB-HealthChecker/2.0",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    assert server.received == bytes(5)


@pytest.mark.parametrize(
    ("server", "text"),
    [
        (Server([(":status", "200"), TYPE]), "a gRPC answer without a grpc-status"),
        (Server(body=b"ok\n"), "a gRPC answer without a grpc-status"),
        (Server(trailers=[("x-sum", "1")], body=b"x"), "a gRPC answer without a grpc-status"),
        (Server([(":status", "404"), of("12")]), "a gRPC answer with HTTP status 404, not 200"),
        (Server([(":status", "200"), of("ok")]), "a gRPC answer with grpc-status 'ok', not 0 to "),
        (Server([(":status", "200"), of("100")]), "a gRPC answer with grpc-status '100', not 0 "),
        (Server([(":status", "200"), of("\x9b1m")]), "a gRPC answer with grpc-status 'Â\\x9b1m', "),
    ],
)
def test_p11_what_is_no_answer_to_a_grpc_call_is_named(server: Server, text: str) -> None:
    with pytest.raises(NotHttp) as refused:
        asked(server, CALL)
    assert str(refused.value).startswith(text)
    assert not isinstance(refused.value, NotHttp2)


def test_a_question_that_http_cannot_carry_is_named() -> None:
    with pytest.raises(NotHttp, match="'/a b' for 'x' cannot be asked for in HTTP"):
        asked(Server(), Request("10.0.0.7", 1, "/a b", "x", ProtocolVersion.HTTP2))


def block(*fields: bytes) -> bytes:
    """A header block of HPACK literals without an index."""
    return b"".join(b"\0" + b"".join(bytes([len(p)]) + p for p in f.split(b"=")) for f in fields)


def headers(payload: bytes, flags: int = END_HEADERS | END_STREAM, stream: int = 1) -> bytes:
    return frame(HEADERS, payload, flags, stream)


# 4,000 bytes under a one-letter name enter HPACK's table, and each byte 0xbe repeats them.
BOMB = b"\x88\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 12_000

BROKEN: dict[str, bytes] = {
    "headers that are no HPACK": headers(b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    "an index that HPACK does not have": headers(b"\x88\xfe"),
    "a header bomb": headers(BOMB),
    "no status": headers(block(b"x=y")),
    "an upper-case name": headers(b"\x88" + block(b"X-Y=z")),
    "headers of another stream": headers(b"\x88", stream=3),
    "headers of no stream": headers(b"\x88", stream=0),
    "a pushed answer": frame(PUSH_PROMISE, (2).to_bytes(4) + b"\x88", END_HEADERS, 1),
    "a window of no size": frame(WINDOW_UPDATE, bytes(4)),
    "a ping of a wrong size": frame(PING, b"1234"),
    "wrong padding": frame(DATA, b"\xff", PADDED, 1),
    "data of another stream": frame(DATA, b"x", 0, 7),
    "a block that something else interrupts": headers(b"\x88", 0) + frame(PING, bytes(8)),
    "a block in too many pieces": headers(b"\x88", 0) + frame(CONTINUATION, b"", 0, 1) * 100,
    "a frame that belongs to nothing": frame(CONTINUATION, b"", END_HEADERS, 1),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("request_", [GET, CALL], ids=["GET", "gRPC"])
def test_p7_what_breaks_the_protocol_is_our_own_error(name: str, request_: Request) -> None:
    with pytest.raises(NotHttp, match=r"^broken HTTP/2 \(") as refused:
        asked(saying(HELLO, BROKEN[name], stays=True), request_)
    assert not isinstance(refused.value, NotHttp2), "it speaks HTTP/2"
    assert len(str(refused.value)) < 120


def questioned() -> H2Connection:
    """The library's own side of a connection that has sent a question."""
    bare = H2Connection(H2Configuration())
    bare.local_settings = Settings(initial_values=http2._SETTINGS)
    bare.initiate_connection()
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "x")]
    bare.send_headers(1, fields, end_stream=True)
    return bare


@pytest.mark.parametrize("name", BROKEN)
def test_control_the_library_raises_errors_of_its_own(name: str) -> None:
    bare = questioned()
    with pytest.raises(H2Error):
        bare.receive_data(HELLO + BROKEN[name])


GOODBYE = (1).to_bytes(4)

NO_ANSWER: dict[str, tuple[Peer, str]] = {
    "HTTP/1.1": (saying(b"HTTP/1.1 400 Bad\r\n\r\n"), r"no HTTP/2 answer \(it begins b'HTTP/1.1"),
    "garbage": (repeating(bytes(range(256)), b""), r"no HTTP/2 answer \(it begins b'\\x00\\x01"),
    "a terminal's commands": (saying(b"\x1b[2J\x1b[31m"), r"\(it begins b'\\x1b\[2J"),
    "half a frame": (saying(HELLO[:5]), r"no HTTP/2 answer \(it begins b'\\x00\\x00\\x00\\x04"),
    "a frame of 16 MiB": (repeating(b"x", b"\xff\xff\xff\x04" + bytes(5)), "more than 64 KiB|no H"),
    "no settings": (saying(OK), "no HTTP/2 answer"),
    "http/1.1 required": (
        saying(HELLO, frame(GOAWAY, GOODBYE + (13).to_bytes(4))),
        r"the HTTP/2 server ended \(HTTP_1_1_REQUIRED\)",
    ),
    "a stream that wants http/1.1": (
        saying(HELLO, frame(RST_STREAM, (13).to_bytes(4), 0, 1)),
        r"the HTTP/2 stream was reset \(HTTP_1_1_REQUIRED\)",
    ),
}


@pytest.mark.parametrize("name", NO_ANSWER)
@pytest.mark.parametrize("request_", [GET, CALL], ids=["GET", "gRPC"])
def test_p11_what_does_not_speak_http2_is_distinguished(name: str, request_: Request) -> None:
    peer, text = NO_ANSWER[name]
    with pytest.raises(NotHttp2, match=text):
        asked(peer, request_, 1.0)


# Each of these is to be acknowledged, and the server reads nothing of that.
OF_BYTES = "frames of more than 64 KiB without an answer"
UNREAD = rf"frames of more than 64 KiB|had no headers after {LIMIT_SECONDS} s"

FAILED: dict[str, tuple[Peer, str]] = {
    "the end after settings": (saying(HELLO), "an HTTP/2 answer that ended before its headers"),
    "silence after settings": (
        saying(HELLO, stays=True),
        rf"an HTTP/2 answer that had no headers after {LIMIT_SECONDS} s",
    ),
    "goodbye": (
        saying(HELLO, frame(GOAWAY, GOODBYE + bytes(4) + b"\x1b[2J")),
        r"no answer: the HTTP/2 server ended \(NO_ERROR\)",
    ),
    "a reset": (
        saying(HELLO, frame(RST_STREAM, (7).to_bytes(4), 0, 1)),
        r"no answer: the HTTP/2 stream was reset \(REFUSED_STREAM\)",
    ),
    "a reset without a name": (
        saying(HELLO, frame(RST_STREAM, (4660).to_bytes(4), 0, 1)),
        r"no answer: the HTTP/2 stream was reset \(4660\)",
    ),
    "pings for ever": (repeating(frame(PING, bytes(8)) * 100), UNREAD),
    "settings for ever": (repeating(HELLO * 100), UNREAD),
    "interim answers for ever": (
        repeating(headers(block(b":status=103"), END_HEADERS) * 100),
        OF_BYTES,
    ),
    "unknown frames for ever": (
        repeating(frame(200, b"x" * 100) * 10),
        OF_BYTES,
    ),
    "a trickle": (
        byte_by_byte(HELLO + frame(PING, bytes(8)) * 1000, 0.01),
        f"an HTTP/2 answer that had no headers after {LIMIT_SECONDS} s",
    ),
    "a body without headers": (saying(HELLO, frame(DATA, b"x", END_STREAM, 1)), "broken|without"),
    "a status that HTTP does not have": (saying(HELLO, headers(block(b":status=999"))), "'999'"),
    "a status of letters": (saying(HELLO, headers(block(b":status=2oo"))), r"\(status '2oo'\)"),
}


@pytest.mark.parametrize("name", FAILED)
@pytest.mark.parametrize("request_", [GET, CALL], ids=["GET", "gRPC"])
def test_p7_no_server_makes_it_wait_longer_or_ends_it_otherwise(
    name: str, request_: Request
) -> None:
    peer, text = FAILED[name]
    with pytest.raises(NotHttp, match=text) as refused:
        asked(peer, request_, AMPLE_SECONDS if text == OF_BYTES else LIMIT_SECONDS)
    assert not isinstance(refused.value, NotHttp2)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (saying(HELLO, headers(b"\x88", END_HEADERS)), "ended before its trailers"),
        (saying(HELLO, headers(b"\x88", END_HEADERS), stays=True), "had no trailers after 0.4 s"),
        (
            repeating(frame(DATA, b"x" * 1000, 0, 1), HELLO + headers(b"\x88", END_HEADERS)),
            OF_BYTES,
        ),
    ],
)
def test_p11_trailers_that_never_come_are_named(peer: Peer, text: str) -> None:
    with pytest.raises(NotHttp, match=text):
        asked(peer, CALL, AMPLE_SECONDS if text == OF_BYTES else LIMIT_SECONDS)


@pytest.mark.parametrize("stays", [True, False], ids=["silence", "the end"])
@pytest.mark.parametrize("request_", [GET, CALL], ids=["GET", "gRPC"])
def test_p11_nothing_at_all_is_no_answer(request_: Request, *, stays: bool) -> None:
    assert asked(saying(stays=stays), request_, LIMIT_SECONDS) is None


def test_control_without_a_limit_of_bytes_only_the_time_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http2, "MOST_BYTES", 2**40)
    with pytest.raises(NotHttp, match="had no headers after"):
        asked(repeating(frame(200, bytes(1000)), pause_seconds=0.001), GET, LIMIT_SECONDS)


def test_the_first_frame_has_a_time_of_its_own_and_the_answer_all_of_it() -> None:
    def slow(after: bytes) -> Peer:
        return byte_by_byte(after + bytes(100), 0.05)

    with answered(saying(stays=True)) as connection:
        began = time.monotonic()
        assert http2.ask(connection, GET, 60.0, 0.2) is None
        assert time.monotonic() - began < LATE_SECONDS
    with answered(slow(HELLO + OK)) as connection:
        assert http2.ask(connection, GET, 10.0, 1.5) == 200  # which takes 0.9 s


@pytest.mark.parametrize(
    "after", [frame(GOAWAY, GOODBYE + bytes(4)), frame(PING, b"1"), b"garbage" * 10, OK]
)
def test_p11_what_follows_an_answer_does_not_spoil_it(after: bytes) -> None:
    assert asked(saying(HELLO + OK + after)) == 200


def test_control_handed_over_at_once_it_would_be_spoiled() -> None:
    bare = questioned()
    with pytest.raises(H2Error):
        bare.receive_data(HELLO + OK + frame(PING, b"1"))


def test_p11_an_answer_counts_whose_server_has_gone_already() -> None:
    """What we acknowledge meets a closed connection, and the answer waits to be read."""
    assert asked(saying(HELLO, OK)) == 200


TRANSCRIPT = (
    HELLO
    + frame(PING, bytes(8))
    + headers(b"\x88" + block(b"x=y"), END_HEADERS)
    + frame(DATA, b"\0\0\0\0\2\x08\1", 0, 1)
    + headers(block(b"grpc-status=12"))
)


@pytest.mark.parametrize("seed", range(20))
def test_p7_answers_with_changed_bytes_are_codes_or_our_own_errors(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
    for _ in range(100):
        changed = bytearray(TRANSCRIPT)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(changed))
            if chance.random() < 0.3:
                del changed[place : place + chance.randint(1, 5)]
            else:
                changed[place] = chance.randrange(256)
        for request in (GET, CALL):
            call = http2._Call(request)
            try:
                call.take(bytes(changed))
            except NotHttp:
                continue
            assert call.code is None or 0 <= call.code <= 599
