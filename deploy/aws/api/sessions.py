"""Sessions of roles, shared with the AWS CLI: a second factor is asked for once, not each time."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.credentials import JSONFileCache
from botocore.exceptions import ProfileNotFound

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import botocore.session

FOLDER = "~/.aws/cli/cache"
"""Where the AWS CLI keeps them (AWS CLI user guide, "Use an IAM role in the AWS CLI")."""
PROVIDERS = ("assume-role", "assume-role-with-web-identity", "sso")


class SharedCache(JSONFileCache):  # type: ignore[misc] # botocore has no types
    """The AWS CLI's cache; where it cannot be written, sessions last as long as the command."""

    def __init__(self) -> None:
        super().__init__(Path(FOLDER).expanduser())

    def __setitem__(self, key: str, value: Any) -> None:
        with suppress(OSError):
            super().__setitem__(key, value)


def use(cache: MutableMapping[str, Any], session: botocore.session.Session) -> None:
    """Let a session's credentials come from this cache where they are of a role."""
    try:
        chain = session.get_component("credential_provider")
    except ProfileNotFound:  # reported by the first call
        return
    for name in PROVIDERS:
        chain.get_provider(name).cache = cache


def expiry(session: botocore.session.Session) -> datetime | None:
    """When a session's credentials end, where nothing renews them without a person.

    Those are keys of the environment, which botocore reads once, and a role's where its profile
    wants a second factor. botocore keeps the time of those that it may renew; of a session token in
    a file it knows none.
    """
    credentials = session.get_credentials()
    wants_factor = bool(session.get_scoped_config().get("mfa_serial"))
    method = getattr(credentials, "method", "")
    if method != "env" and not (method == "assume-role" and wants_factor):
        return None
    ends = getattr(credentials, "_expiry_time", None)
    return ends if isinstance(ends, datetime) else None
