"""The project's file, fabric.yaml, read into the settings of one environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.errors import BadInput, nearest
from deploy.path_checks import expanded, resolved
from deploy.settings import explain, ownership, yaml_document
from deploy.settings.app import App
from deploy.settings.base import GIVEN, Strict
from deploy.settings.environment import BY_NAME, BY_TAGS, Aws, Environment, Hosts, Ssh
from deploy.settings.health import Health
from deploy.settings.rollout import Rollout
from deploy.settings.verify import Verify
from deploy.settings.yaml_document import Document

NAME = ownership.NAME
MOST_PROBLEMS = 20
"""How many a message lists: a screen full."""
GROUP_KEYS = {"target_group", "target_groups"}

LEAST = (
    "deploy:",
    "  apps:",
    "    web:",
    "      package: packages/web.*.zip",
    "      command: dotnet Web.dll",
    "      ports: [5000]",
    "      target_group: web",
    "      longest_request_seconds: 5",
    "  environments:",
    "    prod:",
    "      aws: {region: eu-west-1}",
    "      hosts: {tags: {Environment: prod, Role: web}}",
)
"""The least that a settings file holds, as an example in a message."""


def find(typed: str | None) -> Path:
    """Return the settings file: the path as typed, or fabric.yaml here or in a folder above.

    The path is relative to the working directory where the file lies there or above. Raises
    BadInput where there is none, with where it was searched for, and for one above that others
    could have written.
    """
    if typed is not None:
        return expanded(typed)
    if file := ownership.nearest():
        return file
    raise BadInput(
        f"no {NAME} in {Path.cwd()} or in a folder above it; change to your project's folder, "
        "name the file with --settings, or write one there, for example:",
        *(f"  {line}" for line in LEAST),
        "The command `schema` prints all keys; docs/quickstart.md in Changeover's repository "
        "explains them.",
    )


def environments(path: Path) -> tuple[str, ...]:
    """Return the names of a settings file's environments, in their order.

    Raises:
        BadInput: It cannot be read, or has none.
    """
    section = yaml_document.read(path).below("deploy")
    found = section.below("environments").values
    if not found:
        raise BadInput(f"{path.name}:1: deploy: environments: is missing; it holds at least one")
    return tuple(found)


def load(path: Path, environment: str) -> Environment:
    """Read the settings file and return one environment, its apps' settings merged over the base.

    Raises BadInput: `file:line: key: problem; remedy`, one line for each problem.
    """
    whole = yaml_document.read(path)
    section = whole.below("deploy")
    if not section.values:
        raise BadInput(f"{path.name}:1: deploy: is missing; it holds `apps:` and `environments:`")
    problems = _unknown(section, {"apps", "environments"})
    environments = section.below("environments")
    if environment not in environments.values and problems:
        raise BadInput(*problems)  # the key that is misspelt may be `environments:`
    if environment not in environments.values:
        known = f"; known: {', '.join(environments.values) or 'none'}"
        raise BadInput(
            f"{section.place(('environments',))}: no environment {environment!r}"
            f"{nearest(environment, environments.values) or known}"
        )
    _mapping(section, "apps", "apps")
    _mapping(environments, environment, environment)
    chosen = _included(environments.below(environment), path.parent, environment)
    problems += [
        f"{chosen.place((key,))}: {environment}: {key}: unknown key"
        for key in sorted(GIVEN & set(chosen.values))
    ]
    merged = _apps(section.below("apps"), chosen, environment)
    # An empty key is one that is left out.
    fabric = {k: value for k, value in whole.values.items() if k != "deploy" and value is not None}
    values = merged.values | {"name": environment, "root": resolved(path.parent), "fabric": fabric}
    values["apps"] = [{"name": name} | app for name, app in merged.values["apps"].items()]
    try:
        loaded = Environment.model_validate(values)
    except ValidationError as error:
        names = list(merged.values["apps"])
        raise BadInput(*problems, *_explain(error, merged, names, environment)) from error
    if problems:
        raise BadInput(*problems)
    return loaded


def _included(chosen: Document, root: Path, environment: str) -> Document:
    """Follow `from:`, a file that other tools write (the lab, or infrastructure code)."""
    name = chosen.values.get("from")
    if name is None:
        return chosen
    place = f"{chosen.place(('from',))}: {environment}: from"
    if not isinstance(name, str):
        raise BadInput(f"{place}: must be the path of a YAML file")
    file = root / expanded(name)
    if not file.exists():
        lab = "; the lab is not running: start it with `inv lab.up`" if ".lab/" in name else ""
        raise BadInput(f"{place}: {name} does not exist{lab}")
    own = {key: value for key, value in chosen.values.items() if key != "from"}
    return yaml_document.read(file).overlaid(Document(own, chosen.places))


def _mapping(section: Document, key: str, called: str) -> None:
    """Refuse a key's value that is neither a mapping nor empty."""
    if not isinstance(section.values.get(key, {}), dict | None):
        raise BadInput(f"{section.place((key,))}: {called}: must be a mapping of keys to values")


