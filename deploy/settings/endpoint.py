"""Decides whether credentials may be sent to the address of an API. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def problem(url: str) -> str:
    """Say why an API's address may not be used; empty where it may.

    Requests carry a session token, so that plain HTTP must not leave this machine.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}"
    is_plain = bool(
        re.fullmatch(
            r"https?://[\[\]A-Za-z0-9.:_-]+/?[A-Za-z0-9/._~-]*", url, re.ASCII | re.IGNORECASE
        )
    )
    if not host or not is_plain:
        return f"{url!r} must be a URL such as https://api.example.com, without user or query"
    if parts.scheme == "https" or _is_loopback(host):
        return ""
    return (
        f"{url!r} would send credentials in clear text; write https://, or a loopback address "
        "such as http://127.0.0.1:8080"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
