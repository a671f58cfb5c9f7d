"""A script's answer from a real shell on this machine, framed as a host's is."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from deploy.command_result import CommandResult
from deploy.hosts.scripts.script import Program, Script, as_it_is
from deploy.hosts.ssh import framing

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 64 * 1024 * 1024


class Typed(Program):
    """A program that a test types itself."""

    @property
    def text(self) -> str:
        return f"{self.arguments[0]}\n"


def typed(text: str, name: str = "a look") -> Script[CommandResult]:
    """A script whose text is what the test says, and whose answer is as it is."""
    return Script(name, (Typed("typed", (text,)),), as_it_is)


def run(
    script: str | Script[object],
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    shell: str = "sh",
) -> CommandResult:
    """Send the script as it is sent to a host, but run it as the user that the tests run as."""
    mark, text = framing.new_mark(), script if isinstance(script, str) else script.text
    ended = subprocess.run(
        [shell, "-c", framing.AS_LOGIN_USER],
        input=framing.framed(text, mark) + stdin,
        capture_output=True,
        check=False,
        env=environ,
    )
    frame = framing.Frame(mark, MOST_BYTES)
    frame.feed(ended.stdout)
    assert frame.exit_code == ended.returncode
    stdout, facts = frame.text()
    stderr = frame.errors(ended.stderr.decode(errors="replace"))
    return CommandResult(text, ended.returncode, stdout, stderr, 0.0, facts, *frame.start)
