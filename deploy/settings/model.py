"""What can be set: one environment with its apps, as frozen values that check themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from deploy.errors import BadInput
from deploy.settings import endpoint, success_codes
from deploy.unit import sandbox
from deploy.unit.syntax import is_control

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Words = Annotated[tuple[str, ...], Field(strict=False)]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


def _removable(name: str) -> str:
    if problem := sandbox.refusal(name):
        raise ValueError(problem)
    return name


Directive = Annotated[str, AfterValidator(_removable)]
FREE_TEXT = frozenset({"command", "environment", "fabric"})
"""Keys whose values may hold line breaks; `unit.unit_file` refuses what systemd cannot say."""


class Strict(BaseModel):
    """No unknown key, no silent conversion, no control character, no change after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse names, paths and addresses that a terminal would not show as they are."""
        if info.field_name not in FREE_TEXT:
            is_tags = info.field_name == "tags" and isinstance(value, dict)
            _refuse_controls([*value, *value.values()] if is_tags else value)
        return value


def _refuse_controls(value: object) -> None:
    for each in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(each, str) and any(map(is_control, each)):
            raise ValueError(f"must not hold a control character, as {each!r} does")


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

    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$")] | None = None
    expect: str | None = None
    host: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 5.0

    @field_validator("expect")
    @classmethod
    def _expect(cls, text: str | None) -> str | None:
        try:
            return text if text is None else str(success_codes.parse(text))
        except BadInput as error:
            raise ValueError(str(error)) from error


class Verify(Strict):
    """What a package must match before anything in it is read; all that is given must hold.

    sha256sums: a file as sha256sum writes it; `{package}` in it is the package's file name, and
    at its start the package's path.
    minisign: a public key or its file; the signature is beside the package: `<package>.minisig`.
    """

    sha256sums: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    minisign: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None

    @model_validator(mode="after")
    def _something(self) -> Verify:
        if self.sha256sums is None and self.minisign is None:
            raise ValueError("it verifies nothing; give sha256sums, minisign or both")
        return self


class App(Strict):
    """One deployable service, as it is in one environment.

    slot: the port of the slot that is meant, where the app has two; see `at`.
    """

    name: Name
    package: str
    verify: Verify | None = None
    target_group: str
    ports: Annotated[tuple[Port, ...], Field(strict=False, min_length=1, max_length=2)]
    command: str | None = None
    executables: Words = ()
    user: Name | None = None
    type: Literal["exec", "notify", "simple"] = "exec"
    environment: dict[str, str] = {}
    environment_file: Annotated[str, StringConstraints(pattern=r"^/\S+$")] | None = None
    sandbox: dict[Directive, bool] = {}
    template: str | None = None
    replaces: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_@.:-]*\.service$")]
        | None
    ) = None
    health: Health = Health()
    longest_request_seconds: Seconds = 30.0
    drains_on_sigterm: bool = True
    start_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    stop_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    prove_seconds: Seconds = 5.0
    healthy_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 180.0
    max_unpacked_mb: Annotated[int, Field(ge=1)] = 2048
    keep_releases: Annotated[int, Field(ge=2, le=100)] = 5
    slot: Port | None = None

    @field_validator("ports")
    @classmethod
    def _two(cls, ports: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(ports)) < len(ports):
            raise ValueError(f"port {ports[0]} stands there twice; two slots need two ports")
        return ports

    @field_validator("environment_file")
    @classmethod
    def _direct(cls, path: str | None) -> str | None:
        if path and {"..", "."} & set(path.split("/")):
            raise ValueError(f"must be a direct path, without '.' and '..', not {path!r}")
        return path

    @property
    def sandbox_removed(self) -> tuple[str, ...]:
        """The directives of the sandbox that the unit goes without."""
        return tuple(sorted(name for name, is_kept in self.sandbox.items() if not is_kept))

    @property
    def names_user(self) -> bool:
        """Whether the settings name the service's user, and it is not the app's own by default."""
        return self.user is not None

    def at(self, port: int) -> App:
        """The app in one of its slots, which has this port."""
        return self if self.ports == (port,) else self.model_copy(update={"slot": port})

    @property
    def port(self) -> int:
        """The port of the app's slot; an app with two is first put `at` one of them."""
        if len(self.ports) > 1 and self.slot is None:
            raise ValueError(f"{self.name} has two slots: it is asked for the port of neither")
        return self.slot or self.ports[0]

    @property
    def slot_mark(self) -> str:
        """`:5001 ` for a step's line, where there is another slot to tell it from."""
        return f":{self.port} " if len(self.ports) > 1 else ""

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

    @field_validator("endpoint_url")
    @classmethod
    def _private(cls, url: str | None) -> str | None:
        if url is not None and (problem := endpoint.problem(url)):
            raise ValueError(problem)
        return url


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


BY_TAGS, BY_NAME = "<by tags>", "<by name>"
GIVEN = frozenset({"name", "root", "fabric", "slot"})  # fields that are no keys of the file
_HOSTS_REMEDY = "must be a list of host names, or `tags:` that EC2 instances carry"


