"""When credentials end, as profiles, variables and login tokens state it. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

RENEWED_BEFORE = timedelta(minutes=10)
"""From so long before their end on botocore uses a role's credentials no more (mandatory refresh,
botocore/credentials.py)."""
KEYS = ("aws_access_key_id", "aws_secret_access_key")
TOKENS = ("aws_session_token", "aws_security_token")
ENDS = ("x_security_token_expires", "aws_expiration", "expiration")
"""The keys by which tools write a token's end into the credentials file (saml2aws, Leapp, aws-mfa).
botocore reads none of them."""
RENEWAL = ("refreshToken", "clientId", "clientSecret", "registrationExpiresAt")
"""What a login token must have for botocore to renew it (botocore/tokens.py)."""


@dataclass(frozen=True)
class Lifetime:
    """How long credentials last.

    Attributes:
        ends: When a person has to renew them; None where something else does, or if not known.
        is_unknown: Whether they end, at a time that is written nowhere.
    """

    ends: datetime | None = None
    is_unknown: bool = False

    def seconds_left(self, now: datetime) -> float | None:
        """Return how many seconds they last from now on; None without a known end."""
        return None if self.ends is None else (self.ends - now).total_seconds()


RENEWED = Lifetime()
"""Something renews them, or they are keys without an end."""
UNKNOWN = Lifetime(is_unknown=True)

Profile = dict[str, Any]


@dataclass(frozen=True)
class Profiles:
    """What is known beside a profile itself.

    Attributes:
        profiles: Each profile's keys, by its name.
        role_ends: The ends of the sessions of roles that were taken or read from the cache.
        login: Return the login token of a single sign-on, by its session's name or start URL.
        variables: The environment's.
    """

    profiles: Mapping[str, Profile]
    role_ends: Iterable[datetime]
    login: Callable[[str], Mapping[str, Any] | None]
    variables: Mapping[str, str]

    def lifetime(self, name: str) -> Lifetime:
        """Return how long the credentials of a profile last, as botocore finds them."""
        return self._of(name, frozenset())

    def _of(self, name: str, visited: frozenset[str]) -> Lifetime:
        profile = self.profiles.get(name, {})
        # As a source, keys come before a role (AssumeRoleProvider).
        is_source_with_keys = bool(visited) and any(key in profile for key in KEYS)
        if "web_identity_token_file" in profile:
            return RENEWED
        if "role_arn" in profile and not is_source_with_keys and name not in visited:
            return self._of_role(name, profile, visited | {name})
        if "sso_role_name" in profile or "sso_account_id" in profile:
            return self._of_login(profile)
        if KEYS[0] in profile:
            return of_token(profile)
        return RENEWED

    def _of_role(self, name: str, profile: Profile, visited: frozenset[str]) -> Lifetime:
        """It is renewed for as long as its source lasts, which is a person where MFA is wanted."""
        if "mfa_serial" in profile:
            own = self._own_end
            return UNKNOWN if own is None else Lifetime(own)
        if profile.get("credential_source") == "Environment":
            return self._until(of_variables(self.variables))
        if "source_profile" not in profile:
            return RENEWED
        source = str(profile["source_profile"])
        if source == name:  # it may name itself, for its own keys
            return self._until(of_token(profile))
        return self._until(self._of(source, visited))

    def _of_login(self, profile: Profile) -> Lifetime:
        """Until the login's token ends; botocore renews that too while its registration lasts."""
        session = profile.get("sso_session")
        token = self.login(str(session or profile.get("sso_start_url", ""))) or {}
        is_renewed = session and all(key in token for key in RENEWAL)
        written = [token.get("expiresAt"), token.get(RENEWAL[-1]) if is_renewed else None]
        ends = [found for each in written if (found := moment(each))]
        return self._until(Lifetime(max(ends))) if ends else RENEWED

    def _until(self, source: Lifetime) -> Lifetime:
        """What a source renews: it lasts as long as that, and what was taken of it last, longer."""
        own = self._own_end
        if source.ends is None or own is None:
            return source
        return Lifetime(max(own, source.ends))

    @property
    def _own_end(self) -> datetime | None:
        """Until when botocore uses the sessions of roles that it has."""
        newest = max(self.role_ends, default=None)
        return None if newest is None else newest - RENEWED_BEFORE


def of_token(profile: Profile) -> Lifetime:
    """Return how long the keys that a profile has last; those without a token have no end."""
    if not any(profile.get(key) for key in TOKENS):
        return RENEWED
    ends = next((found for key in ENDS if (found := moment(profile.get(key)))), None)
    return UNKNOWN if ends is None else Lifetime(ends)


def of_variables(variables: Mapping[str, str]) -> Lifetime:
    """Return how long the keys of the environment last, which botocore reads once."""
    ends = moment(variables.get("AWS_CREDENTIAL_EXPIRATION"))
    if ends is not None:
        return Lifetime(ends)
    has_token = any(variables.get(key.upper()) for key in TOKENS)
    return UNKNOWN if has_token else RENEWED


def moment(written: object) -> datetime | None:
    """Return the moment that a text names; one without a zone is UTC. None for another text."""
    found = written if isinstance(written, datetime) else None
    if isinstance(written, str):
        with suppress(ValueError):  # "…UTC" is how botocore and the AWS CLI write it
            found = datetime.fromisoformat(written.strip().removesuffix("UTC").strip())
    if found is None:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
