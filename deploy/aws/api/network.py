"""What of the environment decides how AWS is reached: proxies, and other endpoints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.errors import ApiError

PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
"""The variables that botocore reads a proxy from, by the scheme of what it calls; the lower-case
name counts where both are set.
"""
ENDPOINT = "AWS_ENDPOINT_URL"
"""botocore reads the endpoint of every service from it, or of one: `AWS_ENDPOINT_URL_STS`."""


def to_check(error: ApiError, environ: Mapping[str, str]) -> str:
    """Return what to check where the first call of AWS got no answer that helps."""
    if error.code == "ProxyConnectionError":
        names = [name for name in PROXIES[:2] if environ.get(name)] or ["the variable https_proxy"]
        return f"the proxy in {names[0]}, and whether it serves from here"
    if not (error.may_pass or "Region" in error.code):
        return "`aws:` in fabric.yaml, and ~/.aws/config"
    endpoints = [
        name
        for name, value in sorted(environ.items())
        if name.startswith(ENDPOINT) and value and value.rstrip("/") in str(error)
    ]
    if endpoints:
        return f"{endpoints[-1]}, which names that address, and your network"
    return "the region under `aws:` in fabric.yaml, and your network"


def of_proxy(where: str, environ: Mapping[str, str]) -> BadInput | None:
    """Return the error for a proxy whose address cannot be read; None where each can.

    The address is not repeated, since it may hold a password. where: the call, as the message
    begins.
    """
    for name in PROXIES:
        if _is_unreadable(environ.get(name, "")):
            return BadInput(
                f"{where}: the address in {name} cannot be read; write it as "
                "http://proxy.example.com:3128, and in a name or a password # as %23, / as %2F and "
                "@ as %40"
            )
    return None


def _is_unreadable(address: str) -> bool:
    """Whether a proxy's address has no host, or a port that is no number; not an empty one."""
    if not address:
        return False
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return True
    return not host or port == 0
