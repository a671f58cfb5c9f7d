"""fabric.yaml as frozen settings: one environment with its apps, checked at the door."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from deploy import document, findings, matcher
from deploy.document import Document
from deploy.errors import BadInput
from deploy.findings import nearest

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Strict(BaseModel):
    """No unknown key, no silent conversion, no change after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Batch(Strict):
    """Batch sizes: each a count or a percentage of the fleet; the last one repeats.

    A percentage rounds down and is at least 1 host (design: capacity is arithmetic).
    """

    sizes: Annotated[tuple[str, ...], Field(strict=False)]

    @classmethod
    def parse(cls, value: object) -> Batch:
        """From `1`, `"25%"` or a ramp such as `[1, "25%"]`; ValueError says what is wrong."""
        entries = value if isinstance(value, list) else [value]
        if not entries:
            raise ValueError("a ramp needs at least one batch size, such as [1, 25%]")
        return cls(sizes=tuple(cls._size(entry) for entry in entries))

    @staticmethod
    def _size(entry: object) -> str:
        text = str(entry).strip()
        if isinstance(entry, bool) or not re.fullmatch(r"-?\d+%?", text):
            raise ValueError(f"{entry!r} is no batch size; write a count (2) or a percentage (25%)")
        number, percent = int(text.rstrip("%")), text.endswith("%")
        if number < 1:
            raise ValueError(f"a batch of {text} deploys nothing; at least 1 is needed")
        if percent and number > 100:  # noqa: PLR2004 - the whole
            raise ValueError(f"{text} is more than the whole fleet; at most 100% is possible")
        return text

    def hosts(self, index: int, fleet: int) -> int:
        """How many hosts the batch with this index (from 0) holds in a fleet of this size."""
        size = self.sizes[min(index, len(self.sizes) - 1)]
        if size.endswith("%"):
            return max(1, fleet * int(size[:-1]) // 100)
        return int(size)

    def __str__(self) -> str:
        return ", ".join(self.sizes)


class Health(Strict):
    """How a started release is asked on its own host; empty keys follow the target group."""

    path: Annotated[str, StringConstraints(pattern=r"^/\S*$")] | None = None
    expect: str | None = None
    host: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 5.0

    @field_validator("expect")
    @classmethod
    def _expect(cls, text: str | None) -> str | None:
        try:
            return text if text is None else str(matcher.parse(text))
        except BadInput as error:
            raise ValueError(str(error)) from error


class App(Strict):
    """One deployable service, as it is in one environment."""

    name: Name
    package: str
    target_group: str
    ports: Annotated[tuple[Port, ...], Field(strict=False, min_length=1, max_length=1)]
    command: str | None = None
    executables: Words = ()
    user: Name | None = None
    type: Literal["exec", "notify", "simple"] = "exec"
    environment: dict[str, str] = {}
    environment_file: Annotated[str, StringConstraints(pattern=r"^/\S+$")] | None = None
    template: str | None = None
    replaces: Annotated[str, StringConstraints(pattern=r"^[\w@.:-]+\.service$")] | None = None
    health: Health = Health()
    longest_request_seconds: Seconds = 30.0
    start_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    stop_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    prove_seconds: Seconds = 5.0
    healthy_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 180.0
    max_unpacked_mb: Annotated[int, Field(ge=1)] = 2048

    @property
    def port(self) -> int:
        """The port of the app's slot."""
        return self.ports[0]

    @property
    def unit(self) -> str:
        """The slot's systemd unit."""
        return f"{self.name}@{self.port}.service"

    @property
    def service_user(self) -> str:
        """Who the service runs as: a system user of its own, named like the app."""
        return self.user or self.name

    @property
    def stop_seconds(self) -> int:
        """TimeoutStopSec: above the longest request, so that a stop never cuts one."""
        return self.stop_timeout_seconds or int(self.longest_request_seconds) + 15


class Aws(Strict):
    """Whose account; empty keys follow the AWS tools' own settings."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    credentials_file: str | None = None


class Ssh(Strict):
    """How hosts are reached, beside the user's own ~/.ssh/config."""

    user: str | None = None
    port: Port | None = None
    key_files: Words = ()
    known_hosts: Words = ()
    connect_timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    address: Literal["private", "public"] = "private"


class Hosts(Strict):
    """A fleet found by the EC2 tags that its running instances carry."""

    tags: dict[str, str]

    @field_validator("tags")
    @classmethod
    def _some(cls, tags: dict[str, str]) -> dict[str, str]:
        if not tags:
            raise ValueError("at least one tag is needed, or every instance would be deployed to")
        return tags


_BY_TAGS, _BY_NAME = "<by tags>", "<by name>"
_GIVEN = frozenset({"name", "root", "fabric"})  # fields that are no keys of the file
_HOSTS_REMEDY = "must be a list of host names, or `tags:` that EC2 instances carry"


def _hosts_kind(given: object) -> str | None:
    if isinstance(given, (dict, Hosts)):
        return _BY_TAGS
    return _BY_NAME if isinstance(given, (list, tuple)) else None


class Rollout(Strict):
    """How a release goes through the fleet."""

    strategy: Literal["rolling"] = "rolling"
    batch: Batch = Batch(sizes=("1",))
    drain: Literal["wait"] = "wait"
    soak_seconds: Seconds = 0.0

    @field_validator("batch", mode="before")
    @classmethod
    def _batch(cls, value: object) -> object:
        return value if isinstance(value, Batch) else Batch.parse(value)


class Environment(Strict):
    """A named fleet with its AWS account, hosts, rollout policy and apps."""

    name: str
    root: Path
    apps: Annotated[tuple[App, ...], Field(strict=False, min_length=1)]
    hosts: Annotated[
        Annotated[Hosts, Tag(_BY_TAGS)] | Annotated[Names, Tag(_BY_NAME)],
        Discriminator(_hosts_kind, custom_error_type="hosts", custom_error_message=_HOSTS_REMEDY),
    ]
    aws: Aws = Aws()
    ssh: Ssh = Ssh()
    rollout: Rollout = Rollout()
    auto_scaling: Literal["refuse", "ignore"] = "refuse"
    poll_seconds: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    propagation_seconds: Seconds = 15.0
    fabric: dict[str, Any] = {}

    @model_validator(mode="after")
    def _distinct(self) -> Environment:
        taken: dict[object, str] = {}
        for app in self.apps:
            for what in (f"port {app.port}", f"target group {app.target_group!r}"):
                if what in taken:
                    raise ValueError(f"apps {taken[what]} and {app.name} share {what}")
                taken[what] = app.name
        return self

    def path(self, text: str) -> Path:
        """A path of the settings: `~` is home, a relative one starts at the settings file."""
        return (self.root / Path(text).expanduser()).resolve()


def load(path: Path, environment: str) -> Environment:
    """Read the settings file and return one environment, its apps' settings merged over the base.

    Raises BadInput: `file:line: key: problem; remedy`, one line for each problem.
    """
    whole = document.read(path)
    section = whole.below("deploy")
    if not section.values:
        raise BadInput(f"{path.name}:1: deploy: is missing; it holds `apps:` and `environments:`")
    _known(section, {"apps", "environments"})
    environments = section.below("environments")
    if environment not in environments.values:
        known = f"; known: {', '.join(environments.values) or 'none'}"
        raise BadInput(
            f"{section.place(('environments',))}: no environment {environment!r}"
            f"{nearest(environment, environments.values) or known}"
        )
    _mapping(section, "apps", "apps")
    _mapping(environments, environment, environment)
    chosen = _included(environments.below(environment), path.parent, environment)
    for key in sorted(_GIVEN & set(chosen.values)):
        raise BadInput(f"{chosen.place((key,))}: {environment}: {key}: unknown key")
    merged = _apps(section.below("apps"), chosen, environment)
    fabric = {key: value for key, value in whole.values.items() if key != "deploy"}
    values = merged.values | {"name": environment, "root": path.parent.resolve(), "fabric": fabric}
    values["apps"] = [{"name": name} | app for name, app in merged.values["apps"].items()]
    try:
        return Environment.model_validate(values)
    except ValidationError as error:
        names = list(merged.values["apps"])
        raise BadInput(_explain(error, merged, names, environment)) from error


def environment_names(path: Path) -> tuple[str, ...]:
    """The environments that the settings file names."""
    return tuple(document.read(path).below("deploy", "environments").values)


def _included(chosen: Document, root: Path, environment: str) -> Document:
    """Follow `from:`, a file that other tools write (the lab, or infrastructure code)."""
    name = chosen.values.get("from")
    if name is None:
        return chosen
    place = f"{chosen.place(('from',))}: {environment}: from"
    if not isinstance(name, str):
        raise BadInput(f"{place}: must be the path of a YAML file")
    file = root / Path(name).expanduser()
    if not file.exists():
        lab = "; the lab is not running: start it with `inv lab.up`" if ".lab/" in name else ""
        raise BadInput(f"{place}: {name} does not exist{lab}")
    own = {key: value for key, value in chosen.values.items() if key != "from"}
    return document.read(file).overlaid(Document(own, chosen.places))


def _mapping(section: Document, key: str, called: str) -> None:
    """Refuse what stands under a key and is neither a mapping nor empty."""
    if not isinstance(section.values.get(key) or {}, dict):
        raise BadInput(f"{section.place((key,))}: {called}: must be a mapping of keys to values")


def _apps(base: Document, chosen: Document, environment: str) -> Document:
    """The environment with its apps merged over the base's; without `apps:`, all of the base's."""
    own = chosen.values.get("apps", dict.fromkeys(base.values))
    if not isinstance(own, dict):
        place = chosen.place(("apps",))
        raise BadInput(f"{place}: {environment}: apps: must be a mapping of names to settings")
    merged = chosen
    values: dict[str, Any] = {}
    for name, mine in own.items():
        is_whole = isinstance(mine, dict) and "package" in mine
        if name not in base.values and not is_whole:
            place = chosen.place(("apps", name))
            hint = nearest(name, base.values) or f"; known: {', '.join(base.values) or 'none'}"
            raise BadInput(f"{place}: {environment}: apps: unknown app {name!r}{hint}")
        _mapping(base, name, f"{environment}: apps.{name}")
        _mapping(chosen.below("apps"), name, f"{environment}: apps.{name}")
        app = base.below(name).overlaid(chosen.below("apps", name))
        if "name" in app.values:
            raise BadInput(f"{app.place(('name',))}: {environment}: apps.{name}.name: unknown key")
        values[name] = app.values
        merged = Document(merged.values, merged.places | app.moved("apps", name).places)
    return Document(merged.values | {"apps": values}, merged.places)


def _known(section: Document, known: set[str]) -> None:
    for key in section.values:
        if key not in known:
            raise BadInput(f"{section.place((key,))}: deploy.{key}: unknown{nearest(key, known)}")


def _explain(error: ValidationError, merged: Document, apps: list[str], environment: str) -> str:
    """Pydantic's findings as `file:line: key: problem; remedy`, one line each."""
    lines: list[str] = []
    for found in error.errors():
        if found["type"] == "too_short" and found["input"]:
            continue  # it follows from an entry's own error, which is told beside it
        location = [part for part in found["loc"] if part not in _UNION_TAGS]
        if len(location) > 1 and location[0] == "apps" and isinstance(location[1], int):
            location[1] = apps[location[1]]
        key = ".".join(str(part) for part in location) or "apps"
        place = merged.place(tuple(location))
        if found["type"] == "extra_forbidden":
            problem = f"unknown key{nearest(str(location[-1]), _siblings(location))}"
        else:
            problem = findings.problem(found)
        line = f"{place}: {environment}: {key}: {problem}"
        if line not in lines:
            lines.append(line)
    return "\n".join(lines)


_MODELS: dict[str, type[Strict]] = {
    "health": Health,
    "rollout": Rollout,
    "aws": Aws,
    "ssh": Ssh,
    "hosts": Hosts,
}
_UNION_TAGS = frozenset({_BY_TAGS, _BY_NAME})


def _siblings(location: list[str | int]) -> set[str]:
    """The keys that are known where an unknown one stands."""
    parent = location[-2] if len(location) > 1 else ""
    model = _MODELS.get(str(parent), App if location[0] == "apps" else Environment)
    return set(model.model_fields) - _GIVEN
