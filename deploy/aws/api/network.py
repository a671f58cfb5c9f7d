"""What of the environment decides how AWS is reached: proxies, and other endpoints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.api.credential_errors import first_line
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.errors import ApiError

PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
"""The variables that urllib reads a proxy from; the lower-case name counts where both are set."""
ENDPOINT = "AWS_ENDPOINT_URL"
"""botocore reads the endpoint of every service from it, or of one: `AWS_ENDPOINT_URL_STS`."""


def to_check(error: ApiError, environ: Mapping[str, str]) -> str:
    """Return what to check where the first call of AWS got no answer that helps."""
    if error.code == "ProxyConnectionError":
        return f"the proxy in {_set(environ) or 'HTTPS_PROXY'}, and whether it serves from here"
    if not (error.may_pass or "Region" in error.code):
        return "`aws:` in fabric.yaml, and ~/.aws/config"
    endpoints = sorted(name for name in environ if name.startswith(ENDPOINT) and environ[name])
    if endpoints and "onnect" in error.code:  # EndpointConnectionError, ConnectTimeoutError
        return f"{', '.join(endpoints)}, which names that address, and your network"
    return "the region under `aws:` in fabric.yaml, and your network"


def of_proxy(cause: object, where: str, environ: Mapping[str, str]) -> BadInput | None:
    """Return the error for a proxy's address that cannot be read; None for another cause.

    where: the call, as the message begins.
    """
    # urllib3's LocationParseError is a ValueError too.
    if not (_set(environ) and isinstance(cause, ValueError)):
        return None
    return BadInput(
        f"{where}: the address of the proxy in {_set(environ)} cannot be read: "
        f"{first_line(cause)}; write it as http://proxy.example.com:3128"
    )


def _set(environ: Mapping[str, str]) -> str:
    """The variables that name a proxy, in words; empty for none."""
    return ", ".join(name for name in PROXIES if environ.get(name))
