"""The settings of an app: its package, its service, its health check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from deploy.settings.base import Command, Job, Name, Port, Seconds, Strict, Words
from deploy.settings.health import Health, SmokeTest, SmokeThrough
from deploy.settings.units.directives import Limits, Sandbox  # noqa: TC001 - pydantic reads it
from deploy.settings.verify import Verify  # noqa: TC001 - pydantic reads it

NO_GROUP = "none"
"""What `target_group` says of a worker, which no load balancer sends requests to."""
WORKER_SLOT = 0
"""What the slot of a worker is named by, which has no port."""


def _of_worker(info: ValidationInfo) -> bool:
    """Whether the app's keys that were read so far make it a worker."""
    return info.data.get("target_group") == NO_GROUP


class App(Strict):
    """One deployable service, as it is in one environment."""

    name: Name
    """The app's key."""
    package: str
    """Where builds are: a pattern of paths, `<name>.<version>.zip`, `.nupkg`, `.tar.gz` or a
    folder. The newest version is deployed unless `--package` names one.
    """
    verify: Verify | None = None
    """What a package is verified by. It adds to the environment's, key by key."""
    target_groups: Words = ()
    """Several target groups, by name or ARN, in place of `target_group`: a host is out of service
    when it is out of all of them, and back in when it is healthy in all.
    """
    target_group: str | None = Field(default=None, validate_default=True)
    """The target group's name or ARN. It is needed, unless `target_groups` names several. `none`
    for a worker, which no load balancer sends requests to.
    """
    ports: Annotated[tuple[Port, ...], Field(strict=False, max_length=2)]
    """The port that the service listens on, which it reads from `PORT` or `ASPNETCORE_URLS`.
    Two ports, such as `[5000, 5001]`, for `strategy: surge`; `[]` for a worker.
    """
    target_port: Port | None = None
    """The port of a reverse proxy on the host, which the target groups have in place of the app's
    own. Targets are taken out and put in on it, and a release is proven on its own port and then
    through the proxy. If the health check has a third port, the release must pass `health:` on its
    own port, or without that give any answer below 500, and then the check. Several apps behind one
    proxy have the same `target_port` and the same target groups.
    """
    command: Command | None = None
    """The command that starts the service: a file of the package or a program on the host's
    PATH, and its arguments. `{port}` is the slot's port. Default: the file named like the
    package, or `dotnet <name>.dll` where that is what the package has.
    """
    run_once: Job | None = None
    """A command of the new release that one host runs before the first host is taken out, once for
    each release and environment, such as a database migration: a file of the package or a program
    on the host's PATH. It runs as the service would, and `{port}` is the slot's port.
    """
    run_once_timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """How long `run_once` may take. Then it is ended, and has failed."""
    executables: Words = ()
    """Files of the package to make executable besides the command's."""
    user: Name | None = None
    """The system user that the service runs as. Default: one of its own, named like the app."""
    type: Literal["exec", "notify", "simple"] = "exec"
    """systemd's service type. `notify` is for apps that call sd_notify."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of the service, readable by all users of the host. `{port}` is the slot's port."""
    environment_file: Annotated[str, StringConstraints(pattern=r"^/\S+$")] | None = None
    """A file on the host with secret environment variables, owned by root, with a mode of at most
    0640.
    """
    sandbox: Sandbox = Field(default_factory=dict)
    """Directives of the unit's sandbox to leave out, such as `{PrivateUsers: false}`."""
    limits: Limits = Field(default_factory=dict)
    """systemd's resource limits for the unit, such as `{LimitNOFILE: 65536}`."""
    rehearse: Literal["exec", "sandbox", "start"] = "exec"
    """What each host tries before the first drain, in the unit's own sandbox: `exec` checks that
    the command can be executed (its libraries, its interpreter, its mode), without running a line
    of it; `sandbox` starts /bin/true alone. `start` does as `exec` does, and on the hosts of the
    first batch starts the release on a free port, asks it and ends it: for apps that may run twice.
    """
    template: str | None = None
    """A unit template of your own in place of templates/service.j2."""
    replaces: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_@.:-]*\.service$")]
        | None
    ) = None
    """The unit that served before: the first deploy takes its place, a rollback returns to it."""
    health: Health = Health()
    """How a started release is asked on its own host before it is registered."""
    smoke: Annotated[tuple[SmokeTest, ...], Field(strict=False, max_length=50)] = ()
    """Requests that a new release must answer on its own host, beside the health check."""
    smoke_through: SmokeThrough | None = None
    """Where they are asked again through the load balancer, when the first batch serves."""
    longest_request_seconds: Seconds = 30.0
    """How long the app's longest request takes. The deregistration delay should be twice this."""
    drains_on_sigterm: bool = True
    """Whether the service finishes its open requests when it is stopped. If not, `drain: quiet`
    never ends a drain early.
    """
    start_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How long a started release may take to answer on its host."""
    stop_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """systemd's TimeoutStopSec. Default: the longest request and 15 s."""
    prove_seconds: Seconds = 5.0
    """How long a started release must stay up, unrestarted, before it is registered."""
    healthy_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 180.0
    """How long the load balancer may take to find the target healthy."""
    max_unpacked_mb: Annotated[int, Field(ge=1)] = 2048
    """The largest size of an unpacked package, in MiB."""
    keep_releases: Annotated[int, Field(ge=2, le=100)] = 5
    """How many releases stay on each host, to roll back to."""

    @field_validator("target_groups")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"{twice!r} stands there twice; name each target group once")
        return names

    @field_validator("target_group")
    @classmethod
    def _one_key(cls, name: str | None, info: ValidationInfo) -> str | None:
        several = info.data.get("target_groups")
        if name is not None and several:
            raise ValueError("stands beside target_groups; use one of the two keys")
        if name is None and several == ():
            raise ValueError("is missing; it names the target group, or target_groups several")
        return name

    @field_validator("ports")
    @classmethod
    def _two(cls, ports: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if len(set(ports)) < len(ports):
            raise ValueError(f"port {ports[0]} stands there twice; two slots need two ports")
        if not ports and not _of_worker(info):
            raise ValueError("is empty; only a worker has no port: `target_group: none`")
        if ports and _of_worker(info):
            raise ValueError("must be [] for a worker (`target_group: none`), which has no port")
        return ports

    @field_validator(
        "target_port", "command", "run_once", "health", "smoke", "smoke_through", "rehearse"
    )
    @classmethod
    def _of_its_kind(cls, given: object, info: ValidationInfo) -> object:
        is_worker = _of_worker(info)
        if is_worker and info.field_name in {"target_port", "smoke", "smoke_through"} and given:
            raise ValueError("has no meaning for a worker (`target_group: none`)")
        if is_worker and (info.field_name, given) == ("rehearse", "start"):
            raise ValueError("must not be `start` for a worker: two of them would do its work")
        if (info.field_name, given) == ("rehearse", "start") and info.data.get("run_once"):
            raise ValueError("must not be `start` beside run_once, which runs later; use `exec`")
        if is_worker and isinstance(given, str) and "{port}" in given:
            raise ValueError("holds {port}, and a worker (`target_group: none`) has none")
        if isinstance(given, Health):
            given.refuse_kind(is_worker=is_worker)
        return given

    @field_validator("environment_file")
    @classmethod
    def _direct(cls, path: str | None) -> str | None:
        if path and {"..", "."} & set(path.split("/")):
            raise ValueError(f"must be a direct path, without '.' and '..', not {path!r}")
        return path

    @property
    def is_worker(self) -> bool:
        """Whether no load balancer sends it requests: it has no target group, and no port."""
        return self.target_group == NO_GROUP

    @property
    def group_names(self) -> tuple[str, ...]:
        """The target groups, by name or ARN; a worker has none."""
        return () if self.is_worker else self.target_groups or (str(self.target_group),)

    def shares_target_with(self, other: App) -> bool:
        """Whether both are behind one proxy, and so leave and return to service together."""
        return self.target_port is not None and self.target_port == other.target_port

    @property
    def entry_ports(self) -> tuple[int, ...]:
        """The ports on which load balancers reach the app."""
        return self.ports if self.target_port is None else (self.target_port,)

    @property
    def sandbox_removed(self) -> tuple[str, ...]:
        """The directives of the sandbox that the unit goes without."""
        return tuple(sorted(name for name, is_kept in self.sandbox.items() if not is_kept))

    @property
    def names_user(self) -> bool:
        """Whether the settings name the service's user, and it is not the app's own by default."""
        return self.user is not None

    def at(self, port: int) -> AppInSlot:
        """The app in one of its slots, which has this port."""
        return AppInSlot(self, port)

    @property
    def slots(self) -> tuple[AppInSlot, ...]:
        """The app in each of its slots."""
        return tuple(map(self.at, self.ports or (WORKER_SLOT,)))

    @property
    def service_user(self) -> str:
        """The user that the service runs as; by default a system user named like the app."""
        return self.user or self.name

    @property
    def stop_seconds(self) -> int:
        """TimeoutStopSec: above the longest request, so that a stop never cuts one."""
        return self.stop_timeout_seconds or int(self.longest_request_seconds) + 15


@dataclass(frozen=True)
class AppInSlot:
    """An app in one of its slots, which has this port: what a host runs and a step is about."""

    settings: App
    port: int

    @property
    def name(self) -> str:
        """The app's key."""
        return self.settings.name

    @property
    def slot_mark(self) -> str:
        """`:5001 ` for a step's line, where there is another slot."""
        return f":{self.port} " if len(self.settings.ports) > 1 else ""

    @property
    def target_port(self) -> int:
        """The port of its target: its own, or that of the proxy in front of it."""
        return self.settings.target_port or self.port

    @property
    def unit_name(self) -> str:
        """The slot's systemd unit."""
        return f"{self.name}@{self.port}.service"
