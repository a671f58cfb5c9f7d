"""The settings of an environment: account, hosts, connections, policy and apps."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from deploy.path_checks import expanded, resolved
from deploy.settings import endpoint
from deploy.settings.app import App  # noqa: TC001 - pydantic reads it
from deploy.settings.base import Port, Seconds, Strict, Words
from deploy.settings.rollout import Rollout
from deploy.settings.verify import Verify

Network = IPv4Network | IPv6Network
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Aws(Strict):
    """The AWS account and its API; empty keys follow the AWS tools' own settings."""

    region: str | None = None
    """The region. Default: the AWS tools' own settings."""
    profile: str | None = None
    """The profile. Leave it out where a role gives the credentials, as in CI."""
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] | None = None
    """The account's number, in quotes. If given, credentials of another account are refused."""
    endpoint_url: str | None = None
    """The address of the API, where it is not AWS's own."""
    credentials_file: str | None = None
    """The credentials file. Default: `~/.aws/credentials`."""

    @field_validator("endpoint_url")
    @classmethod
    def _private(cls, url: str | None) -> str | None:
        if url is not None and (problem := endpoint.problem(url)):
            raise ValueError(problem)
        return url


class Ssh(Strict):
    """How hosts are reached, beside the user's own ~/.ssh/config."""

    user: str | None = None
    """The login user. Default: that of your ssh configuration."""
    port: Port | None = None
    """The port of sshd. Default: that of your ssh configuration, or 22."""
    key_files: Words = ()
    """Private keys. Default: those of your agent and of `~/.ssh`."""
    known_hosts: Words = ()
    """Files with host keys, besides your own `~/.ssh/known_hosts`."""
    connect_timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 10
    """How long a connection may take."""
    address: Literal["private", "public"] = "private"
    """Which of an instance's addresses is connected to."""
    via: Literal["ssm", "instance-connect"] | None = None
    """By which of AWS's own programs hosts are reached, with `aws: profile:` and `aws: region:`:
    `ssm` is Session Manager (`aws ssm start-session`), `instance-connect` an EC2 Instance Connect
    endpoint (`aws ec2-instance-connect open-tunnel`). Default: the way of your ssh configuration.
    """


class Hosts(Strict):
    """A fleet found by the EC2 tags that its running instances carry."""

    tags: dict[str, str]
    """EC2 tags that all instances of the fleet carry."""

    @field_validator("tags")
    @classmethod
    def _some(cls, tags: dict[str, str]) -> dict[str, str]:
        if not tags:
            raise ValueError("at least one tag is needed, or every instance would be deployed to")
        return tags


BY_TAGS, BY_NAME = "<by tags>", "<by name>"
_HOSTS_REMEDY = "must be a list of host names or instance ids, or `tags:` that EC2 instances carry"


def _hosts_kind(given: object) -> str | None:
    if isinstance(given, (dict, Hosts)):
        return BY_TAGS
    return BY_NAME if isinstance(given, (list, tuple)) else None


