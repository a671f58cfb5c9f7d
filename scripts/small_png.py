"""Makes a picture of a page small: a palette of 256 colours in place of three bytes for a pixel.

A page has few colours, and shades of them at the edges of letters. What is not among the most
frequent ones becomes the nearest of these. https://www.w3.org/TR/png-3/ has the format.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from itertools import starmap

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
PIXEL = 3
TRUE_COLOUR, PALETTE = 2, 3


def small(png: bytes) -> bytes:
    """The same picture with a palette.

    png: 8 bits for each of red, green and blue, not interlaced, as Chromium writes it.
    """
    width, height, lines = _lines(png)
    pixels = [line[at : at + PIXEL] for line in lines for at in range(0, len(line), PIXEL)]
    palette = [colour for colour, _ in Counter(pixels).most_common(COLOURS)]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour in set(pixels) - places.keys():
        places[colour] = min(range(len(palette)), key=lambda at: _distance(palette[at], colour))
    indices = bytes(places[pixel] for pixel in pixels)
    body = b"".join(b"\0" + indices[at : at + width] for at in range(0, len(indices), width))
    head = struct.pack(">IIBBBBB", width, height, 8, PALETTE, 0, 0, 0)
    chunks = (
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(body, 9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(starmap(_chunk, chunks))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _lines(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and the pixels of each line."""
    assert png.startswith(SIGNATURE), "this is a PNG"
    width = height = 0
    packed, at = b"", len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, *form = struct.unpack(">IIBBBBB", body)
            assert form == [8, TRUE_COLOUR, 0, 0, 0], "it has 8 bits of three colours"
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    raw, size = zlib.decompress(packed), width * PIXEL
    lines = [bytes(size)]
    for start in range(0, len(raw), size + 1):
        lines.append(_unfiltered(raw[start], raw[start + 1 : start + 1 + size], lines[-1]))
    return width, height, lines[1:]


def _unfiltered(kind: int, line: bytes, above: bytes) -> bytes:
    """A line, from its differences to the pixels left of it and above."""
    found = bytearray(line)
    for at, difference in enumerate(line):
        left, corner = (found[at - PIXEL], above[at - PIXEL]) if at >= PIXEL else (0, 0)
        up = above[at]
        guess = (0, left, up, (left + up) // 2, _nearest(left, up, corner))[kind]
        found[at] = (difference + guess) % 256
    return bytes(found)


def _nearest(left: int, up: int, corner: int) -> int:
    """Which of the three is the nearest to left + up - corner; Paeth's predictor."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))
