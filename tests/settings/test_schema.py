"""The settings' JSON Schema agrees with what a command reads, as far as a schema can say."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from deploy.cli.tasks import SCHEMA
from deploy.errors import BadInput
from deploy.settings import load
from deploy.unit import limits, sandbox
from settings.test_load import BAD, FILE, in_environment, with_key

ROOT = Path(__file__).parent.parent.parent
TEXT = json.loads(SCHEMA.read_text())
CHECK = Draft202012Validator(TEXT)


def errors(text: str) -> list[str]:
    """What the schema finds wrong with a settings file."""
    return [each.message for each in CHECK.iter_errors(YAML(typ="safe").load(text))]


def refused(text: str, folder: Path) -> str:
    """What a command finds wrong with it; empty where it reads it."""
    (folder / "fabric.yaml").write_text(text)
    (folder / "fleet.yaml").write_text("hosts: [one]\n")
    try:
        load.load(folder / "fabric.yaml", "lab")
    except BadInput as error:
        return str(error)
    return ""


NEEDS_TWO_PLACES = {
    "no package",
    "no target group",
    "surge in one slot",
    "a proxy before two slots",
    "an app on the port of another's proxy",
    "two apps on one port",
    "two apps in one group",
    "unknown app",
    "run_once beside a trial start",
    "the lab is not running",  # it needs a look at the disk
}
"""What a command refuses and a schema cannot: it looks at two places, or beyond the file."""
NEEDS_QUOTES = {
    "a variable of a shell in small letters",
    "a variable of Windows",
    "two commands",
    "a pipe",
    "a file to write to",
    "an error stream",
    "a command in the background",
    "two commands by a semicolon",
    "a command's output",
    "a variable before a command",
    "a home folder",
    "a placeholder of templates",
    "an expression of a CI system",
    "a variable of Octopus",
    "a path of Windows",
    "a variable in a check command",
    "run_once without a program",
    "run_once with a quote open",
    "run_once in shell",
    *(name for name in BAD if name.startswith("a command with a ")),
}
"""The same: it takes a command apart, for which one pattern is not enough."""


NO_YAML = (
    *("duplicate key", "surrogate", "no valid YAML", "merge key", "document", "the tag"),
    *("a key must be text", "is indented with"),
)
"""Parts of the messages for a file that has no values which a schema could look at."""
SEEN = {
    name: change
    for name, (change, expected) in BAD.items()
    if not any(part in expected for part in NO_YAML)
}


@pytest.mark.parametrize("name", SEEN)
def test_what_a_command_refuses_the_schema_refuses(name: str) -> None:
    text = FILE.replace(*SEEN[name], 1)
    assert bool(errors(text)) is (name not in NEEDS_TWO_PLACES | NEEDS_QUOTES)


def rollout(lines: str) -> tuple[str, str]:
    return "batch: 1", lines


TWO_PORTS = FILE.replace("[5000]", "[5000, 5001]")
OWN_APP = "apps: {web: {package: a.*.zip, ports: [1], target_group: x}}"
NO_BASE = "deploy:\n  environments:\n    lab:\n      hosts: [one]\n"
CASES: dict[str, tuple[tuple[str, str], bool]] = {
    "as it is": (("", ""), True),
    "a worker": (
        (
            "ports: [5000]\n      target_group: web-lab",
            "ports: []\n      target_group: none\n      health: {command: ./check}",
        ),
        True,
    ),
    **{
        f"batch {value}": (rollout(f"batch: {value}"), is_good)
        for value, is_good in {
            "3": True,
            "25%": True,
            '" 25% "': True,
            '"3"': True,
            '"007"': True,
            "100%": True,
            "0100%": True,
            "[1, 25%, 50%]": True,
            '["1"]': True,
            "000%": False,
            "0.5": False,
            "101%": False,
            "1000%": False,
            "-1": False,
            '"0"': False,
            "[]": False,
            "[0%]": False,
            "[[1]]": False,
            "1,25%,50%": False,
            "{a: 1}": False,
        }.items()
    },
    **{
        f"{key} {value}": (rollout(f"{key}: {value}"), is_good)
        for key in ("max_failures", "min_in_service")
        for value, is_good in {
            "0": True,
            "0%": True,
            "12": True,
            '" 10% "': True,
            "100%": True,
            "101%": False,
            "-1": False,
            "1.5": False,
            "true": False,
            "some": False,
            "[1]": False,
        }.items()
    },
    "no share in service": (rollout("min_in_service:"), True),
    "no share of failures": (rollout("max_failures:"), False),
    "window": (rollout("window: 2"), True),
    "window null and batch": (rollout("window:\n        batch: 2"), True),
    "window and batch": (rollout("window: 2\n        batch: 2"), False),
    "verify nothing": (with_key("verify: {}"), False),
    "verify by nulls": (with_key("verify: {sha256sums: , minisign: }"), False),
    "verify by one": (with_key("verify: {sha256sums: , minisign: key.pub}"), True),
    "verify by an empty text": (with_key('verify: {minisign: ""}'), False),
    "no verify": (with_key("verify:"), True),
    "verify nothing of an environment": (in_environment("verify: {}"), False),
    "verify of an environment": (in_environment("verify: {sha256sums: SUMS}"), True),
    "tags": (("[one, two]", "{tags: {Role: web}}"), True),
    "no tags": (("[one, two]", "{tags: {}}"), False),
    "hosts without tags": (("[one, two]", "{}"), False),
    "a tag that is a number": (("[one, two]", "{tags: {Role: 1}}"), False),
    "a line break in a tag's name": (("[one, two]", r'{tags: {"a\nb": x}}'), False),
    **{
        f"sandbox {name}": (with_key(f"sandbox: {{{name}: false}}"), True)
        for name in sorted(sandbox.REMOVABLE)
    },
    **{
        f"limits {name}": (with_key(f"limits: {{{name}: 65536}}"), True)
        for name in sorted(limits.NAMES)
    },
    **{
        f"a limit of {value}": (with_key(f"limits: {{LimitNOFILE: {value}}}"), is_good)
        for value, is_good in {
            "0": True,
            '"1024:65536"': True,
            "infinity": True,
            "64K": True,
            "-1": False,
            "1.5": False,
            "true": False,
            '""': False,
            "many": False,
            "[1]": False,
        }.items()
    },
    "a limit of the sandbox": (with_key("limits: {LimitCORE: 0}"), False),
    "no limits": (with_key("limits:"), False),
    "a directive that must stay": (with_key("sandbox: {RestrictNamespaces: true}"), False),
    "an unknown directive": (with_key("sandbox: {PrivateMount: false}"), False),
    "an empty sandbox": (with_key("sandbox: {}"), True),
    **{
        f"an app called {name}": (("    web:", f"    {name}:"), is_good)
        for name, is_good in {
            "a": True,
            "web-2": True,
            "a" * 31: True,
            "a" * 32: False,
            "Web": False,
            "2web": False,
            "we_b": False,
            '"we b"': False,
            '""': False,
        }.items()
    },
    "empty apps, and an environment's own": (
        (FILE, f"deploy:\n  apps:\n  environments:\n    lab: {{hosts: [one], {OWN_APP}}}\n"),
        True,
    ),
    "no apps, and an environment's own": ((FILE, f"{NO_BASE}      {OWN_APP}\n"), True),
    "no apps at all": ((FILE, NO_BASE), False),
    "empty apps at all": ((FILE, NO_BASE.replace("deploy:", "deploy:\n  apps: {}")), False),
    "apps that are a list of none": (("  apps:\n", "  apps: []\n  no:\n"), False),
    "an environment's empty apps": (in_environment("apps:"), False),
    "an environment's app without keys": (in_environment("apps: {web: }"), True),
    "an environment's app of another name": (in_environment("apps: {Web: {}}"), False),
    "no environments": (("  environments:\n", "  environments: {}\n  no:\n"), False),
    "an empty environment": ((FILE[FILE.index("      hosts") :], ""), False),
    "hosts of another file": (("hosts: [one, two]", "from: fleet.yaml"), True),
    **{
        f"expect {value}": (with_key(f"health: {{expect: {value}}}"), is_good)
        for value, is_good in {
            '"200"': True,
            '"200-299,301"': True,
            '"200, 404"': True,
            '"12"': True,
            '"0-99, 12"': True,
            '"12,200"': False,
            '"100"': False,
            '"200,"': False,
            '""': False,
            '"199"': False,
            '"500"': False,
            "200": False,
            "": True,
        }.items()
    },
    **{
        f"endpoint {url}": (in_environment(f'aws: {{endpoint_url: "{url}"}}'), is_good)
        for url, is_good in {
            "https://api.example.com": True,
            "https://api.example.com:8443/a/b": True,
            "HTTPS://API.EXAMPLE.COM/": True,
            "http://localhost:5000/": True,
            "http://127.9.8.7": True,
            "http://[::1]:8080": True,
            "http://api.example.com": False,
            "http://localhost.example.com": False,
            "http://127.0.0.1@example.com": False,
            "https://api.example.com/?a=b": False,
            "https://user@api.example.com": False,
            "ftp://localhost": False,
            "api.example.com": False,
        }.items()
    },
    "an environment file": (with_key("environment_file: /etc/web..d/.env"), True),
    "an environment file by dots": (with_key("environment_file: /etc/./web.env"), False),
    "an environment file above": (with_key("environment_file: /etc/.."), False),
    "the same port twice": (("[5000]", "[5000, 5000]"), False),
    "a tab in a path": (with_key(r'template: "a\tb"'), False),
    "a control character of C1 in a path": (with_key(r'template: "a\u0085b"'), False),
    "a line break in a command": (with_key(r'command: "web\n--port"'), True),
    "a line break in a variable": (with_key(r'environment: {A: "a\nb"}'), True),
    "an empty health": (with_key("health: {}"), True),
    "no health": (with_key("health:"), False),
    "no user": (with_key("user:"), True),
    "no sandbox": (with_key("sandbox:"), False),
    "Fabric's own keys": (("deploy:\n", "user: me\nconnect_kwargs: {a: 1}\ndeploy:\n"), True),
    "no settings": ((FILE, "user: me\n"), False),
    "seconds": (("seconds: 4", "seconds: 4.5"), True),
    "an hour too many": (("seconds: 4", "seconds: 90000"), False),
}


@pytest.mark.parametrize(("change", "is_good"), CASES.values(), ids=CASES)
def test_the_schema_and_a_command_agree(
    change: tuple[str, str], is_good: bool, tmp_path: Path
) -> None:
    assert change[0] in FILE
    text = FILE.replace(*change, 1)
    assert (refused(text, tmp_path) == "") is is_good, refused(text, tmp_path)
    assert (errors(text) == []) is is_good, errors(text)


def test_the_projects_own_file_fits_and_its_misspellings_do_not() -> None:
    example = YAML(typ="safe").load((ROOT / "fabric.yaml").read_text())
    assert list(CHECK.iter_errors(example)) == []
    for key, value in (("strategy", "blue"), ("bathc", 1), ("soak_seconds", -1)):
        wrong = copy.deepcopy(example)
        wrong["deploy"]["environments"]["lab"]["rollout"][key] = value
        assert list(CHECK.iter_errors(wrong)), key


def defaults(part: Any) -> list[tuple[dict[str, Any], Any]]:
    """Each part of a schema that has a default, with it."""
    if isinstance(part, list):
        return [found for each in part for found in defaults(each)]
    if not isinstance(part, dict):
        return []
    own = [(part, part["default"])] if "default" in part else []
    return own + [found for each in part.values() for found in defaults(each)]


def test_the_schema_is_one_and_its_defaults_fit_it() -> None:
    Draft202012Validator.check_schema(TEXT)
    found = defaults(TEXT)
    assert ("#/$defs/Batch", 1) in [(part.get("$ref"), default) for part, default in found]
    assert ("#/$defs/Share", 0) in [(part.get("$ref"), default) for part, default in found]
    for part, default in found:
        own = Draft202012Validator({**part, "$defs": TEXT["$defs"]})
        assert list(own.iter_errors(default)) == [], part
