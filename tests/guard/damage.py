"""What goes wrong with a file: strategies that damage a valid one, and odd things in its place."""

from __future__ import annotations

import codecs
import os
import re
import shutil
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKS = (
    *("\x00", "\x07", "\x1b[2J", "\x7f", "\x85", "\r", "\n", "\t", "\v", "\u2028", "\ufeff"),
    *("\u202e", "\U000e0041", "\ud83d", "é", "日本", "🚀", "²", "٣", "\xa0", " ", "\\", "/", "//"),
    *("%", "%%", "%h", "%(x)s", "$", "${HOME}", "$(id)", "`id`", "{", "}", "{port}", "{0.x}", "~"),
    *('"', "'", "[", "]", "(", ")", "*", "?", "!", "#", ";", ":", ",", "=", "&", "|", "<", ">"),
    *("-", "--", "..", "=\n", "\n\n", "\n ", "\n\t", "@", "::", "0", "-1", "[" * 300, "a" * 70_000),
)
"""Characters and pieces that mean something to some reader."""
WORDS = (
    *("", "none", "None", "null", "yes", "no", "on", "off", "true", "0", "-1", "65536", "1e400"),
    *("nan", "inf", "-inf", "2024-01-01", "0x10", "٣", "9" * 30, "9" * 400, "9" * 5000, "~"),
    *("~nobody-of-this-name/x", "/", "/dev/null", "/proc/self/mem", ".", "..", "a b", "'", '"'),
    *("a" * 300, "a" * 70_000, "é" * 64, "xn--", "a..b", ".", "-oProxyCommand=id", "a,b", "*", "?"),
    *("[::1]:22", "[x", "::1", "user@host", "ssh://u@h:22", "%h:%p", "%d/%u/%%", "${NOBODY}"),
    *(
        "folder",
        "dangling",
        "loop",
        "pipe",
        "unreadable",
        "empty",
        "binary",
        "file/below",
        "x\x00y",
    ),
)
"""Values that some reader takes for more than text; the last row are files of `odd_files`."""


def odd_files(folder: Path) -> None:
    """Make what a path may lead to besides a file that can be read."""
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("nowhere")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    (folder / "unreadable").touch(mode=0)
    (folder / "empty").touch()
    (folder / "file").touch()
    (folder / "binary").write_bytes(bytes(range(256)) * 8)


PLACES = ("folder", "dangling", "loop", "pipe", "unreadable", "empty", "binary", "absent")
"""What there may be in place of a file, or of what it holds."""
places = st.integers(0, 15).flatmap(
    lambda number: st.sampled_from(PLACES) if number == 1 else st.just("file")
)
"""What there is at a path: most often the file."""


def put(place: str, path: Path, content: bytes) -> None:
    """Put a file, or what else a name of PLACES says, at a path."""
    if place == "file":
        path.write_bytes(content)
        path.chmod(0o600)  # a key that others may read is passed over
    elif place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    elif place in {"dangling", "loop"}:
        path.symlink_to("nowhere" if place == "dangling" else path.name)
    elif place != "absent":
        path.write_bytes(bytes(range(256)) * 8 if place == "binary" else b"")
        path.chmod(0 if place == "unreadable" else 0o600)


def clear(folder: Path) -> None:
    """Empty a folder of whatever is in it."""
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _one_in(number: int) -> st.SearchStrategy[bool]:
    return st.integers(1, number).map(lambda drawn: drawn == number)


@st.composite
def damaged(draw: st.DrawFn, texts: Sequence[str], words: Sequence[str] = WORDS) -> bytes:
    """A file's bytes: one of these texts with some values, lines, characters and bytes changed.

    Most often it is values alone, since the first reader refuses most of the rest.
    """
    lines = draw(st.sampled_from(texts)).split("\n")
    for _ in range(draw(st.integers(0, 3))):
        lines = draw(_other_value(lines, words))
    if draw(_one_in(4)):
        lines = draw(_other_lines(lines, words))
    text = "\n".join(lines)
    if draw(_one_in(6)):
        text = draw(_other_characters(text))
    return draw(_encoded(text)) if draw(_one_in(8)) else text.encode("utf-8", "surrogatepass")


@st.composite
def _other_value(draw: st.DrawFn, lines: list[str], words: Sequence[str]) -> list[str]:
    """Put a word in place of what follows a line's name, or of one of the words after it."""
    at = draw(st.integers(0, len(lines) - 1))
    word = draw(st.sampled_from(words) | st.text(max_size=4))
    pieces = re.split(r"([\s:=,{}\[\]\"]+)", lines[at])
    which = draw(st.integers(0, len(pieces) - 1))
    if draw(st.booleans()):
        head = re.match(r"\s*(- )?[^:=\s]*(\s*[:=]\s?|\s)", lines[at])
        changed = f"{head[0] if head else ''}{word}"
    else:
        changed = "".join([*pieces[:which], word, *pieces[which + 1 :]])
    return [*lines[:at], changed, *lines[at + 1 :]]


@st.composite
def _other_lines(draw: st.DrawFn, lines: list[str], words: Sequence[str]) -> list[str]:
    """Repeat, drop, move, indent or cut lines."""
    at = draw(st.integers(0, len(lines) - 1))
    other = draw(st.integers(0, len(lines) - 1))
    line, before, after = lines[at], lines[:at], lines[at + 1 :]
    return draw(
        st.sampled_from(
            (
                [*before, line, line, *after],
                [*before, *after] or [""],
                [*before, lines[other], *after],
                [*before, f"\t{line}", *after],
                [*before, f"  {line}", *after],
                [*before, line.lstrip(), *after],
                [*before, line.upper(), *after],
                [*before, f"{line}{draw(st.sampled_from(words))}", *after],
                lines[: at + 1],
                lines[at:],
                [*lines[at:], *lines[:at]],
            )
        )
    )


@st.composite
def _other_characters(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    length = draw(st.integers(0, 8))
    mark = draw(st.sampled_from(MARKS) | st.text(max_size=5))
    return text[:at] + mark + text[at + length :]


@st.composite
def _encoded(draw: st.DrawFn, text: str) -> bytes:
    """Write text as some program might, or lose a part of its bytes."""
    data = text.encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(data)))
    return draw(
        st.sampled_from(
            (
                codecs.BOM_UTF8 + data,
                text.encode("utf-16", "surrogatepass"),
                text.encode("latin-1", "replace"),
                data.replace(b"\n", b"\r\n"),
                data.replace(b"\n", b"\r"),
                data.replace(b"\n", b"\0\n"),
                data[:at] + draw(st.binary(max_size=6)) + data[at:],
                data[:at],
                data * 50,
            )
        )
    )