def _apps(base: Document, chosen: Document, environment: str) -> Document:
    """The environment with its apps merged over the base's; without `apps:`, all of the base's."""
    own = chosen.values.get("apps", dict.fromkeys(base.values))
    if not isinstance(own, dict):
        place = chosen.place(("apps",))
        raise BadInput(f"{place}: {environment}: apps: must be a mapping of names to settings")
    merged = chosen
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, mine in own.items():
        is_whole = isinstance(mine, dict) and "package" in mine
        if name not in base.values and not is_whole:
            place = chosen.place(("apps", name))
            hint = nearest(name, base.values) or f"; known: {', '.join(base.values) or 'none'}"
            problems.append(f"{place}: {environment}: apps: unknown app {name!r}{hint}")
            continue
        _mapping(base, name, f"{environment}: apps.{name}")
        _mapping(chosen.below("apps"), name, f"{environment}: apps.{name}")
        app = _without_replaced(base.below(name), mine).overlaid(chosen.below("apps", name))
        problems += [
            f"{app.place((key,))}: {environment}: apps.{name}.{key}: unknown key"
            for key in sorted(GIVEN & set(app.values))
        ]
        values[name] = app.values
        merged = Document(merged.values, merged.places | app.moved("apps", name).places)
    if problems:
        raise BadInput(*problems)
    return Document(merged.values | {"apps": values}, merged.places)


def _without_replaced(base: Document, mine: object) -> Document:
    """The base without its target groups, where an environment's app names its own."""
    if not (isinstance(mine, dict) and GROUP_KEYS & mine.keys()):
        return base
    kept = {key: value for key, value in base.values.items() if key not in GROUP_KEYS}
    return Document(kept, base.places)


def _unknown(section: Document, known: set[str]) -> list[str]:
    return [
        f"{section.place((key,))}: deploy.{key}: unknown{nearest(key, known)}"
        for key in section.values
        if key not in known
    ]


def _explain(
    error: ValidationError, merged: Document, apps: list[str], environment: str
) -> list[str]:
    """Pydantic's findings as `file:line: key: problem; remedy`, one line each."""
    lines: list[str] = []
    for found in error.errors():
        if found["type"] == "too_short" and found["input"]:
            continue  # it follows from an entry's own error, which is reported beside it
        location = [part for part in found["loc"] if part not in _UNION_TAGS]
        if len(location) > 1 and location[0] == "apps" and isinstance(location[1], int):
            location[1] = apps[location[1]]
        key = ".".join(str(part) for part in location) or "apps"
        place = merged.place(tuple(location))
        if found["type"] == "extra_forbidden":
            problem = f"unknown key{nearest(str(location[-1]), _siblings(location))}"
        else:
            problem = explain.problem(found)
        line = f"{place}: {environment}: {key}: {problem}"
        if line not in lines:
            lines.append(line)
    if more := len(lines[MOST_PROBLEMS:]):
        lines[MOST_PROBLEMS:] = [f"… and {more:,} more problems; correct these first"]
    return lines


_MODELS: dict[str, type[Strict]] = {
    "health": Health,
    "rollout": Rollout,
    "aws": Aws,
    "ssh": Ssh,
    "hosts": Hosts,
    "verify": Verify,
}
_UNION_TAGS = frozenset({BY_TAGS, BY_NAME, "[key]"})


def _siblings(location: list[str | int]) -> set[str]:
    """The keys that are known where an unknown one stands."""
    parent = location[-2] if len(location) > 1 else ""
    model = _MODELS.get(str(parent), App if location[0] == "apps" else Environment)
    return set(model.model_fields) - GIVEN
