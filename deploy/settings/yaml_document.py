"""A YAML file as plain values, each remembering the file and line it came from.

The project's own file alone is read: Fabric's loader would merge the user's home file and
FABRIC_* variables into ours, and drop a duplicate key without a word.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.composer import ComposerError
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from deploy.errors import BadInput
from deploy.errors import reading as guarded
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from pathlib import Path

Location = tuple[str | int, ...]

_UNLIKE_JSON = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_NO_INDENT = re.compile("^ *([\xa0\u1680\u2000-\u200b\u202f\u205f\u3000])", re.MULTILINE)
MOST_VALUES, MOST_LEVELS = 50_000, 50
LARGEST_NUMBER = 10**18
_TEXT_TAG = "tag:yaml.org,2002:str"


class _Constructor(RoundTripConstructor):
    """ruamel's own, which says nowhere in which line a date or a number is that is none."""

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        try:
            return super().construct_non_recursive_object(node, tag)
        except (ValueError, KeyError) as error:
            problem = f"{visible(node.value, 60)} is no {str(node.tag).rpartition(':')[2]}"
            remedy = "; put it in quotes if it is meant as text"
            raise ConstructorError(None, None, problem + remedy, node.start_mark) from error


@dataclass(frozen=True)
class Document:
    """Plain values and, by their path in the document, where each was written."""

    values: dict[str, Any]
    places: dict[Location, str]

    def place(self, location: Location) -> str:
        """`file:line` of a value, or of the nearest thing around it."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.places:
                return self.places[location[:length]]
        return "settings"

    def below(self, *location: str) -> Document:
        """The part under a key, with its places; empty where there is none."""
        values: Any = self.values
        for key in location:
            values = values.get(key) if isinstance(values, dict) else None
        depth = len(location)
        places = {at[depth:]: text for at, text in self.places.items() if at[:depth] == location}
        return Document(values if isinstance(values, dict) else {}, places)

    def overlaid(self, other: Document) -> Document:
        """This document with another's values over it, mapping by mapping."""
        return Document(_merge(self.values, other.values), self.places | other.places)

    def moved(self, *prefix: str) -> Document:
        """The same values as the part under these keys of a larger document."""
        values = self.values
        for key in reversed(prefix):
            values = {key: values}
        return Document(values, {prefix + at: text for at, text in self.places.items()})


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def read(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises BadInput with file and line for what cannot be read, is no YAML or repeats a key.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"{path} cannot be read: it is not a file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    text = _decoded(data, path.name)
    with guarded(f"{path.name}: this YAML", "write it in a simpler way"):
        return _parsed(path, text)


def _decoded(data: bytes, name: str) -> str:
    """The text of a file; its lines end as any system ends them."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        kind = "UTF-16, as Windows PowerShell writes it" if is_utf16 else "not UTF-8"
        raise BadInput(f"{name}:{number}: the file is {kind}; save it as UTF-8") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if found := _NO_INDENT.search(text):
        number, code = text.count("\n", 0, found.end()) + 1, ord(found[1])
        problem = f"is indented with U+{code:04X}, which only looks like a space"
        raise BadInput(f"{name}:{number}: {problem}; indent with spaces")
    return text


def _parsed(path: Path, text: str) -> Document:
    try:
        yaml = YAML(typ="rt")
        yaml.Constructor = _Constructor
        loaded = yaml.load(_as_yaml(text))
    except RecursionError as error:
        raise BadInput(f"{path.name}: no valid YAML: it is nested too deeply") from error
    except ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise BadInput(
            f"{path.name}:{number}: no valid YAML: the character U+{error.character:04X} is not "
            "allowed; remove it, or write it as an escape in double quotes"
        ) from error
    except DuplicateKeyError as error:
        problem = (error.problem or "a key stands twice").split(" with value")[0]
        is_merge = "merge key" in problem
        remedy = "merge several as <<: [*a, *b]" if is_merge else "keep one of the two"
        raise BadInput(f"{_mark(path, error)}: {problem}; {remedy}") from error
    except ComposerError as error:
        if error.context != "expected a single document in the stream":
            raise BadInput(f"{_mark(path, error)}: no valid YAML: {error.problem}") from error
        raise BadInput(
            f"{_mark(path, error)}: a second document begins here; keep one in the file"
        ) from error
    except MarkedYAMLError as error:
        remedy = "; indent with spaces" if "'\\t'" in (error.problem or "") else ""
        raise BadInput(f"{_mark(path, error)}: no valid YAML: {error.problem}{remedy}") from error
    except YAMLError as error:
        raise BadInput(f"{path}: no valid YAML: {error}") from error
    loaded = CommentedMap() if loaded is None else loaded
    if not isinstance(loaded, CommentedMap):
        raise BadInput(f"{path}:1: must be a mapping of keys to values")
    places: dict[Location, str] = {(): f"{path.name}:1"}
    return Document(_plain(loaded, (), path.name, places), places)


def _as_yaml(text: str) -> str:
    """The text; of JSON, with those characters escaped that are no part of a line in YAML.

    JSON has them in strings as they are, and is no part of YAML there (RFC 8259, 7; YAML 1.2.2,
    5.4 and 5.7): they would be refused, or silently become a space.
    """
    if not _UNLIKE_JSON.search(text):
        return text
    try:
        json.loads(text)
    except ValueError:
        return text
    return _UNLIKE_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _mark(path: Path, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{path.name}:{mark.line + 1}" if mark else path.name


def _plain(node: Any, at: Location, file: str, places: dict[Location, str]) -> Any:
    """Turn ruamel's round-trip types into Python's own, noting each line.

    An alias is written out wherever it stands, so that one that repeats others has no bound.
    """
    if len(places) > MOST_VALUES or len(at) > MOST_LEVELS:
        raise BadInput(
            f"{_near(at, places)}: more than {MOST_VALUES} values or {MOST_LEVELS} levels; "
            "is an alias (*name) part of what it stands for?"
        )
    node = _untagged(node, at, places)
    if isinstance(node, CommentedMap):
        for key in node:
            place = _place(node, key, file)
            if not isinstance(key, str):  # 0123 would become "123", and null "None"
                raise BadInput(f"{place}: a key must be text: put it in quotes, as it stands there")
            places[(*at, _text(key, place))] = place
        keys = {_text(key, file): key for key in node}
        return {name: _plain(node[key], (*at, name), file, places) for name, key in keys.items()}
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            places[(*at, index)] = _place(node, index, file)
        return [_plain(item, (*at, index), file, places) for index, item in enumerate(node)]
    for kind in (bool, int, float):
        if isinstance(node, kind):
            if kind is int and abs(node) > LARGEST_NUMBER:  # Python does not even show some
                raise BadInput(
                    f"{_near(at, places)}: a number of more than 18 digits; put it in quotes if it "
                    "is meant as text"
                )
            return kind(node)
    return _text(str(node), _near(at, places)) if isinstance(node, str) else node


def _untagged(node: Any, at: Location, places: dict[Location, str]) -> Any:
    """The node; what is tagged as text as its text, and BadInput for all other tags."""
    tag = getattr(getattr(node, "tag", None), "value", None)
    if tag is None:
        return node
    if tag == _TEXT_TAG and isinstance(node, TaggedScalar):
        return str(node.value)
    raise BadInput(
        f"{_near(at, places)}: the tag {visible(tag)} has no meaning here; write the value itself, "
        "in quotes where it begins with !"
    )


def _place(node: CommentedMap | CommentedSeq, key: Any, file: str) -> str:
    """`file:line` of an entry; of what it is in, where ruamel does not know that of an entry."""
    lines = node.lc.data or {}
    line = lines[key][0] if key in lines else node.lc.line
    return f"{file}:{(line or 0) + 1}"


def _near(at: Location, places: dict[Location, str]) -> str:
    return Document({}, places).place(at)


def _text(text: str, place: str) -> str:
    """Join surrogate pairs, as JSON writes characters beyond U+FFFF; refuse half a pair."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{place}: {text!r} holds half of a surrogate pair; write the character itself"
        ) from error
