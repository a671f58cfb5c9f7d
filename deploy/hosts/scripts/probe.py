"""Asks an app's port on the host itself, by curl or python3, where sshd forbids forwarding."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from deploy.aws.targets import ProtocolVersion
from deploy.errors import RemoteError
from deploy.hosts.probe.request import HEADERS, MOST_BYTES, NotHttp, Reply
from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from deploy.command_result import CommandResult
    from deploy.hosts.probe.request import Request

ALLOW = "set `AllowTcpForwarding local` in its sshd_config"

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
    while code == "000" and len(data) < {MOST_BYTES} and time.monotonic() < end:
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


def on_host(name: str, request: Request, timeout_seconds: float) -> tuple[Script[int | None], ...]:
    """What asks on the host itself, over HTTP/1.1; each where the one before it prints nothing.

    Raises RemoteError for a question that neither curl nor python3 can be relied on to ask.
    """
    if request.version is ProtocolVersion.GRPC:
        raise RemoteError(unaskable(name, "GRPC"))
    asked = (request, timeout_seconds)
    return probe_with_curl(*asked), probe_with_python(*asked)


def reply(name: str, request: Request, code: int) -> Reply | None:
    """What a code that was printed on the host means; 0 is none.

    Raises NotHttp where the question over HTTP/2, which was not asked, might have had an answer.
    """
    if not code and request.version is ProtocolVersion.HTTP2:
        raise NotHttp(f"no answer over HTTP/1.1; {unaskable(name, 'HTTP2')}")
    return Reply(code) if code else None


def unaskable(name: str, kind: str) -> str:
    """Why a host cannot be asked the question of a group of a kind, and what to do."""
    return (
        f"{name}: the health check of a target group of version {kind} is asked through the SSH "
        f"connection, and sshd forbids forwarding: {ALLOW}"
    )


def without_programs(name: str, port: int) -> str:
    """Why a port cannot be asked on a host that has none of the programs, and what to do."""
    return (
        f"{name}: sshd forbids forwarding and neither curl nor python3 is there to ask port "
        f"{port}; install curl on the host"
    )


def probe_with_curl(request: Request, timeout_seconds: float) -> Script[int | None]:
    """Ask an address and port on the host itself; prints the final answer's status code.

    000 where no answer came with all of its headers in time, within 64 KiB; nothing without curl.
    """
    address, port = _checked(request.place)
    scheme = "https" if request.is_tls else "http"
    url = f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}{request.path}"
    seconds = f"{timeout_seconds:.3f}"
    ask = program("probe_with_curl", url, request.host_header, seconds, MOST_BYTES, *HEADERS)
    return Script("probe", (ask,), _code)


def probe_with_python(request: Request, timeout_seconds: float) -> Script[int | None]:
    """The same question for hosts without curl."""
    address, port = _checked(request.place)
    tls = "tls" if request.is_tls else ""
    asked = (address, port, request.path, f"{timeout_seconds:.3f}", request.host_header)
    ask = program("probe_with_python", _PYTHON, *asked, "\n".join(HEADERS), tls)
    return Script("probe", (ask,), _code)


def _checked(place: tuple[str, int]) -> tuple[str, int]:
    return str(ipaddress.ip_address(place[0])), int(place[1])


def _code(result: CommandResult) -> int | None:
    return code_printed(result.stdout)


def code_printed(text: str) -> int | None:
    """The code that a host's own program printed last, or None; 0: no answer."""
    words = text.split()  # before it, a shell's start-up files may speak
    found = re.fullmatch(r"000|[1-5][0-9]{2}", words[-1], re.ASCII) if words else None
    return int(found[0]) if found else None
