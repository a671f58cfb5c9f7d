"""Puts an error of pydantic into words, with a remedy. Pure."""

from __future__ import annotations

import shlex
from datetime import date
from typing import TYPE_CHECKING, Any

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = "must be lower-case letters, digits and dashes, at most 31, a letter first"
_FORMS = {
    "name": _NAME,
    "user": _NAME,
    "path": "must be a URL's path such as /health: a slash first, no spaces",
    "environment_file": "must be an absolute path on the host such as /etc/web.env, no spaces",
    "replaces": "must be a unit's name such as web.service",
}
_KINDS = {
    "tuple_type": "must be a list such as [a, b]",
    "list_type": "must be a list such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
}


def problem(found: Mapping[str, Any]) -> str:
    """One of `ValidationError.errors()` in words, with the remedy where it is not plain."""
    kind, given, key = str(found["type"]), found.get("input"), found["loc"][-1:]
    shown = "empty" if given is None else visible(repr(given))
    if "ports" in found["loc"] and kind not in {"tuple_type", "too_short", "value_error"}:
        if kind == "too_long":
            return "one port is needed, or two: a slot for the old release and one for the new"
        return f"must be a port, a whole number from 1 to 65535, not {shown}"
    if kind == "string_type":
        return _no_text(str(*key), given) or f"{_KINDS[kind]}, not {shown}"
    if kind == "string_pattern_mismatch":
        return f"{_FORMS.get(str(*key), found['msg'])}, not {shown}"
    if kind in _KINDS:
        return f"{_KINDS[kind]}, not {shown}"
    text = str(found["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    plain = {"missing": "is missing", "too_short": "is empty", "value_error": text, "hosts": text}
    return plain.get(kind) or f"{text.replace('should be', 'must be')}, not {shown}"


def _no_text(key: str, given: Any) -> str:
    """What to write in place of a value that is no text; empty where that is plain."""
    if isinstance(given, (bool, int, float, date)):
        # Not what YAML made of it: 0123 would become "123", and 1.10 "1.1".
        return "must be text: put it in quotes, as it is written there"
    if isinstance(given, list) and key == "target_group":
        return "is one name or ARN; several stand under target_groups"
    if isinstance(given, list) and key == "command":
        return f"must be one line: {visible(shlex.join(map(str, given)))}"
    return ""
