"""The JSON Schema of fabric.yaml, made from the settings' classes.

Pydantic gives the types and the limits; here stands what validators refuse beyond that. It
cannot say what takes a look at two places of the file: an app's required keys, which may stand
at the app or in an environment, two apps with one port, two ports for `strategy: surge`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deploy.settings import app, environment, health, rollout, verify
from deploy.settings.base import FREE_TEXT, GIVEN, Strict
from deploy.unit import limits, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    Schema = dict[str, Any]

PARTS = (
    app.App,
    health.Health,
    health.SmokeTest,
    health.SmokeThrough,
    verify.Verify,
    environment.Environment,
    environment.Aws,
    environment.Ssh,
    environment.Hosts,
    rollout.Rollout,
)

# As syntax.is_control, without halves of surrogate pairs, which no pattern can name.
CONTROLS = r"\u0000-\u001f\u007f-\u009f"
NO_CONTROLS = f"^[^{CONTROLS}]*$"

# Patterns are ECMAScript's and Python's alike: no flags, and no class that knows Unicode.
SIZE: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"^\s*0*([1-9][0-9]*|([1-9][0-9]?|100)%)\s*$"},
    ]
}
SHARE: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": r"^\s*([0-9]+|0*([1-9]?[0-9]|100)%)\s*$"},
    ]
}
PEER = r"^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?$"
CODES = r" *[2-4][0-9]{2}(-[2-4][0-9]{2})? *"
GRPC_CODES = r" *[0-9]{1,2}(-[0-9]{1,2})? *"
REST = r"(:[0-9]+)?(/[A-Za-z0-9/._~-]*)?"
LOOPBACK = r"([Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127(\.[0-9]+){3}|\[[0-9A-Fa-f:.]+\])"
HTTP = r"[Hh][Tt][Tt][Pp]"
ENDPOINT = rf"^({HTTP}[Ss]://[\[\]A-Za-z0-9._:-]+{REST}|{HTTP}://{LOOPBACK}{REST})$"


def schema(meanings: Callable[[type[Strict]], dict[str, str]]) -> str:
    """Return the entire file's schema as text; meanings: the texts below a class's fields."""
    whole = environment.Environment.model_json_schema()
    defs: Schema = whole.pop("$defs") | {"Environment": whole}
    for model in PARTS:
        part = defs[model.__name__]
        part["properties"] = {
            key: _plain(value, free=key in FREE_TEXT)
            for key, value in part["properties"].items()
            if key not in GIVEN
        }
        for key, text in meanings(model).items():
            if key in part["properties"]:
                part["properties"][key]["description"] = text
        if model not in {environment.Hosts, health.SmokeTest}:
            part.pop("required", None)  # an environment may give what the app leaves out
    _refine(defs)
    return json.dumps(_without_titles(_file(defs)), indent=2) + "\n"


def _file(defs: Schema) -> Schema:
    """Return the schema of the file, of the definitions of its parts."""
    apps: Schema = defs["Environment"]["properties"]["apps"]
    of_all = {
        key: value for key, value in apps.items() if key not in {"description", "minProperties"}
    }
    of_all["type"] = ["object", "null"]
    apps_elsewhere = {"anyOf": [{"required": ["apps"]}, {"required": ["from"]}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Changeover's settings",
        "type": "object",
        "required": ["deploy"],
        "properties": {
            "deploy": {
                "type": "object",
                "additionalProperties": False,
                "required": ["environments"],
                "properties": {
                    "apps": of_all,
                    "environments": {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": {"$ref": "#/$defs/Environment"},
                    },
                },
                "anyOf": [
                    {
                        "required": ["apps"],
                        "properties": {"apps": {"type": "object", "minProperties": 1}},
                    },
                    {"properties": {"environments": {"additionalProperties": apps_elsewhere}}},
                ],
            }
        },
        "$defs": defs,
    }


def _together(**keys: Schema) -> Schema:
    """An object that has all of these keys, each so."""
    return {"type": "object", "required": [*keys], "properties": keys}


def _refine(defs: Schema) -> None:
    """Add what validators refuse beyond types and limits."""
    keys = {name: part.get("properties", {}) for name, part in defs.items()}
    defs["Batch"] = {"anyOf": [*SIZE["anyOf"], {"type": "array", "minItems": 1, "items": SIZE}]}
    defs["Share"] = SHARE
    defs["Rollout"]["not"] = {
        "required": ["window", "batch"],
        "properties": {"window": {"type": "integer"}},
    }
    defs["Verify"]["anyOf"] = [
        {"required": [key], "properties": {key: {"type": "string"}}} for key in keys["Verify"]
    ]
    for key in keys["Verify"].values():
        _text(key)["pattern"] = f"^[^{CONTROLS}]+$"
    for name in ("Health", "SmokeTest"):
        _text(keys[name]["expect"])["pattern"] = "|".join(
            f"^{codes}(,{codes})*$" for codes in (CODES, GRPC_CODES)
        )
    _text(keys["Health"]["command"])["pattern"] = r"\S"
    _text(keys["Aws"]["endpoint_url"])["pattern"] = ENDPOINT
    keys["Environment"]["ignore_peers"]["items"]["pattern"] = PEER
    keys["Hosts"]["tags"] |= {"minProperties": 1, "propertyNames": {"pattern": NO_CONTROLS}}
    keys["App"]["ports"]["uniqueItems"] = True
    keys["App"]["target_groups"]["uniqueItems"] = True
    worker: Schema = {"const": app.NO_GROUP}
    both: dict[str, Schema] = {
        "target_groups": {"minItems": 1},
        "target_group": {"type": "string"},
    }
    over_http = {key: {"type": "string"} for key in ("path", "expect", "host")}
    defs["App"]["not"] = {
        "anyOf": [
            _together(**both),
            # What a worker has, and what another app has.
            _together(target_group=worker, ports={"minItems": 1}),
            _together(target_group={"not": worker}, ports={"maxItems": 0}),
            _together(target_groups={"minItems": 1}, ports={"maxItems": 0}),
            _together(target_groups={"minItems": 1}, health=_together(command={"type": "string"})),
            _together(target_group=worker, target_port={"type": "integer"}),
            _together(target_group=worker, smoke={"minItems": 1}),
            _together(target_group=worker, smoke_through={"type": "object"}),
            _together(target_group=worker, command={"pattern": r"\{port\}"}),
            *(
                _together(target_group=worker, health=_together(**{key: kind}))
                for key, kind in over_http.items()
            ),
            _together(target_group={"not": worker}, health=_together(command={"type": "string"})),
        ]
    }
    keys["App"]["sandbox"]["propertyNames"] = {"enum": sorted(sandbox.REMOVABLE)}
    keys["App"]["limits"] |= {
        "propertyNames": {"enum": sorted(limits.NAMES)},
        "additionalProperties": {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": limits.PATTERN},
            ]
        },
    }
    _text(keys["App"]["environment_file"])["not"] = {"pattern": rf"(^|/)\.\.?(/|$)|[{CONTROLS}]"}
    apps = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z][a-z0-9-]{0,30}$"},
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/App"}, {"type": "null"}]},
        "description": keys["Environment"]["apps"]["description"],
    }
    keys["Environment"]["apps"] = apps
    keys["Environment"]["from"] = {
        "type": "string",
        "description": "Another file, whose keys count as if they stood here.",
    }
    defs["Environment"]["anyOf"] = [{"required": ["hosts"]}, {"required": ["from"]}]


def _text(part: Schema) -> Schema:
    """Return the schema of a key that is text or null, without null."""
    found: Schema = next(each for each in part["anyOf"] if each.get("type") == "string")
    return found


def _plain(part: Any, *, free: bool) -> Any:
    """Return a key's schema with defaults as the file has them, and text without controls.

    free: whether its text may hold control characters.
    """
    if isinstance(part, list):
        return [_plain(each, free=free) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {key: _plain(value, free=free) for key, value in part.items() if key != "default"}
    default = part.get("default")
    if isinstance(default, dict):  # a class's: its own keys have them
        values = {key: value for key, value in default.items() if key in {"sizes", "text"}}
        for value in values.values():
            text = ", ".join(value) if isinstance(value, list) else value
            plain["default"] = int(text)
    elif "default" in part:
        plain["default"] = default
    if plain.get("type") == "string" and not free and "enum" not in plain:
        plain.setdefault("pattern", NO_CONTROLS)
    return plain


def _without_titles(part: Any, *, is_keys: bool = False) -> Any:
    """Leave out the titles that pydantic makes of names, where `title` is no key itself."""
    if isinstance(part, list):
        return [_without_titles(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _without_titles(value, is_keys=key in {"properties", "$defs"})
        for key, value in part.items()
        if is_keys or key != "title"
    }
