"""The unified diff of two unit files, by directive, without values that may be secrets. Pure.

Comments are left out: they change nothing, and may hold a value that was taken out of use.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.unit import syntax
from deploy.unit.variables import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = "…"
"""Shown in place of a value that may be a secret."""
_AROUND = 2
"""How many directives are shown before and after one that differs."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Directive:
    """A directive of a unit file; each variable of `Environment=` is one of its own.

    Attributes:
        section: Its section.
        name: What stands before the value: `MemoryMax=`, `Environment=GREETING=`.
        value: The rest of it.
        may_be_secret: Whether nothing shows the value but a person's own terminal.
    """

    section: str
    name: str
    value: str = ""
    may_be_secret: bool = False


def unified(before: str, after: str, *, shows_values: bool = False) -> tuple[str, ...]:
    """The unified diff of two unit files, without its head; nothing where no directive differs.

    A value that may be a secret is shown as `…`, and in the new file as `… (changed)` where the
    old one has another. shows_values: whether such values are shown as they are.
    """
    old, new = [*_directives(before)], [*_directives(after)]
    known: dict[tuple[str, str], set[str]] = {}
    for each in old:
        known.setdefault((each.section, each.name), set()).add(each.value)

    def shown(each: Directive) -> str:
        if shows_values or not each.may_be_secret:
            return f"{each.name}{each.value}"
        values = known.get((each.section, each.name), {each.value})
        return f"{each.name}{HIDDEN}{'' if each.value in values else ' (changed)'}"

    lines = difflib.unified_diff([*map(shown, old)], [*map(shown, new)], n=_AROUND, lineterm="")
    return tuple(lines)[2:]


def _directives(text: str) -> Iterator[Directive]:
    """The sections' heads and the directives, without those that say which release it is."""
    section = ""
    for line in syntax.lines(text):
        if line.section != section:
            section = line.section
            yield Directive(section, f"[{section}]")
        if line.name == "Environment" and line.value:
            yield from _variables(section, line.value)
        elif line.name.startswith("SetCredential"):
            name, colon, value = line.value.partition(":")
            yield Directive(section, f"{line.name}={name}{colon}", value, may_be_secret=True)
        elif line.name:
            yield Directive(section, f"{line.name}=", line.value)


def _variables(section: str, value: str) -> Iterator[Directive]:
    """The variables that a directive sets; without a name where it is not clear where one ends."""
    try:
        words = shlex.split(value)
    except ValueError:
        words = [value]
    pairs = [word.partition("=") for word in words]
    # Within single quotes systemd reads escapes, and a shell does not: what is taken for a name
    # then may be a part of a value.
    is_understood = not {"'", "\\"} <= {*value}
    if not is_understood or not all(sep and _VARIABLE.fullmatch(name) for name, sep, _ in pairs):
        yield Directive(section, "Environment=", value, may_be_secret=True)
        return
    for name, _, own in pairs:
        if not name.startswith(OURS):
            yield Directive(section, f"Environment={name}=", own, may_be_secret=True)
