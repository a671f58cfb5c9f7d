"""Whatever the AWS tools' files hold, a session comes about or is refused in one message."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from contextlib import contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import botocore.loaders
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.aws.api.account import Account
from deploy.checkup import aws
from guard import damage, examples, paper
from guard.command import Ended, check, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guard.conftest import Ground

CONFIGS = (
    "",
    """\
[default]
region = eu-west-1
output = json
[profile base]
region = eu-west-1
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
retry_mode = adaptive
max_attempts = 3
[profile prod]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = base
role_session_name = deployer
duration_seconds = 3600
external_id = xx
region = eu-west-1
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = base
mfa_serial = arn:aws:iam::123456789012:mfa/someone
region = eu-west-1
""",
    """\
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
[profile prod]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Deploy
region = eu-west-1
[profile base]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Deploy
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/deploy
web_identity_token_file = token
region = eu-west-1
""",
    """\
[profile prod]
credential_process = printer --json
region = eu-west-1
services = local
ca_bundle = binary
use_fips_endpoint = false
sts_regional_endpoints = regional
[profile base]
role_arn = arn:aws:iam::123456789012:role/deploy
credential_source = Environment
[profile mfa]
login_session = arn:aws:iam::123456789012:user/x
[services local]
sts =
  endpoint_url = http://127.0.0.1:9
s3 =
    addressing_style = path
    nested =
        deep = 1
[plugins]
x = y
""",
)
CREDENTIALS = (
    "",
    """\
