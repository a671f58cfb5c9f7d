"""What the first bytes of a file say about it as a program: ELF, script, Windows, macOS. Pure."""

from __future__ import annotations

import re
import struct

from deploy.errors import BadInput
from deploy.foreign_text import visible

HEAD_BYTES = 4096
"""A page: the kernel reads 256 bytes of a script's first line (BINPRM_BUF_SIZE), and linkers write
ELF's headers and the name of the loader before all else.
"""

ELF, _SCRIPT = b"\x7fELF", b"#!"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_LINE, _SHOWN = 255, 80
_INTERPRETER = re.compile(rb"#!\s*\S+")
_SPLITTING = re.compile(r"-[a-zA-Z0]*S|--split-string=?")
# pip writes this where the interpreter's path is too long for a first line, or holds a space.
_BEHIND_SHELL = re.compile(rb"#!/bin/sh\n'''exec' (?:\"([^\"\n]+)\"|(\S+)) ")
# PE (with the DOS header that has 0x40 bytes at least) and Mach-O in either order, 32 and 64 bits.
_OTHERS = {
    "Windows": (b"MZ\x90\x00", b"MZ\x50\x00", b"MZ\x78\x00"),
    "macOS": (
        *(b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf"),
        *(b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    ),
}
_BYTE_ORDER_AT, _TYPE, _MACHINE = 5, slice(16, 18), slice(18, 20)
_EXECUTABLE = 2  # ET_EXEC; a program that may lie anywhere in memory is ET_DYN, as libraries are
_LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")
_BIG_ENDIAN = 2
_PT_INTERP, _MOST_HEADERS = 3, 64
# e_machine (elf.h) as `uname -m` calls the machines on which such a program runs.
_MACHINES = {
    3: frozenset({"i386", "i486", "i586", "i686", "x86_64"}),
    21: frozenset({"ppc64", "ppc64le"}),
    22: frozenset({"s390x"}),
    40: frozenset({"armv6l", "armv7l", "armv8l", "aarch64"}),
    62: frozenset({"x86_64"}),
    183: frozenset({"aarch64"}),
    243: frozenset({"riscv64"}),
    258: frozenset({"loongarch64"}),
}


def is_program(start: bytes) -> bool:
    """Whether a file begins as a program does that a kernel can execute."""
    return start.startswith((ELF, _SCRIPT))


def is_library(path: str) -> bool:
    """Whether a file is called as shared libraries are, which need not be executable."""
    return _LIBRARY.search(path) is not None


def is_started(start: bytes, path: str) -> bool:
    """Whether an ELF file is there to be started, and is no library that only can be.

    A statically linked one that may lie anywhere in memory looks like a library.
    """
    if not start.startswith(ELF) or is_library(path):
        return False
    is_big = start[_BYTE_ORDER_AT : _BYTE_ORDER_AT + 1] == bytes([_BIG_ENDIAN])
    kind = int.from_bytes(start[_TYPE], "big" if is_big else "little")
    return kind == _EXECUTABLE or bool(_loader(start))


def machines(start: bytes) -> frozenset[str]:
    """The machines that an ELF file is for; none where it is no ELF file, or for a rare one."""
    if not start.startswith(ELF):
        return frozenset()
    is_big = start[_BYTE_ORDER_AT : _BYTE_ORDER_AT + 1] == bytes([_BIG_ENDIAN])
    return _MACHINES.get(
        int.from_bytes(start[_MACHINE], "big" if is_big else "little"), frozenset()
    )


def is_for_windows_shells(start: bytes, path: str) -> bool:
    """Whether a script's lines end as Windows writes them, which a shell takes for its words."""
    line = start.partition(b"\n")[0]
    return line.endswith(b"\r") and (line.startswith(_SCRIPT) or path.endswith(".sh"))


def interpreters(start: bytes) -> tuple[str, ...]:
    """The programs that a file needs to be started: absolute paths, or names that `env` looks for.

    Of a script its first line's, and what that has `env` start; of an ELF file its loader. None
    where it is not known.
    """
    if start.startswith(ELF):
        loader = _loader(start)
        return (loader,) if loader.startswith("/") else ()
    program, words = _first_line(start)
    if not program:
        return ()
    if found := _BEHIND_SHELL.match(start):
        behind = (found[1] or found[2]).decode(errors="replace")
        return (program, behind) if behind.startswith("/") else (program,)  # or beside the script
    if program.rpartition("/")[2] == "env":
        words = [word for word in _split(words) if "=" not in word]
        if words and not words[0].startswith("-"):
            return program, words[0]
    return (program,)


def _first_line(start: bytes) -> tuple[str, list[str]]:
    """The program in a script's first line, and the words after it; empty where there is none."""
    line = start.partition(b"\n")[0]
    words = line.removeprefix(_SCRIPT).decode(errors="replace").split()
    if not line.startswith(_SCRIPT) or not words or "\ufffd" in "".join(words):
        return "", []
    return words[0], words[1:]


def _split(words: list[str]) -> list[str]:
    """The words that `env` makes of its own, without the option that has it do so."""
    option = _SPLITTING.match(words[0]) if words else None
    if option is None:
        return words
    return [word for word in (words[0][option.end() :], *words[1:]) if word]


def _loader(start: bytes) -> str:
    """The path in the ELF program header PT_INTERP (elf(5)); empty where there is none."""
    order = ">" if start[_BYTE_ORDER_AT : _BYTE_ORDER_AT + 1] == bytes([_BIG_ENDIAN]) else "<"
    is_64 = start[4:5] == b"\x02"
    try:
        (table,) = struct.unpack_from(
            f"{order}Q" if is_64 else f"{order}I", start, 32 if is_64 else 28
        )
        size, count = struct.unpack_from(f"{order}HH", start, 54 if is_64 else 42)
        for at in range(table, table + size * min(count, _MOST_HEADERS), size or 1):
            (kind,) = struct.unpack_from(f"{order}I", start, at)
            if kind == _PT_INTERP:
                form = f"{order}Q16xQ" if is_64 else f"{order}I8xI"
                place, length = struct.unpack_from(form, start, at + (8 if is_64 else 4))
                name = start[place : place + length]
                return name.partition(b"\0")[0].decode() if len(name) == length else ""
    except (struct.error, UnicodeDecodeError):
        pass
    return ""


def refuse_unstartable(start: bytes, path: str, package: str) -> None:
    """Refuse a program that no Linux host can start, by what stands at its beginning.

    A first line with a carriage return or behind a byte-order mark, one that is longer than the
    kernel reads, one without an absolute path, and one that gives `env` several words, which the
    kernel passes as one. A program for Windows or macOS.
    """
    line = start.removeprefix(_BYTE_ORDER_MARK).partition(b"\n")[0]
    if line.startswith(_SCRIPT):
        trouble, remedy = _trouble(start, line, path.rpartition("/")[2])
        if trouble:
            found = visible(line.rstrip(b"\r").decode(errors="replace"))
            shown = repr(found) if len(found) < _SHOWN else f"{found[:_SHOWN]!r}…"
            raise BadInput(
                f"package {package}: {path!r} begins with {shown}{trouble}, so no host can start "
                f"it; {remedy}"
            )
    system = next((name for name, marks in _OTHERS.items() if start.startswith(marks)), "")
    if system and path.lower().endswith(".dll"):
        raise BadInput(
            f"package {package}: {path!r} is a .NET assembly, which no host can start by itself; "
            f"write dotnet {path} as the command"
        )
    if system:
        raise BadInput(
            f"package {package}: {path!r} is a program for {system}, and hosts run Linux; build it "
            "for them, for example with dotnet publish -r linux-x64"
        )


def _trouble(start: bytes, line: bytes, name: str) -> tuple[str, str]:
    """What is wrong with a script's first line, and what to do; empty where nothing is."""
    rewrite = (
        "write the file as UTF-8 without a mark and with Unix line ends (in .gitattributes: "
        f"{name} text eol=lf)"
    )
    if line.endswith(b"\r"):
        return " and a carriage return", rewrite
    if start.startswith(_BYTE_ORDER_MARK):
        return " behind a byte-order mark", rewrite
    if (named := _INTERPRETER.match(line)) and named.end() > _LONGEST_LINE:
        return (
            f", whose program ends behind the {_LONGEST_LINE} bytes that Linux reads",
            "make a venv at a shorter path, or let `command:` start the interpreter with this file",
        )
    interpreter, words = _first_line(line)
    if interpreter and "/" not in interpreter:
        return (
            ", which is no absolute path",
            f"write #!/usr/bin/env {interpreter}, or install the script instead of unpacking it",
        )
    is_env = interpreter.rpartition("/")[2] == "env"
    if is_env and len(words) > 1 and not _SPLITTING.match(words[0]):
        return (
            ", of which env is given all that follows as one word",
            f"write #!{interpreter} -S {visible(' '.join(words))}",
        )
    return "", ""
