"""The docs' picture gets a palette, and shows the same."""

from __future__ import annotations

import random
import runpy
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

SCRIPT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "small_png.py"))
WIDTH, PIXEL = 4, 3


def written(kind: int, lines: list[bytes]) -> bytes:
    """A PNG of three colours whose lines are all stored by one filter."""
    above, body = bytes(WIDTH * PIXEL), b""
    for line in lines:
        body += bytes([kind])
        for at, value in enumerate(line):
            left, corner = (line[at - PIXEL], above[at - PIXEL]) if at >= PIXEL else (0, 0)
            up = above[at]
            far = left + up - corner
            nearest = min((left, up, corner), key=lambda each: abs(far - each))
            guess = (0, left, up, (left + up) // 2, nearest)[kind]
            body += bytes([(value - guess) % 256])
        above = line
    head = struct.pack(">IIBBBBB", WIDTH, len(lines), 8, 2, 0, 0, 0)
    packed = zlib.compress(body)
    parts = ((b"IHDR", head), (b"IDAT", packed[:5]), (b"IDAT", packed[5:]), (b"IEND", b""))
    return bytes(SCRIPT["SIGNATURE"]) + b"".join(SCRIPT["_chunk"](*each) for each in parts)


def read(png: bytes) -> list[bytes]:
    """The lines of a PNG with a palette, as colours."""
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks[kind] = png[at + 8 : at + 8 + length]
        (checked,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert checked == zlib.crc32(kind + chunks[kind])
        at += length + 12
    palette = chunks[b"PLTE"]
    raw = zlib.decompress(chunks[b"IDAT"])
    lines = [raw[start + 1 : start + 1 + WIDTH] for start in range(0, len(raw), WIDTH + 1)]
    return [
        b"".join(palette[PIXEL * place : PIXEL * place + PIXEL] for place in line) for line in lines
    ]


@pytest.mark.parametrize("kind", range(5))
def test_a_picture_of_few_colours_stays_as_it_is_by_whatever_filter(kind: int) -> None:
    chance = random.Random(kind)  # noqa: S311 - a picture, no secret
    lines = [chance.randbytes(WIDTH * PIXEL) for _ in range(5)]
    assert read(SCRIPT["small"](written(kind, lines))) == lines


def test_of_more_colours_than_a_palette_holds_rare_ones_become_the_nearest() -> None:
    common = [bytes([0, 0, shade]) * WIDTH for shade in range(256)]
    rare = bytes([1, 0, 7]) + bytes([0, 0, 8]) * 3
    assert read(SCRIPT["small"](written(0, [*common, rare])))[-1] == bytes([0, 0, 7]) + rare[3:]