[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
[prod]
aws_access_key_id=AKIAIOSFODNN7EXAMPLE
aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
aws_session_token=FwoGZXIvYXdzEBYaD
x_security_token_expires = 2099-01-02T03:04:05+00:00
[base]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = x
aws_session_token = y
expiration = 2020-01-01T00:00:00Z
""",
)
WORDS = (
    *(
        "[",
        "]",
        "[]",
        "[profile]",
        "[profile ]",
        "[profile 'a b']",
        '[profile "prod]',
        "[default]",
        "[a b c]",
    ),
    *(
        "[sso-session]",
        "[services]",
        "[services local]",
        "[plugins]",
        "[preview]",
        "= x",
        "x",
        "x =",
        "key",
    ),
    *(
        "role_arn = x",
        "role_arn =",
        "source_profile = prod",
        "source_profile = nobody",
        "mfa_serial =",
    ),
    *(
        "credential_source = Ec2InstanceMetadata",
        "credential_source = EcsContainer",
        "credential_source = x",
    ),
    *(
        "credential_process =",
        "credential_process = '",
        "credential_process = folder",
        'credential_process = "',
    ),
    *(
        "region =",
        "region = x y",
        "region = ../../x",
        f"region = {'a' * 300}",
        "region = é",
        "region = aws-global",
    ),
    *(
        "duration_seconds = x",
        "duration_seconds = -1",
        "max_attempts = x",
        "max_attempts = 0",
        "retry_mode = x",
    ),
    *(
        "endpoint_url = x",
        "endpoint_url = http://",
        "endpoint_url = http://127.0.0.1:99999",
        "endpoint_url =",
    ),
    *("endpoint_url = https://user:pass@host.invalid/?q#f", "endpoint_url = file:///etc/passwd"),
    *(
        "ca_bundle = folder",
        "ca_bundle = pipe",
        "ca_bundle = nowhere",
        "use_fips_endpoint = x",
        "s3 = x",
    ),
    *(
        "use_dualstack_endpoint = true",
        "defaults_mode = x",
        "parameter_validation = x",
        "tcp_keepalive = x",
    ),
    *(
        "aws_session_token = é",
        "aws_access_key_id = a b",
        "aws_access_key_id = é",
        "aws_secret_access_key =",
    ),
    *(
        "aws_access_key_id =",
        "  aws_access_key_id = x",
        "sso_start_url = é",
        "sso_region = x/y",
        "sso_session =",
    ),
    *("sso_session = nobody", "web_identity_token_file = pipe", "web_identity_token_file = folder"),
    *(
        "web_identity_token_file = nowhere",
        "request_min_compression_size_bytes = x",
        "expiration = x",
    ),
    *(
        "x_security_token_expires = 9999-99-99",
        "x_security_token_expires = 0001-01-01T00:00:00+23:59",
    ),
    *(
        "expiration = 2024-01-01T00:00:00",
        "expiration = 9999-12-31T23:59:59-23:59",
        "sigv4a_signing_region_set = ,",
    ),
    *(
        "account_id_endpoint_mode = x",
        "user_agent_appid = é",
        "auth_scheme_preference = x",
        "client_context = x",
    ),
    *(
        "  nested = 1",
        "    a",
        "s3 =\n  a",
        "s3 =\n  a = b\n    c = d",
        "endpoint_discovery_enabled = x",
        "cli_timestamp_format = %",
    ),
    *damage.WORDS,
)
TOKENS = (
    '{"startUrl": "https://corp.awsapps.com/start", "accessToken": "x", "region": "eu-west-1",'
    ' "expiresAt": "2099-01-01T00:00:00Z"}',
    '{"startUrl": "https://corp.awsapps.com/start", "accessToken": "x",'
    ' "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "x",'
    ' "clientId": "x", "clientSecret": "x",'
    ' "registrationExpiresAt": "2099-01-01T00:00:00Z"}',
    '{"Credentials": {"AccessKeyId": "x", "SecretAccessKey": "x", "SessionToken": "x",'
    ' "Expiration": "2099-01-01T00:00:00Z"}}',
)
TOKEN_WORDS = (
    "null",
    "[]",
    "{}",
    "1",
    '"',
    "NaN",
    '"x"',
    '{"a": ' * 900,
    "1e999",
    '"2099"',
    *damage.WORDS,
)
AWS = (
    *(
        "{}",
        "{region: eu-west-1}",
        "{profile: prod}",
        "{profile: base, region: eu-west-1}",
        "{profile: mfa}",
    ),
    *("{profile: prod, credentials_file: folder}", "{credentials_file: pipe}", "{profile: nobody}"),
    *(
        "{profile: ''}",
        "{region: 'a b'}",
        "{region: ''}",
        "{profile: 'é'}",
        "{credentials_file: nowhere}",
    ),
    *('{profile: prod, account: "123456789012"}', '{region: "../x", profile: default}'),
)
ENVIRONS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"AWS_PROFILE": "prod"},
    {"AWS_PROFILE": "nobody", "AWS_REGION": "eu-west-1"},
    {"AWS_ACCESS_KEY_ID": "x", "AWS_DEFAULT_REGION": "eu-west-1"},
    {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "é", "AWS_SESSION_TOKEN": "\n"},
    {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_CREDENTIAL_EXPIRATION": "soon"},
    {"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": "nowhere"},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/x"},
    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "é"},
    {"AWS_MAX_ATTEMPTS": "x", "AWS_RETRY_MODE": "x"},
    {"AWS_CONFIG_FILE": "pipe", "AWS_SHARED_CREDENTIALS_FILE": "folder"},
    {"AWS_CA_BUNDLE": "nowhere", "AWS_STS_REGIONAL_ENDPOINTS": "x"},
    {"AWS_USE_FIPS_ENDPOINT": "x", "AWS_DATA_PATH": "binary", "AWS_DEFAULTS_MODE": "auto"},
)
IDENTITY = """\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>x</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
CREDENTIAL = (
    "<AccessKeyId>x</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>x</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration>"
)
ROLE = (
    '<AssumeRole{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRole{0}Result>'
    "<Credentials>{1}</Credentials><AssumedRoleUser><Arn>x</Arn><AssumedRoleId>x</AssumedRoleId>"
    "</AssumedRoleUser></AssumeRole{0}Result></AssumeRole{0}Response>"
)


class Answers(http.server.BaseHTTPRequestHandler):
    """AWS, as far as a login asks it."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        kind = "WithWebIdentity" if "WithWebIdentity" in asked else ""
        taken = "AssumeRole" in asked
        self._say(ROLE.format(kind, CREDENTIAL) if taken else IDENTITY)

    def do_GET(self) -> None:
        found = {
            "accessKeyId": "x",
            "secretAccessKey": "x",
            "sessionToken": "x",
            "expiration": 4e12,
        }
        self._say(json.dumps({"roleCredentials": found}))

    def _say(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[str]:
    """An address of this machine where AWS answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def cloud(ground: Ground) -> Iterator[Ground]:
    """The ground with an account that reads files, and asks this machine alone."""
    with answering() as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "Account", Account)
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        # Each session would read botocore's own data anew.
        loader = lru_cache(botocore.loaders.create_loader)
        patch.setattr(botocore.session, "create_loader", loader)
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
        yield ground


