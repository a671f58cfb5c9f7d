"""Writes events as lines of JSON, reads them back, and has the JSON Schema of a line. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from deploy.errors import BadInput
from deploy.events.event import VERSION, Entry, Event, RunBegan
from deploy.foreign_text import json_text, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA_ID = "https://changeover.invalid/events-v1.json"


def name_of(kind: type[object]) -> str:
    """The word under `event` for a type: `step_began` for StepBegan."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


TYPES: dict[str, type[Event]] = {name_of(kind): kind for kind in get_args(Event)}
_NAMES = {kind: name for name, kind in TYPES.items()}


def as_line(entry: Entry) -> str:
    """One line of JSON, without a line break: `at`, `event` and the event's own fields.

    ASCII, and nothing in it that a CI runner reads as a command.
    """
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds")
    head = {"at": at.replace("+00:00", "Z"), "event": _NAMES[type(entry.event)]}
    return json_text(head | vars(entry.event), indent=None)


def parse(line: str, where: str) -> Entry:
    """What `as_line` wrote; where: the file and the line's number, for the error.

    Raises:
        BadInput: The line is none of an events file, or a later version of Changeover wrote it.
    """
    try:
        body = dict(json.loads(line))
        at, name = body.pop("at"), body.pop("event")
        moment, kind = datetime.fromisoformat(at).timestamp(), TYPES[name]
    except KeyError as error:
        why = f"{visible(error)} is missing, or is no event"
        raise BadInput(f"{where}: this is no event: {why}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"{where}: this is no event: {visible(error)}") from None
    version = body.get("version", VERSION)
    if kind is RunBegan and isinstance(version, int) and version > VERSION:
        raise BadInput(
            f"{where}: a later version of Changeover wrote this ({visible(body.get('tool'))}, "
            f"format {version}); read it with that one"
        )
    if unknown := body.keys() - {each.name for each in fields(kind)}:
        raise BadInput(f"{where}: {name} has no field {visible(min(unknown))}")
    try:
        return Entry(moment, _adapter(name).validate_json(json.dumps(body), strict=True))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise BadInput(f"{where}: {visible(place)}: {visible(first['msg'])}") from None


def read(lines: Iterable[str], name: str) -> Iterator[Entry]:
    """The entries of a file's lines; a last line that was cut short by a crash is passed over.

    Raises:
        BadInput: See `parse`.
    """
    for number, line in enumerate(lines, start=1):
        if line.endswith("\n"):
            yield parse(line, f"{name}, line {number}")


def schema() -> dict[str, Any]:
    """JSON Schema of a line."""
    kinds = []
    shared: dict[str, Any] = {}
    for name in TYPES:
        own = _adapter(name).json_schema(ref_template="#/$defs/{model}")
        shared |= own.pop("$defs", {})
        head = {"at": {"type": "string", "format": "date-time"}, "event": {"const": name}}
        own["properties"] = head | own.get("properties", {})
        own["required"] = ["at", "event", *own.get("required", [])]
        own["additionalProperties"] = False
        own.pop("description", None)
        kinds.append(own)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": f"A line of an events file, format {VERSION}",
        "oneOf": kinds,
        "$defs": shared,
    }


@cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(TYPES[name])
