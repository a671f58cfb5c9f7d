"""A unit that serves on all hosts, and what of its settings the first release needs too. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts import replaced_unit
from deploy.unit import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts

_USER = re.compile(r"[a-z][a-z0-9-]{0,30}")
_FILE = re.compile(r"/[A-Za-z0-9_./@+-]+")


@dataclass(frozen=True)
class PreviousUnit:
    """A unit that serves on all hosts, and those of its settings that are the same on each.

    Attributes:
        unit_name: The unit; empty where no unit, or not one and the same, serves everywhere.
        user: The user that it runs as; empty where that is not known, or is made at each start.
        environment_file: Its file of variables; empty for none, for several, and for a pattern.
        limits: Its resource limits, by directive.
        variables: The names of the variables that it sets. Their values stay on the hosts.
    """

    unit_name: str = ""
    user: str = ""
    environment_file: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()


def unit_of(app: App, facts: Iterable[HostFacts]) -> str:
    """The one unit that listens on the app's port everywhere; empty for none, and for several."""
    own = {slot.unit_name for slot in app.slots}
    found = [{each.unit_name for each in host.slots[app.name].listeners} for host in facts]
    names = set().union(*found)
    name = next(iter(names), "")
    is_everywhere = all(each == {name} for each in found)
    return name if is_everywhere and name not in own and values.unit_name(name) else ""


def read(unit_name: str, of_hosts: Sequence[Sequence[tuple[str, str]]]) -> PreviousUnit:
    """Return what a unit sets on each host, as far as our settings can express it.

    of_hosts: for each host the directives and values, as `survey_previous.sh` prints them.
    """
    known = [replaced_unit.effective(each) for each in of_hosts if each]
    if not known:
        return PreviousUnit(unit_name)
    first, *others = known
    same = {
        name: found
        for name, found in first.items()
        if all(other.get(name) == found for other in others)
    }
    user = same.get("User", ["" if "DynamicUser" in first else replaced_unit.DEFAULT_USER])[-1]
    is_user_known = all(("User" in each) == ("User" in same) for each in known)
    files = [each.removeprefix("-") for each in same.get("EnvironmentFile", ())]
    return PreviousUnit(
        unit_name,
        user=user if is_user_known and _USER.fullmatch(user) else "",
        environment_file=files[0] if len(files) == 1 and _FILE.fullmatch(files[0]) else "",
        limits={name: found[-1] for name, found in same.items() if _is_limit(name, found[-1])},
        variables=tuple(dict.fromkeys(same.get("Environment", ()))),
    )


def _is_limit(name: str, value: str) -> bool:
    """Whether it is a resource limit that the settings can set."""
    try:
        return bool(limits.checked(name) and limits.value(value))
    except ValueError:
        return False
