"""The HTTP proxy that the environment names for an address, as curl and boto3 find it. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 80


@dataclass(frozen=True)
class Proxy:
    """A proxy that is spoken to over plain HTTP.

    Attributes:
        host: Its name or address.
        port: Its port.
        headers: Sent with each request to it: who asks, where its URL has that.
    """

    host: str
    port: int
    headers: Sequence[str] = ()


def of(host: str, *, is_tls: bool) -> Proxy | None:
    """Return the proxy for requests to a host; None where they go straight there.

    That is `https_proxy` or `http_proxy`, in either case, and `no_proxy` for the exceptions. Where
    a web server's CGI could have set it, `HTTP_PROXY` is not read (httpoxy).

    Raises:
        DeployError: The variable holds something else than the URL of an HTTP proxy. Its value is
            not repeated: it may hold a password.
    """
    proxies = getproxies_environment()
    name = "https" if is_tls else "http"
    url = proxies.get(name, "")
    if not url or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or PORT
    except ValueError:
        parts, port = urlsplit(""), PORT
    if parts.scheme != "http" or not parts.hostname:
        raise DeployError(
            f"{name}_proxy is no URL of an HTTP proxy, such as http://proxy.example.com:3128; "
            f"change it, or add {host} to no_proxy"
        )
    if parts.username is None:
        return Proxy(parts.hostname, port)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    word = base64.b64encode(login).decode()
    return Proxy(parts.hostname, port, (f"Proxy-Authorization: Basic {word}",))
