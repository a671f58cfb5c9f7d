"""How long credentials last, by what profiles, variables and login tokens say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.aws.api import lifetime
from deploy.aws.api.lifetime import RENEWED, UNKNOWN, Lifetime, Profiles

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
HOUR, BEFORE = timedelta(hours=1), timedelta(minutes=10)
LATE = NOW + 8 * HOUR
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
TOKEN = KEYS | {"aws_session_token": "x"}
ROLE = {"role_arn": "arn:aws:iam::1:role/r"}
SSO = {"sso_role_name": "r", "sso_account_id": "1", "sso_start_url": "https://x"}
DAY = timedelta(days=1)
RENEWABLE = dict.fromkeys(lifetime.RENEWAL, "x")
RENEWABLE["registrationExpiresAt"] = (NOW + 60 * DAY).isoformat()

# By name: the profiles, the ends of roles' sessions, the login's token, variables; what is found.
CASES: dict[str, tuple[dict[str, Any], list[datetime], Any, dict[str, str], Lifetime]] = {
    "keys of a user": ({"p": KEYS}, [], None, {}, RENEWED),
    "a token without an end": ({"p": TOKEN}, [], None, {}, UNKNOWN),
    "saml2aws": (
        {"p": TOKEN | {"x_security_token_expires": "2026-11-29T20:00:00Z"}},
        [],
        None,
        {},
        Lifetime(LATE),
    ),
    "an end with a zone": (
        {"p": TOKEN | {"aws_expiration": "2026-11-29T22:00:00+0200"}},
        [],
        None,
        {},
        Lifetime(LATE),
    ),
    "aws-mfa": ({"p": TOKEN | {"expiration": "2026-11-29 20:00:00"}}, [], None, {}, Lifetime(LATE)),
    "no moment": ({"p": TOKEN | {"aws_expiration": "soon"}}, [], None, {}, UNKNOWN),
    "a role": ({"p": ROLE | {"source_profile": "s"}, "s": KEYS}, [NOW + HOUR], None, {}, RENEWED),
    "a role with MFA": (
        {"p": ROLE | {"source_profile": "s", "mfa_serial": "m"}, "s": KEYS},
        [NOW + HOUR],
        None,
        {},
        Lifetime(NOW + HOUR - BEFORE),
    ),
    "a source with MFA for twelve hours": (
        {
            "p": ROLE | {"source_profile": "s"},
            "s": ROLE | {"source_profile": "t", "mfa_serial": "m"},
            "t": KEYS,
        },
        [NOW + HOUR, LATE],
        None,
        {},
        Lifetime(LATE - BEFORE),
    ),
    "a source whose token ends": (
        {"p": ROLE | {"source_profile": "s"}, "s": TOKEN | {"aws_expiration": LATE.isoformat()}},
        [NOW + HOUR],
        None,
        {},
        Lifetime(LATE),
    ),
    "a source whose token ends before the session": (
        {"p": ROLE | {"source_profile": "s"}, "s": TOKEN | {"aws_expiration": NOW.isoformat()}},
        [NOW + HOUR],
        None,
        {},
        Lifetime(NOW + HOUR - BEFORE),
    ),
    "a source with a token without an end": (
        {"p": ROLE | {"source_profile": "s"}, "s": TOKEN},
        [NOW + HOUR],
        None,
        {},
        UNKNOWN,
    ),
    "its own source": ({"p": ROLE | KEYS | {"source_profile": "p"}}, [], None, {}, RENEWED),
    "a source with keys and a role": (
        {"p": ROLE | {"source_profile": "s"}, "s": ROLE | TOKEN | {"source_profile": "p"}},
        [],
        None,
        {},
        UNKNOWN,
    ),
    "the environment as source": (
        {"p": ROLE | {"credential_source": "Environment"}},
        [NOW + HOUR],
        None,
        {"AWS_SESSION_TOKEN": "x", "AWS_CREDENTIAL_EXPIRATION": LATE.isoformat()},
        Lifetime(LATE),
    ),
    "the instance as source": (
        {"p": ROLE | {"credential_source": "Ec2InstanceMetadata"}},
        [NOW + HOUR],
        None,
        {},
        RENEWED,
    ),
    "a web identity": ({"p": ROLE | {"web_identity_token_file": "f"}}, [NOW], None, {}, RENEWED),
    "a login": (
        {"p": SSO},
        [NOW + HOUR],
        {"https://x": {"expiresAt": "2026-11-29T20:00:00Z"}},
        {},
        Lifetime(LATE),
    ),
    "a login that ends before what it gave": (
        {"p": SSO},
        [NOW + HOUR],
        {"https://x": {"expiresAt": "2026-11-29T12:00:00UTC"}},
        {},
        Lifetime(NOW + HOUR - BEFORE),
    ),
    "a login that botocore renews": (
        {"p": SSO | {"sso_session": "own"}},
        [NOW + HOUR],
        {"own": {"expiresAt": NOW.isoformat()} | RENEWABLE},
        {},
        Lifetime(NOW + 60 * DAY),
    ),
    "a login whose registration is over": (
        {"p": SSO | {"sso_session": "own"}},
        [],
        {"own": RENEWABLE | {"expiresAt": LATE.isoformat(), "registrationExpiresAt": "2026-11-01"}},
        {},
        Lifetime(LATE),
    ),
    "no login": ({"p": SSO}, [], None, {}, RENEWED),
    "a login by a session that botocore cannot renew": (
        {"p": SSO | {"sso_session": "own"}},
        [],
        {"own": {"expiresAt": LATE.isoformat()}},
        {},
        Lifetime(LATE),
    ),
    "a login as source": (
        {"p": ROLE | {"source_profile": "s"}, "s": SSO},
        [NOW + HOUR],
        {"https://x": {"expiresAt": LATE.isoformat()}},
        {},
        Lifetime(LATE),
    ),
    "a process": ({"p": {"credential_process": "x"}}, [], None, {}, RENEWED),
    "a profile that is none": ({}, [], None, {}, RENEWED),
}


@pytest.mark.parametrize("name", CASES)
def test_credentials_last_until_a_person_has_to_renew_them(name: str) -> None:
    profiles, ends, tokens, variables, expected = CASES[name]
    login = (tokens or {}).get
    assert Profiles(profiles, ends, login, variables).lifetime("p") == expected


def test_seconds_are_left_until_a_known_end() -> None:
    assert Lifetime(NOW + HOUR).seconds_left(NOW) == 3600
    assert RENEWED.seconds_left(NOW) is None
    assert UNKNOWN.seconds_left(NOW) is None
