"""A script's answer from a real shell on this machine, framed as a host's is."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from deploy.errors import CommandResult
from deploy.hosts.ssh import framing

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 64 * 1024 * 1024


def run(
    script: str,
    stdin: bytes = b"",
    environ: Mapping[str, str] | None = None,
    shell: str = "sh",
) -> CommandResult:
    """Send the script as it is sent to a host, but run it as the user that the tests run as."""
    mark = framing.new_mark()
    ended = subprocess.run(
        [shell, "-c", framing.AS_LOGIN_USER],
        input=framing.framed(script, mark) + stdin,
        capture_output=True,
        check=False,
        env=environ,
    )
    frame = framing.Frame(mark, MOST_BYTES)
    frame.feed(ended.stdout)
    assert frame.exit_code == ended.returncode
    stdout, facts = frame.text()
    stderr = ended.stderr.decode(errors="replace")
    return CommandResult(script, ended.returncode, stdout, stderr, 0.0, facts)
