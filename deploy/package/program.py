"""What the first bytes of a file say about the program that it is. Pure."""

from __future__ import annotations

from deploy.errors import BadInput
from deploy.foreign_text import visible

HEAD_BYTES = 256
"""As much as the kernel reads of a script's first line (BINPRM_BUF_SIZE), and of ELF's header."""

_ELF, _SCRIPT = b"\x7fELF", b"#!"
_BYTE_ORDER_AT, _MACHINE = 5, slice(18, 20)
_BIG_ENDIAN = 2
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
    return start.startswith((_ELF, _SCRIPT))


def machines(start: bytes) -> frozenset[str]:
    """The machines that an ELF file is for; none where it is no ELF file, or for a rare one."""
    if not start.startswith(_ELF):
        return frozenset()
    is_big = start[_BYTE_ORDER_AT : _BYTE_ORDER_AT + 1] == bytes([_BIG_ENDIAN])
    return _MACHINES.get(
        int.from_bytes(start[_MACHINE], "big" if is_big else "little"), frozenset()
    )


def refuse_carriage_return(start: bytes, path: str, package: str) -> None:
    """Refuse a script whose first line ends as Windows writes it: no kernel finds that program."""
    line = start.partition(b"\n")[0]
    if line.startswith(_SCRIPT) and line.endswith(b"\r"):
        found = visible(line[:-1].decode(errors="replace"))
        raise BadInput(
            f"package {package}: {path!r} begins with {found!r} and a carriage return, so no host "
            "can start it; write the file with Unix line ends (in .gitattributes: "
            f"{path.rpartition('/')[2]} text eol=lf)"
        )
