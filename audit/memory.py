"""How much memory it takes to read a package: by the product, and by the libraries alone."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

from audit.bombs import BOMBS
from audit.wall import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MOST_MB = 150.0
"""What reading a package may take above the memory that the program needs anyway."""

MEMORY_LIMIT_MB = 400
"""Of the control's process: it shall fail, and not the machine."""

MOST_SECONDS = 60.0

_CHILD = """
import resource, sys
from pathlib import Path
from audit import memory

def peak():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024

read = getattr(memory, sys.argv[1])
if sys.argv[1] != "as_product":
    limit = memory.MEMORY_LIMIT_MB << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
base = peak()
try:
    said = read(Path(sys.argv[2]))
except MemoryError:
    said = "MemoryError"
print(f"{peak() - base:.1f}", said.splitlines()[0])
"""


def as_product(path: Path) -> str:
    """Open a package as `inv deploy` does; what it is refused with."""
    from deploy.errors import BadInput  # noqa: PLC0415 - after the child's base is measured
    from deploy.package.opening import open_package  # noqa: PLC0415

    try:
        opened = open_package(
            path,
            executables=lambda _: (),
            max_unpacked_bytes=1_000_000_000,
            workspace=path.parent,
        )
    except BadInput as error:
        return str(error)
    return f"accepted: {opened.release}"


def as_libraries(path: Path) -> str:
    """List a package's entries with the libraries alone, which is what the wall stands before."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return f"accepted: {len(archive.infolist())}"
    with tarfile.open(path) as packed:
        return f"accepted: {len(packed.getmembers())}"


def measured(reader: str, path: Path) -> tuple[float, str]:
    """The peak memory in MB above the base that a process of its own takes, and what it said."""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _CHILD, reader, str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return 0.0, f"not over after {MOST_SECONDS:g} s"
    if ended.returncode:
        return 0.0, (ended.stderr.strip().splitlines() or ["ended"])[-1]
    peak, _, said = ended.stdout.strip().partition(" ")
    return float(peak), said


def attempt(reader: str, workspace: Path, names: Iterable[str] = BOMBS) -> Attempt:
    """Read each bomb: a finding for one that takes too much, is accepted, or is not refused."""
    findings, highest, tried = list[str](), 0.0, 0
    for name in names:
        suffix, build = BOMBS[name]
        path = workspace / f"web.1.2.3.{suffix}"
        build(path)
        peak, said = measured(reader, path)
        path.unlink()
        tried, highest = tried + 1, max(highest, peak)
        if peak > MOST_MB or not said.startswith("package web.1.2.3"):
            findings.append(f"{name}: {peak:.0f} MB, {said[:200]}")
    return Attempt(tried, tuple(findings), f"at most {highest:.0f} MB above the base")
