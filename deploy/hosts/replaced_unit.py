"""What a replaced unit sets that the unit in its place does not. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.unit import syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HIDDEN = "?"
"""What stands for a value that the host keeps to itself, since it may be a secret."""
_COMPARED = re.compile(r"User|Group|WorkingDirectory|Limit[A-Z]+")
"""What both units set and the service may depend on."""
_ASSIGNED = re.compile(r"""(?:^|[\s"'])([A-Za-z_]\w*)=""")
_LISTS = {
    "DropInPaths": "drop-ins ",
    "Environment": "variables ",
    "EnvironmentFile": "EnvironmentFile=",
}
MOST_SHOWN = 400
DEFAULT_USER = "root"
"""Who a service runs as whose unit names no user (systemd.exec, "User=")."""


def differences(previous: Sequence[tuple[str, str]], ours: str) -> tuple[str, ...]:
    """The settings of the previous unit that ours has not, or has with another value, in words.

    Args:
        previous: Its directives and values, in order: of its variables the names, of a command the
            program, and for an empty value an empty text.
        ours: The text of the unit that takes its place.
    """
    own: dict[str, list[str]] = {}
    for name, value in syntax.assignments(ours, "Service"):
        own.setdefault(name, []).append(value)
    theirs = effective(previous)
    is_known = any(name != "DropInPaths" for name, _ in previous)
    if is_known and not theirs.keys() & {"User", "DynamicUser"}:
        theirs["User"] = [DEFAULT_USER]
    items = [_difference(name, values, own) for name, values in theirs.items()]
    return tuple(visible(item, MOST_SHOWN) for item in items if item)


def effective(assigned: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """All values of each directive; an empty one drops those before it (systemd.exec)."""
    values: dict[str, list[str]] = {}
    for name, value in assigned:
        if value:
            values.setdefault(name, []).append(value)
        else:
            values.pop(name, None)
    return values


def _difference(name: str, values: Sequence[str], own: Mapping[str, Sequence[str]]) -> str:
    """One directive's difference in words; empty where there is none."""
    mine = own.get(name, ())
    listed = _missing(name, values, mine)
    if listed is not None:
        return f"{_LISTS[name]}{', '.join(listed)}" if listed else ""
    if mine:
        is_other = _COMPARED.fullmatch(name) and values[-1] not in mine
        return f"{name}={values[-1]} (ours: {mine[-1]})" if is_other else ""
    shown = [each for each in dict.fromkeys(values) if each != HIDDEN]
    joined = ", ".join(shown) if name.startswith("Exec") else " ".join(shown)
    return f"{name}={joined}" if shown else name


def _missing(name: str, values: Sequence[str], mine: Sequence[str]) -> list[str] | None:
    """What our unit has not of a directive that lists something; None for any other."""
    match name:
        case "DropInPaths":
            # A folder service.d changes all services alike, ours too.
            return [path for path in " ".join(values).split() if "/service.d/" not in path]
        case "Environment":
            known = {found for each in mine for found in _ASSIGNED.findall(each)}
            return [each for each in dict.fromkeys(values) if each not in known]
        case "EnvironmentFile":
            known = {each.removeprefix("-") for each in mine}
            return [each for each in values if each.removeprefix("-") not in known]
        case _:
            return None
