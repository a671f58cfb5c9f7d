"""A question to an app's own port, asked on the host itself where sshd forbids forwarding."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from deploy.errors import CommandResult

PROBE_BYTES = 64 * 1024

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


def probe_with_curl(port: int, path: str, host: str, timeout_seconds: float) -> Script[int | None]:
    """Ask the slot on the host itself; prints the final answer's status code.

    000 where no answer came with all of its headers in time, within 64 KiB; nothing without curl.
    """
    url = f"http://127.0.0.1:{port}{path}"
    ask = program("probe_with_curl", url, host, f"{timeout_seconds:.3f}", PROBE_BYTES)
    return Script("probe", (ask,), _code)


def probe_with_python(
    port: int, path: str, host: str, timeout_seconds: float
) -> Script[int | None]:
    """The same question for hosts without curl."""
    ask = program("probe_with_python", port, path, f"{timeout_seconds:.3f}", host, _PYTHON)
    return Script("probe", (ask,), _code)


def _code(result: CommandResult) -> int | None:
    return code_printed(result.stdout)


def code_printed(text: str) -> int | None:
    """The code that a host's own program printed last, or None; 0: no answer."""
    words = text.split()  # before it, a shell's start-up files may speak
    found = re.fullmatch(r"000|[1-5][0-9]{2}", words[-1], re.ASCII) if words else None
    return int(found[0]) if found else None
