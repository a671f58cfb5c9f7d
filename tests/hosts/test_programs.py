"""Before anything is sent: whether hosts have the programs that a command needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import shell

from deploy.errors import RemoteError
from deploy.hosts import programs

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")


class Here:
    """This machine in place of a host."""

    def ask(self, script: Script[T]) -> T:
        return script.parse(shell.run(script))


class Broken:
    """A host that does not answer."""

    def ask(self, script: Script[T]) -> T:
        raise RemoteError(f"host-2: {script.name}: no end after 30 s")


class Liar:
    """A host that answers what was not asked."""

    def ask(self, script: Script[T]) -> T:
        return script.parse(shell.run("fact missing 7; fact missing -1; fact missing sh; fact a b"))


def test_a_host_names_what_it_lacks(tmp_path: Path) -> None:
    plain, script = tmp_path / "plain", tmp_path / "it's here"
    for path in (plain, script):
        path.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    there = ("sh", "/bin/sh", str(script), "env")
    lacking = ("no-such-runtime", str(plain), str(tmp_path), f"{tmp_path}/gone", "$(true)", "-e")
    assert (
        programs.find(there + lacking).parse(shell.run(programs.find(there + lacking))) == lacking
    )


def test_each_problem_names_host_program_file_and_app() -> None:
    hosts: dict[str, programs.Host] = {"host-1": Here(), "host-2": Broken(), "host-3": Liar()}
    wanted = {"web": {"no-such-runtime": "the command", "sh": "start"}, "api": {"/no/such": "run"}}
    assert programs.lacking(hosts, wanted) == {
        "host-1": (
            "host-1: has no no-such-runtime, which the command of web needs; install it there, or "
            "correct the package or `command:`",
            "host-1: has no /no/such, which run of api needs; install it there, or correct the "
            "package or `command:`",
        ),
        "host-2": ("host-2: looking for programs: no end after 30 s",),
        "host-3": (),
    }
    assert programs.lacking(hosts, {"web": {}}) == {}, "nothing is asked where nothing is needed"
