"""A question to an app's own port, asked on the host itself where sshd forbids forwarding."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from deploy.errors import CommandResult

PROBE_BYTES = 64 * 1024
HEADERS = (
    "Connection: close",
    "User-Agent: ELB-HealthChecker/2.0",
    "Accept-Encoding: gzip, compressed",
)
"""What an Application Load Balancer's health check sends beside Host, by reports of its users."""

# $1 and so on: address, port, path, seconds, Host header, the other headers, `tls` or nothing.
_PYTHON = f"""\
import re, socket, sys, time
a, p, u, t, n, h, tls = sys.argv[1:]
end, data, code = time.monotonic() + float(t), b"", "000"
head = re.compile(rb"HTTP/1\\.[0-9] ([1-5][0-9]{{2}})(?=[ \\r\\n])[^\\0]*?\\n\\r?\\n")
asked = "GET %s HTTP/1.1\\nHost: %s\\n%s\\n\\n" % (u, n, h)
try:
    s = socket.create_connection((a, int(p)), float(t))
    if tls:
        import ssl
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        c.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        c.set_ciphers("DEFAULT:@SECLEVEL=0")
        s = c.wrap_socket(s)
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


def probe_with_curl(
    place: tuple[str, int], path: str, host: str, timeout_seconds: float, *, is_tls: bool = False
) -> Script[int | None]:
    """Ask an address and port on the host itself; prints the final answer's status code.

    000 where no answer came with all of its headers in time, within 64 KiB; nothing without curl.
    """
    address, port = _checked(place)
    scheme = "https" if is_tls else "http"
    url = f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}{path}"
    seconds = f"{timeout_seconds:.3f}"
    ask = program("probe_with_curl", url, host, seconds, PROBE_BYTES, *HEADERS)
    return Script("probe", (ask,), _code)


def probe_with_python(
    place: tuple[str, int], path: str, host: str, timeout_seconds: float, *, is_tls: bool = False
) -> Script[int | None]:
    """The same question for hosts without curl."""
    address, port = _checked(place)
    tls = "tls" if is_tls else ""
    given = (address, port, path, f"{timeout_seconds:.3f}", host, "\n".join(HEADERS), tls)
    return Script("probe", (program("probe_with_python", _PYTHON, *given),), _code)


def _checked(place: tuple[str, int]) -> tuple[str, int]:
    return str(ipaddress.ip_address(place[0])), int(place[1])


def _code(result: CommandResult) -> int | None:
    return code_printed(result.stdout)


def code_printed(text: str) -> int | None:
    """The code that a host's own program printed last, or None; 0: no answer."""
    words = text.split()  # before it, a shell's start-up files may speak
    found = re.fullmatch(r"000|[1-5][0-9]{2}", words[-1], re.ASCII) if words else None
    return int(found[0]) if found else None
