"""One GET request from the workstation, within limits of time and bytes.

It follows no redirect, keeps no connection and no cookie, and does not read the body: what is
judged is how the answer begins. TLS is verified against the system's authorities, or those that
SSL_CERT_FILE names.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from deploy import __version__
from deploy.errors import DeployError
from deploy.front import proxies
from deploy.hosts.probe import http1
from deploy.hosts.probe.request import NotHttp
from deploy.hosts.probe.stream import Deadline

if TYPE_CHECKING:
    from deploy.front.proxies import Proxy
    from deploy.hosts.probe.request import Head, Request

AGENT = f"User-Agent: changeover/{__version__}"
_SUCCESS = range(200, 300)


class NoAnswer(DeployError):
    """No answer came: from the network, the TLS or a proxy before whatever was asked."""


def get(request: Request, number: int, timeout_seconds: float) -> Head:
    """Ask for something, and return how the answer begins.

    Args:
        request: What is asked of whom; its address may be a name.
        number: Which of several requests this is: they go to a name's addresses in turn, since a
            load balancer has a node in each zone, which may reach the targets there alone.
        timeout_seconds: For all of it, but for the system's own look-up of a name.

    Raises:
        NoAnswer: None came, or none of HTTP.
    """
    deadline = Deadline(timeout_seconds)
    try:
        request.refuse_unaskable()
        proxy = proxies.of(request.address, is_tls=request.is_tls)
        place = (proxy.host, proxy.port) if proxy else (request.address, request.port)
        with closing(_connected(*place, number, deadline)) as plain:
            stream = _within_tls(plain, request, proxy, deadline) if request.is_tls else plain
            with closing(stream):
                answer = http1.head(stream, _lines(request, proxy), deadline.left)
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"its certificate is not trusted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoAnswer(f"no TLS ({error.reason or error})") from error
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {timeout_seconds:g} s") from error
    except OSError as error:
        raise NoAnswer(f"no connection: {error.strerror or error}") from error
    except NoAnswer:
        raise
    except (DeployError, ValueError) as error:
        raise NoAnswer(str(error)) from error
    if answer is None:
        late = f"within {timeout_seconds:g} s" if not deadline.left else "and the connection ended"
        raise NoAnswer(f"no answer {late}")
    return answer


def _lines(request: Request, proxy: Proxy | None) -> tuple[str, ...]:
    """The request's own lines; a proxy is asked for the address in full."""
    path, headers = request.path, tuple[str, ...]()
    if proxy and not request.is_tls:
        path, headers = f"http://{_authority(request)}{request.path}", tuple(proxy.headers)
    asked = f"GET {path} HTTP/1.1", f"Host: {request.host_header}"
    return (*asked, AGENT, "Accept: */*", "Connection: close", *headers)


def _authority(request: Request) -> str:
    host = f"[{request.address}]" if ":" in request.address else request.address
    return f"{host}:{request.port}"


def _connected(host: str, port: int, number: int, deadline: Deadline) -> socket.socket:
    """Return a connection to one of a name's addresses; the others are tried after it.

    Raises OSError, of the last one that was tried.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", "") or error
        raise NoAnswer(f"no address for {host}: {why}") from error
    every = sorted({(family, place) for family, _, _, _, place in found}, key=repr)
    first = number % len(every)
    turns = [*every[first:], *every[:first]]
    failed: OSError = TimeoutError()
    for left, (family, place) in zip(range(len(turns), 0, -1), turns, strict=True):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A share of the time each: one that does not answer leaves some to the others.
            connection.settimeout(max(deadline.left / left, 0.001))
            connection.connect(place)
        except OSError as error:
            connection.close()
            failed = error
        else:
            return connection
    raise failed


def _within_tls(
    plain: socket.socket, request: Request, proxy: Proxy | None, deadline: Deadline
) -> ssl.SSLSocket:
    """Return the connection within TLS; through a proxy, that is first asked to open it."""
    if proxy:
        lines = f"CONNECT {_authority(request)} HTTP/1.1", f"Host: {_authority(request)}", AGENT
        opened = http1.head(plain, (*lines, *proxy.headers), deadline.left)
        if opened is None or opened.code not in _SUCCESS:
            said = f"answered {opened.code}" if opened else "closed the connection"
            raise NotHttp(f"the proxy {proxy.host}:{proxy.port} {said}")
    plain.settimeout(max(deadline.left, 0.001))
    return _context().wrap_socket(plain, server_hostname=request.address)


@cache
def _context() -> ssl.SSLContext:
    """What verifies certificates; the system's authorities are read once."""
    return ssl.create_default_context()
