"""A fleet is no larger than the files that a process may open, and that is as many as it can be."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from contextlib import ExitStack

from deploy.hosts.route import open_files
from deploy.hosts.route.routes import Routes

LOW = 100
CODE = """
import resource
from deploy.hosts.route.open_files import allow_many
allow_many()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_commands_connections_may_be_as_many_as_the_system_allows() -> None:
    """Of 60 hosts 6 were not reached where a shell allowed 60 files (256 on macOS)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LOW, hard))
    try:
        Routes().close()
        with ExitStack() as stack:
            for _ in range(2 * LOW):
                stack.enter_context(socket.socket())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_limit_that_the_system_sets_stays_and_is_no_error() -> None:
    script = f"ulimit -n {LOW} && exec {sys.executable} -c '{CODE}'"
    printed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert printed.stdout == f"{LOW} {LOW}\n"


def test_a_limit_that_is_higher_already_stays() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files.allow_many()
    after = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert after[0] >= min(before[0], after[1])
    assert after[1] == before[1]