def _hosts_kind(given: object) -> str | None:
    if isinstance(given, (dict, Hosts)):
        return BY_TAGS
    return BY_NAME if isinstance(given, (list, tuple)) else None


class Share(Strict):
    """A count of hosts or a percentage of the fleet; a percentage rounds down."""

    text: str

    @classmethod
    def parse(cls, value: object) -> Share:
        """From `2` or `"25%"`; ValueError says what is wrong."""
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"\d+%?", text):
            raise ValueError(f"{value!r} is no share; write a count (2) or a percentage (25%)")
        if text.endswith("%") and int(text[:-1]) > 100:  # noqa: PLR2004 - the whole
            raise ValueError(f"{text} is more than the whole fleet; at most 100% is possible")
        return cls(text=text)

    def hosts(self, fleet: int) -> int:
        """How many hosts of a fleet of this size it means."""
        if self.text.endswith("%"):
            return fleet * int(self.text[:-1]) // 100
        return int(self.text)

    def __str__(self) -> str:
        return self.text


class Rollout(Strict):
    """How a release goes through the fleet.

    strategy: rolling works in the slot in use; surge starts the release in the other slot first.
    window: so many hosts at a time and no barrier, in place of batches.
    min_in_service: targets that stay healthy whatever happens; without it the fleet minus the
    batch. max_failures: hosts that may fail, each put back, before the rollout stops.
    """

    strategy: Literal["rolling", "surge"] = "rolling"
    batch: Batch = Batch(sizes=("1",))
    window: Annotated[int, Field(ge=1)] | None = None
    min_in_service: Share | None = None
    drain: Literal["wait", "quiet"] = "wait"
    soak_seconds: Seconds = 0.0
    on_failure: Literal["stop", "rollback"] = "stop"
    max_failures: Share = Share(text="0")

    @model_validator(mode="before")
    @classmethod
    def _canary_then_all(cls, given: Any) -> Any:
        """Where capacity never drops, a canary is all that a batch is good for."""
        if not isinstance(given, dict):
            return given
        if given.get("window") is not None and "batch" in given:
            raise ValueError("window and batch exclude each other; keep one of the two")
        if given.get("strategy") == "surge":
            return {"batch": [1, "100%"]} | given
        return given

    @field_validator("batch", mode="before")
    @classmethod
    def _batch(cls, value: object) -> object:
        return value if isinstance(value, Batch) else Batch.parse(value)

    @field_validator("min_in_service", "max_failures", mode="before")
    @classmethod
    def _share(cls, value: object) -> object:
        return value if isinstance(value, (Share, type(None))) else Share.parse(value)


class Environment(Strict):
    """A named fleet with its AWS account, hosts, rollout policy and apps."""

    name: str
    root: Path
    apps: Annotated[tuple[App, ...], Field(strict=False, min_length=1)]
    hosts: Annotated[
        Annotated[Hosts, Tag(BY_TAGS)] | Annotated[Names, Tag(BY_NAME)],
        Discriminator(_hosts_kind, custom_error_type="hosts", custom_error_message=_HOSTS_REMEDY),
    ]
    aws: Aws = Aws()
    ssh: Ssh = Ssh()
    rollout: Rollout = Rollout()
    auto_scaling: Literal["refuse", "ignore"] = "refuse"
    poll_seconds: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    lock_ttl_seconds: Annotated[float, Field(ge=2, le=3600)] = 30.0
    propagation_seconds: Seconds = 15.0
    quiet_seconds: Seconds = 5.0
    verify: Verify | None = None
    fabric: dict[str, Any] = {}

    @model_validator(mode="after")
    def _distinct(self) -> Environment:
        taken: dict[object, str] = {}
        for app in self.apps:
            ports = (f"port {port}" for port in app.ports)
            for what in (*ports, f"target group {app.target_group!r}"):
                if what in taken:
                    raise ValueError(f"apps {taken[what]} and {app.name} share {what}")
                taken[what] = app.name
        if self.rollout.strategy == "surge":
            for app in self.apps:
                if len(app.ports) < 2:  # noqa: PLR2004 - the old release's and the new one's
                    raise ValueError(
                        f"strategy surge: app {app.name} has one port and needs two, such as "
                        f"`ports: [{app.ports[0]}, {app.ports[0] + 1}]`"
                    )
        return self

    def verification(self, app: App) -> Verify | None:
        """What the app's package is verified by: its own keys, and the environment's beside them.

        An app's setting replaces the environment's key by key, so that it never drops the other.
        """
        if app.verify is None or self.verify is None:
            return app.verify or self.verify
        return Verify(
            sha256sums=app.verify.sha256sums or self.verify.sha256sums,
            minisign=app.verify.minisign or self.verify.minisign,
        )

    def path(self, text: str) -> Path:
        """A path of the settings: `~` is home, a relative one starts at the settings file."""
        return (self.root / Path(text).expanduser()).resolve()
