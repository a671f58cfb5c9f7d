"""What is asked of a host: builders of scripts that change nothing.

What they print of a host's own values are facts (see `ssh.framing`). Builders raise Malformed
for a name outside the grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.history import HISTORY
from deploy.hosts.scripts.program import program
from deploy.hosts.scripts.service import SHOWN, show_unit
from deploy.package.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

PROBE_BYTES = 64 * 1024
MOST_FOUND_BYTES = 64 * 1024 * 1024
"""How much a host prints of what lies there of a release: beyond it, files are sent anew."""

TOOLS = "flock ss tar gzip xargs sha256sum b2sum base64 od awk systemd-analyze useradd curl python3"


# $1 and so on: port, path, seconds, Host header.
_PYTHON = f"""\
import re, socket, sys, time
p, u, t, n = sys.argv[1:]
end, data, code = time.monotonic() + float(t), b"", "000"
head = re.compile(rb"HTTP/1\\.[0-9] ([1-5][0-9]{{2}})(?=[ \\r\\n])[^\\0]*?\\n\\r?\\n")
asked = "GET %s HTTP/1.1\\nHost: %s\\nConnection: close\\n\\n" % (u, n)
try:
    s = socket.create_connection(("127.0.0.1", int(p)), float(t))
    s.sendall(asked.replace("\\n", "\\r\\n").encode())
    while code == "000" and len(data) < {PROBE_BYTES} and time.monotonic() < end:
        s.settimeout(max(end - time.monotonic(), 0.001))
        more = s.recv(4096)
        if not more:
            break
        data += more
        found = head.match(data)
        while found and b"100" <= found[1] < b"200" and found[1] != b"101":
            data = data[found.end():]
            found = head.match(data)
        code = found[1].decode() if found else code
except (OSError, ValueError):
    pass
print(code)
"""


def survey_host(environment: str) -> str:
    """Facts about the host itself, and who holds the environment's lock."""
    read_lock = lock.read_lock(environment)
    return f"{{\n{read_lock}}} | text lock\n{program('survey_host', *TOOLS.split())}"


def survey_app(app: str, user: str, replaces: str | None, environment_file: str | None) -> str:
    """Facts about an app on the host, with keys `<app>.…`."""
    return program(
        "survey_app",
        values.checked(values.name, app),
        values.checked(values.name, user),
        HISTORY,
        DIGEST_BITS,
        values.checked(values.unit_name, replaces) if replaces else "",
        environment_file or "",
    )


def survey_slots(slots: Iterable[tuple[str, int, str]]) -> str:
    """Facts about slots (app, port and unit of each), with keys `<app>.<port>.…`."""
    words = [
        word
        for app, port, unit in slots
        for word in (
            values.checked(values.name, app),
            int(port),
            values.checked(values.unit_name, unit),
        )
    ]
    return _processes() + program("survey_slots", SHOWN, *words)


def connections(port: int) -> str:
    """The established connections to a port, with the kernel's figures on each."""
    return program("connections", int(port))


def find_contents(app: str, release: str, *, checked_now: bool = False) -> str:
    """Print what lies here of a release: `<place>`, a tab, and a manifest's line for each file.

    It is read from the manifests of releases, and for a partial upload from the files themselves.
    checked_now: these alone, so that nothing is trusted that was checked at another time.
    """
    return program(
        "find_contents",
        values.checked(values.name, app),
        values.checked(values.release_id, release),
        DIGEST_BITS,
        MOST_FOUND_BYTES,
        "yes" if checked_now else "",
    )


def runtime(app: str, unit: str, port: int) -> str:
    """What a unit's process was started from and who listens on its port, all at one moment.

    Facts with keys `show.…`, `running`, `own_namespace` and `<app>.listener`.
    """
    name = values.checked(values.name, app)
    return _processes() + show_unit(unit) + program("runtime", name, int(port))


def _processes() -> str:
    return program("hex") + program("processes")


def journal(unit: str, lines: int) -> str:
    """The last lines of the unit's journal."""
    return program("journal", values.checked(values.unit_name, unit), int(lines))


def probe_with_curl(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """Ask the slot on the host itself; prints the final answer's status code.

    000 where no answer came with all of its headers in time, within 64 KiB; nothing without curl.
    """
    url = f"http://127.0.0.1:{port}{path}"
    return program("probe_with_curl", url, host, f"{timeout_seconds:.3f}", PROBE_BYTES)


def probe_with_python(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """The same question for hosts without curl."""
    return program("probe_with_python", port, path, f"{timeout_seconds:.3f}", host, _PYTHON)