def status(ground: Ground, aws: str) -> Ended:
    """Open a session, and look at a host."""
    text = paper.SETTINGS.format(fabric="", hosts="[web-1.example.com]", ssh="{}", aws=aws)
    (ground.project / "fabric.yaml").write_text(text)
    return run("status", "--env", "lab")


def lay_out(ground: Ground) -> None:
    """Put the files there that the files above name, and empty caches."""
    ground.clear()
    key = paper.HOST_KEY
    (ground.home / ".ssh/known_hosts").write_text(f"* {key.get_name()} {key.get_base64()}\n")
    paper.lay_key(ground.home / ".ssh/id_ecdsa")
    (ground.project / "token").write_text("x")
    for folder in ("cli/cache", "sso/cache"):
        (ground.home / ".aws" / folder).mkdir(parents=True)


@examples.of_each
@given(
    config=damage.damaged(CONFIGS, WORDS),
    credentials=damage.damaged(CREDENTIALS, WORDS),
    places=st.tuples(damage.places, damage.places),
    aws=st.sampled_from(AWS),
    environ=st.sampled_from(ENVIRONS),
)
def test_damaged_files_of_the_aws_tools_are_followed_or_refused(
    cloud: Ground,
    config: bytes,
    credentials: bytes,
    places: tuple[str, str],
    aws: str,
    environ: dict[str, str],
) -> None:
    lay_out(cloud)
    damage.put(places[0], cloud.home / ".aws/config", config)
    damage.put(places[1], cloud.home / ".aws/credentials", credentials)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        ended = check(status(cloud, aws))
    assert ended.code in {0, 1, 2}


@examples.of_each
@given(
    text=damage.damaged(TOKENS, TOKEN_WORDS),
    place=damage.places,
    config=st.sampled_from(CONFIGS[1:3]),
    profile=st.sampled_from(("prod", "base")),
)
def test_a_damaged_login_or_session_is_used_or_refused(
    cloud: Ground, text: bytes, place: str, config: str, profile: str
) -> None:
    lay_out(cloud)
    (cloud.home / ".aws/config").write_text(config)
    check(status(cloud, f"{{profile: {profile}}}"))  # which names the files of the caches
    for name in logins():
        damage.put(place, cloud.home / f".aws/sso/cache/{name}.json", text)
    for session_file in (cloud.home / ".aws/cli/cache").iterdir():
        session_file.unlink()
        damage.put(place, session_file, text)
    ended = check(status(cloud, f"{{profile: {profile}}}"))
    assert ended.code in {0, 1, 2}


def logins() -> tuple[str, ...]:
    """What botocore calls the files of logins: by their session's name or start URL."""
    named = ("corp", "https://corp.awsapps.com/start")
    return tuple(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest() for name in named)


@pytest.mark.parametrize("profile", ["base", "prod", "default"])
def test_control_a_valid_session_is_opened(cloud: Ground, profile: str) -> None:
    lay_out(cloud)
    (cloud.home / ".aws/config").write_text(CONFIGS[1])
    (cloud.home / ".aws/credentials").write_text(CREDENTIALS[1])
    assert "healthy" in check(status(cloud, f"{{profile: {profile}, region: eu-west-1}}")).out


def test_a_second_factor_without_a_terminal_is_asked_for_nowhere(cloud: Ground) -> None:
    lay_out(cloud)
    (cloud.home / ".aws/config").write_text(CONFIGS[1])
    ended = check(status(cloud, "{profile: mfa}"))
    assert ended.code == 2
    assert "MFA code" in ended.err
