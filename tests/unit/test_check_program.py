"""Whether a program can be executed on a host is found out without a line of its own code."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.hosts.scripts import rehearsal
from deploy.unit import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK = Path(sandbox.__file__).with_name("check_program.sh")
LOADED = b"libc.so.6"


def checked(program: str) -> str:
    """What the check says of a program; empty where nothing speaks against it."""
    words = ["/bin/sh", "-s", "--", program]
    with CHECK.open() as text:
        ran = subprocess.run(words, stdin=text, capture_output=True, text=True, check=False)
    assert bool(ran.returncode) is bool(ran.stderr), ran
    assert not ran.stdout
    said = ran.stderr.strip()
    assert not said or said.startswith(rehearsal.NO_PROGRAM)
    return said


def script(folder: Path, first: str, mode: int = 0o755) -> Path:
    """A program with this first line, which would leave a file where it ran."""
    file = folder / "app"
    file.write_text(f"{first}\ntouch {folder}/ran\n")
    file.chmod(mode)
    return file


def lacking(folder: Path) -> Path:
    """A program that needs a library which is not there."""
    file = folder / "app"
    data = Path("/bin/ls").read_bytes()
    assert LOADED in data
    file.write_bytes(data.replace(LOADED, b"libq.so.6"))
    file.chmod(0o755)
    return file


PROGRAMS: dict[str, tuple[Callable[[Path], Path | str], str]] = {
    "a program": (lambda _: "/bin/ls", ""),
    "a program on the PATH": (lambda _: "ls", ""),
    "a script": (lambda folder: script(folder, "#!/bin/sh"), ""),
    "a script by env": (lambda folder: script(folder, "#!/usr/bin/env sh"), ""),
    "options by env": (lambda folder: script(folder, "#!/usr/bin/env -S sh -e"), ""),
    "options that env gets as one word": (
        lambda folder: script(folder, "#!/usr/bin/env sh -e"),
        "as one word; write /usr/bin/env -S",
    ),
    "a script with an option": (lambda folder: script(folder, "#!/bin/sh -e"), ""),
    "nothing": (lambda folder: folder / "app", "there is no "),
    "nothing on the PATH": (lambda _: "no-such-program", "no program of this name"),
    "a folder": (lambda folder: folder, "is no file"),
    "no mode": (lambda folder: script(folder, "#!/bin/sh", 0o644), "may not be executed"),
    "no interpreter": (
        lambda folder: script(folder, "#!/opt/no/such/ruby"),
        "its first line: there is no /opt/no/such/ruby",
    ),
    "a line end of another system": (
        lambda folder: script(folder, "#!/bin/sh\r"),
        "its first line ends with a carriage return",
    ),
    "no interpreter by env": (
        lambda folder: script(folder, "#!/usr/bin/env no-such-ruby"),
        "its first line names no-such-ruby, which is not on the PATH",
    ),
    "no library": (lacking, "libq.so.6"),
    "a text": (lambda folder: script(folder, "ld-linux"), "it is no program, and has no first"),
    "an option of env": (lambda folder: script(folder, "#!/usr/bin/env -S no-such x"), ""),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_cannot_be_executed_is_named_and_nothing_is_run(name: str, tmp_path: Path) -> None:
    make, expected = PROGRAMS[name]
    program = make(tmp_path)
    assert expected in checked(str(program)), checked(str(program))
    assert bool(expected) is bool(checked(str(program)))
    assert not (tmp_path / "ran").exists()


def test_control_the_script_would_leave_its_file(tmp_path: Path) -> None:
    subprocess.run([script(tmp_path, "#!/bin/sh")], check=True)
    assert (tmp_path / "ran").exists()


def test_a_program_that_heeds_no_loader_is_not_run(tmp_path: Path) -> None:
    """A static one would not heed that it is only to be traced."""
    file = tmp_path / "static"
    file.write_bytes(b"\x7fELF" + b"\0" * 100)
    file.chmod(0o755)
    assert checked(str(file)) == ""
