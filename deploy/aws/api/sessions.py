"""Sessions of assumed roles, shared with the AWS CLI; an MFA code is asked for once, first."""

from __future__ import annotations

import getpass
import hashlib
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.credentials import JSONFileCache, RefreshableCredentials
from botocore.exceptions import ProfileNotFound

from deploy.aws.api import credential_process, lifetime
from deploy.aws.api.lifetime import Lifetime, Profiles
from deploy.errors import BadInput, CredentialsRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import botocore.session

FOLDER = "~/.aws/cli/cache"
"""Where the AWS CLI keeps them (AWS CLI user guide, "Use an IAM role in the AWS CLI")."""
LOGINS = "~/.aws/sso/cache"
"""Where `aws sso login` keeps its tokens."""
PROVIDERS = ("assume-role", "assume-role-with-web-identity", "sso")
OF_PROFILES = frozenset({"assume-role", "sso", "shared-credentials-file", "config-file"})
FACTOR_DIGITS = 6


class Files(JSONFileCache):  # type: ignore[misc] # botocore has no types
    """A folder of JSON files; what is there and is no file, such as a pipe, is never waited for."""

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def __getitem__(self, key: str) -> Any:
        if not self._path(key).is_file():
            raise KeyError(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        path = self._path(key)
        if path.is_file() or not path.exists():
            super().__setitem__(key, value)

    def _path(self, key: str) -> Path:
        return Path(self._convert_cache_key(key))


class SharedCache(Files):
    """The AWS CLI's cache; where it cannot be written, sessions last as long as the command.

    refused: the access keys of sessions that AWS refused, which are not read again; given: the
    ends of the sessions that were read from here or put here, by access key.
    """

    def __init__(self, refused: Iterable[str] = ()) -> None:
        super().__init__(_at_home(FOLDER))
        self.refused = frozenset(refused)
        self.given: dict[str, datetime] = {}

    def __contains__(self, key: str) -> bool:
        """Whether there is a session that can be used, which a damaged file is not."""
        return self._found(key) is not None

    def __getitem__(self, key: str) -> Any:
        found = self._found(key)
        if found is None:
            raise KeyError(key)
        self._note(found)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self._note(value)
        with suppress(OSError):
            super().__setitem__(key, value)

    def _found(self, key: str) -> Any:
        found = None
        with suppress(KeyError):
            found = super().__getitem__(key)
        access_key, ends = _named(found)
        return found if ends and access_key not in self.refused else None

    def _note(self, value: Any) -> None:
        access_key, ends = _named(value)
        if ends:
            self.given[access_key] = ends


def _named(value: Any) -> tuple[str, datetime | None]:
    """The access key of a session in the cache, and its end; None where it is none."""
    given = value.get("Credentials") if isinstance(value, dict) else None
    if not isinstance(given, dict) or not {"SecretAccessKey", "SessionToken"} <= given.keys():
        return "", None
    return str(given.get("AccessKeyId", "")), lifetime.moment(given.get("Expiration"))


class Factor:
    """Asks for the codes of second factors, until the command is logged in.

    After that a screen is drawn, and hosts may be out of service: a question would hang unseen.
    """

    def __init__(self) -> None:
        self.is_over = False

    def __call__(self, prompt: str) -> str:
        """Return the code that was typed.

        Raises BadInput for one that cannot be a code, CredentialsRefused where it is too late, and
        EOFError without a terminal.
        """
        if self.is_over:
            raise CredentialsRefused(
                "AWS takes the role's session no more, and a new one needs an MFA code, which is "
                "asked for only when a command begins: run the same command again"
            )
        with warnings.catch_warnings():
            # It would read standard input next: a pipe without an end, or the script of a CI job.
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                code = getpass.getpass(prompt).strip()
            except getpass.GetPassWarning as error:
                raise EOFError from error
        if len(code) != FACTOR_DIGITS or not (code.isascii() and code.isdigit()):
            raise BadInput(f"an MFA code has {FACTOR_DIGITS} digits: run the same command again")
        return code


def use(cache: SharedCache, factor: Factor, session: botocore.session.Session) -> None:
    """Let a session's credentials come from this cache where they are of a role."""
    try:
        chain = session.get_component("credential_provider")
    except ProfileNotFound:  # reported by the first call
        return
    for name in PROVIDERS:
        chain.get_provider(name).cache = cache
    # As the AWS CLI does; there is no other way to the chain's own providers.
    chain.get_provider("assume-role")._prompter = factor  # noqa: SLF001
    credential_process.bound(session, chain)
    sign_on, tokens = chain.get_provider("sso"), Files(_at_home(LOGINS))
    sign_on._token_cache = tokens  # noqa: SLF001 - as above
    sign_on._token_provider._token_loader._cache = tokens  # noqa: SLF001 - as above


def log_in(session: botocore.session.Session, cache: SharedCache) -> Lifetime:
    """Get a session's credentials; returns how long they last.

    Here a role is taken, and a code asked for where its profile wants a second factor. botocore
    cannot renew such a session: from 10 minutes before its end it would raise an error in place of
    using it. So its keys are made the session's own, which are used until AWS refuses them.
    """
    credentials = session.get_credentials()
    if credentials is None:  # reported by the first call
        return lifetime.RENEWED
    frozen = credentials.get_frozen_credentials()
    method = getattr(credentials, "method", "")
    if method == "env":
        return lifetime.of_variables(os.environ)
    if method not in OF_PROFILES:
        # What a process, an instance or a container gave, which botocore asks again.
        is_fixed = frozen.token and not isinstance(credentials, RefreshableCredentials)
        return lifetime.UNKNOWN if is_fixed else lifetime.RENEWED
    name = session.get_config_variable("profile") or "default"
    wants_factor = "mfa_serial" in session.full_config.get("profiles", {}).get(name, {})
    if method == "assume-role" and wants_factor and frozen.access_key in cache.given:
        session.set_credentials(frozen.access_key, frozen.secret_key, frozen.token)
        return Lifetime(cache.given[frozen.access_key])
    profiles = session.full_config.get("profiles", {})
    return Profiles(profiles, cache.given.values(), _login, os.environ).lifetime(name)


def _at_home(folder: str) -> Path:
    """A folder at home; one that is not there for a user without a home, as in some containers."""
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        return Path("/nonexistent")


def _login(name: str) -> Mapping[str, Any] | None:
    """The token of a single sign-on, by its session's name or its start URL."""
    key = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    try:
        found = Files(_at_home(LOGINS))[key]
    except KeyError:
        return None
    return found if isinstance(found, dict) else None