class Environment(Strict):
    """A named fleet with its AWS account, hosts, rollout policy and apps."""

    name: str
    """The environment's key."""
    root: Path
    """The folder of the settings file: relative paths start there."""
    apps: Annotated[tuple[App, ...], Field(strict=False, min_length=1)]
    """The apps, by name, and the keys that differ from those under `deploy.apps`. Default: all
    apps.
    """
    hosts: Annotated[
        Annotated[Hosts, Tag(BY_TAGS)] | Annotated[Names, Tag(BY_NAME)],
        Discriminator(_hosts_kind, custom_error_type="hosts", custom_error_message=_HOSTS_REMEDY),
    ]
    """A list of host names and of instance ids (`i-…`), or `tags:` that EC2 instances carry."""
    aws: Aws = Aws()
    """The AWS account and its API."""
    ssh: Ssh = Ssh()
    """How hosts are reached."""
    rollout: Rollout = Rollout()
    """How a release goes through the fleet."""
    auto_scaling: Literal["refuse", "ignore", "accept-replacement"] = "refuse"
    """What to do about hosts that belong to an Auto Scaling group, which may replace them at
    any time. `ignore` goes on, and still refuses a group that is replacing its instances now, or
    that ends those whose release fails; `accept-replacement` goes on with these too.
    """
    other_groups: Literal["refuse", "ignore"] = "refuse"
    """What to do where target groups that no app names send requests to the hosts too, which no
    drain would stop. `ignore` does not look for them.
    """
    other_ports: Annotated[tuple[Port, ...], Field(strict=False)] = ()
    """Ports with which hosts may be targets of the apps' own groups besides the apps' targets.
    Such targets are not drained, so that their requests may fail; the plan names them. Others are
    refused, also with `other_groups: ignore`.
    """
    foreign_targets: Literal["refuse", "warn"] = "refuse"
    """What to do about targets of the apps' groups that get requests and are no hosts of the
    environment, and so keep the release that they have. `warn` names them in plan, status and
    report. Those that get no requests now, or that their Auto Scaling group keeps out of service,
    are always named, and never refused.
    """
    runs: Annotated[str, Field(min_length=1)] = ".changeover/runs"
    """A folder on the workstation, made where it is missing, where each command that changes the
    fleet keeps what happened: `<time>-<id>/events.jsonl`.
    """
    hooks: Annotated[str, Field(min_length=1)] = "hooks"
    """A folder on the workstation with executables that run as a deploy goes on: `pre-deploy`,
    `pre-batch`, `post-host`, `post-deploy`, `on-failure`. It need not exist unless it is named.
    """
    hook_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60.0
    """How long a hook may take before it is ended, and has failed."""
    poll_seconds: Annotated[float, Field(ge=0.05, le=60)] = 2.0
    """The time between two reads of the targets' health."""
    lock_ttl_seconds: Annotated[float, Field(ge=2, le=3600)] = 30.0
    """A deploy that shows no sign of life for this long is dead, and its lock may be taken
    over.
    """
    propagation_seconds: Seconds = 15.0
    """How long load balancers may take to notice a deregistration. No drain is shorter."""
    quiet_seconds: Seconds = 5.0
    """How long connections must be idle for `drain: quiet` to end a drain."""
    ignore_peers: Words = ()
    """Addresses and networks, such as `10.0.0.9` or `10.1.0.0/16`, that connect to the apps and are
    no users: monitoring, for instance. A service to which others still connect after its drain is
    not stopped.
    """
    verify: Verify | None = None
    """What every app's packages are verified by."""
    other_apps: tuple[App, ...] = ()
    """The environment's apps that the command is not about."""
    beside: tuple[str, ...] = ()
    """Those of `apps`, by name, that are there only since they share a target with another."""
    fabric: dict[str, Any] = Field(default_factory=dict)
    """Fabric's own keys, from the top level of the file."""

    @field_validator("ignore_peers")
    @classmethod
    def _networks(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for peer in peers:
            try:
                ip_network(peer)
            except ValueError as error:
                raise ValueError(
                    f"{peer!r} is no address and no network such as 10.0.0.9 or 10.1.0.0/16"
                ) from error
        return peers

    @model_validator(mode="after")
    def _distinct(self) -> Environment:
        taken: dict[str, App] = {}
        for app in self.apps:
            if app.target_port is not None and len(app.ports) > 1:
                raise ValueError(
                    f"app {app.name} has one target_port for both of its slots; give it one port, "
                    "and `strategy: rolling`"
                )
            own = [f"port {port}" for port in app.ports]
            entry = [f"port {port}" for port in app.entry_ports if port not in app.ports]
            groups = [f"target group {name!r}" for name in app.group_names]
            for what in (*own, *entry, *groups):
                other = taken.setdefault(what, app)
                is_shared = other.shares_target_with(app) and what not in own
                if other is not app and not is_shared:
                    remedy = "" if what in own else "; behind one proxy both have its `target_port`"
                    raise ValueError(f"apps {other.name} and {app.name} share {what}{remedy}")
        if self.rollout.strategy == "surge":
            for app in self.apps:
                two = 2  # the old release's and the new one's
                if not app.is_worker and len(app.ports) < two:
                    raise ValueError(
                        f"strategy surge: app {app.name} has one port and needs two, such as "
                        f"`ports: [{app.ports[0]}, {app.ports[0] + 1}]`"
                    )
        return self

    def partners(self, app: App) -> tuple[App, ...]:
        """The other apps that share the app's target."""
        return tuple(
            other for other in self.apps if other.name != app.name and other.shares_target_with(app)
        )

    @property
    def is_by_tags(self) -> bool:
        """Whether the hosts are those that carry tags, and not a list."""
        return isinstance(self.hosts, Hosts)

    @property
    def asked_apps(self) -> tuple[App, ...]:
        """The apps that the command is about, without those beside them."""
        return tuple(app for app in self.apps if app.name not in self.beside)

    @property
    def ignored_networks(self) -> tuple[Network, ...]:
        """The networks that `ignore_peers` names."""
        return tuple(ip_network(peer) for peer in self.ignore_peers)

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
        return resolved(self.root / expanded(text))
