"""Compares an answer of the AWS API, as it came over the wire, with botocore's service model.

botocore's own parser is no judge: it skips members that its model does not know, and accepts any
word as the value of an enum. So the XML itself is read here, for the protocols `query` and `ec2`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_SCALARS = {
    "boolean": r"true|false",
    "double": r"-?[0-9]+(\.[0-9]+)?",
    "integer": r"-?[0-9]+",
    "string": r".*",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)",
}
"""How each type of the model is written in XML; the operations tested here have no other ones."""

GIVEN_BY_AWS = {
    ("PlatformValues", "windows"): "the model's own text on Instance.Platform names this value",
}
"""Values that the model's enums do not have and AWS gives, with the evidence."""

_ENVELOPE = {"query": {"ResponseMetadata"}, "ec2": {"requestId"}}
"""The elements beside the answer itself, by protocol."""


def problems(operation: Any, body: bytes) -> list[str]:
    """Return what the model of an operation does not allow in an answer, as `path: problem`."""
    root = ET.fromstring(body)  # noqa: S314 - the lab's own answer
    protocol, shape = operation.service_model.protocol, operation.output_shape
    found = []
    if _tag(root) != f"{operation.name}Response":
        found.append(f"{_tag(root)}: the document is not called {operation.name}Response")
    envelope = _ENVELOPE[protocol]
    found += [f"{name}: absent" for name in envelope - {_tag(child) for child in root}]
    inner = [child for child in root if _tag(child) not in envelope]
    wrapper = shape.serialization.get("resultWrapper")
    if wrapper:
        if [_tag(child) for child in inner] != [wrapper]:
            return [*found, f"{[_tag(child) for child in inner]}: not {wrapper} alone"]
        inner = list(inner[0])
    return [*found, *_structure(shape, inner, operation.name)]


def _tag(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _value(shape: Any, element: Element, path: str) -> Iterator[str]:
    if shape.type_name not in _SCALARS and (element.text or "").strip():
        yield f"{path}: {element.text!r} is no {shape.type_name}"
    elif shape.type_name == "structure":
        yield from _structure(shape, list(element), path)
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for number, child in enumerate(element):
            if _tag(child) != name:
                yield f"{path}[{number}]: an item is called {name}, not {_tag(child)}"
            yield from _value(shape.member, child, f"{path}[{number}]")
    elif len(element):
        yield f"{path}: a {shape.type_name} has no members, such as {_tag(element[0])}"
    else:
        yield from _scalar(shape, element.text or "", path)


def _structure(shape: Any, children: list[Element], path: str) -> Iterator[str]:
    keys = {shape.serialization.get("name", key): key for key, shape in shape.members.items()}
    count = Counter(_tag(child) for child in children)
    for tag, times in count.items():
        if tag not in keys:
            yield f"{path}.{tag}: the model has no such member"
        elif times > 1:
            yield f"{path}.{keys[tag]}: comes {times} times"
    for child in children:
        if _tag(child) in keys:
            key = keys[_tag(child)]
            yield from _value(shape.members[key], child, f"{path}.{key}")
    for key in shape.required_members:
        if key not in {keys.get(tag) for tag in count}:
            yield f"{path}.{key}: is required, and absent"


def _scalar(shape: Any, text: str, path: str) -> Iterator[str]:
    if not re.fullmatch(_SCALARS[shape.type_name], text, re.DOTALL):
        yield f"{path}: {text!r} is no {shape.type_name}"
    enum = getattr(shape, "enum", ())
    if enum and text not in enum and (shape.name, text) not in GIVEN_BY_AWS:
        yield f"{path}: {text!r} is none of {shape.name}"
