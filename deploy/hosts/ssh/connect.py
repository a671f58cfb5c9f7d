"""A connection to a host as settings and the user's ssh config want it, or why there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from fabric import Config

from deploy.errors import BadInput
from deploy.hosts.ssh import ssh_config
from deploy.hosts.ssh.connection import Connection
from deploy.hosts.ssh.known_hosts import trust_known_hosts
from deploy.hosts.ssh.openssh import direct, identities, private_keys, program, tokens
from deploy.hosts.ssh.transport import (
    Transport,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import paramiko

    from deploy.aws.inventory import Host
    from deploy.settings.environment import Environment


def resolve(environment: Environment, name: str) -> str:
    """A listed host's address, through the user's ssh config and the resolver."""
    if not tokens.is_plain_host(name):
        raise BadInput(
            f"host {name!r} under `hosts:` is no host name or address: letters, digits and `._:-` "
            "are allowed; user and port go under `ssh:`"
        )
    source = _source(environment)
    if isinstance(environment.hosts, tuple):
        ssh_config.ahead(source, filter(tokens.is_plain_host, environment.hosts))
    answer = ssh_config.answer(source, name)
    family = direct.family(answer.one("addressfamily"))
    try:
        found = socket.getaddrinfo(answer.host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"host {name!r} has no address ({why}); check the name under `hosts:`"
        ) from error
    # An instance is found by its IPv4 address.
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


def read_key_files(environment: Environment) -> None:
    """Refuse key files that are none, before any connection is tried."""
    for name in environment.ssh.key_files:
        file: Path = environment.path(name)
        found = private_keys.read(str(file), _passphrase(environment))
        if found.why and not found.is_encrypted:
            raise BadInput(f"{environment.name}: ssh: key_files: {file} {found.why}")


def _passphrase(environment: Environment) -> str | None:
    given = environment.fabric.get("connect_kwargs") or {}
    return given.get("passphrase") or given.get("password")


def connection_to(host: Host, environment: Environment) -> Connection:
    """The connection, not yet open.

    Raises BadInput for a known_hosts file or an ssh configuration that cannot be read, and for
    an alias in it that would lead to another machine than the host's.
    """
    ssh = environment.ssh
    connect = dict(environment.fabric.get("connect_kwargs") or {})
    if ssh.key_files:
        connect["key_filename"] = [str(environment.path(file)) for file in ssh.key_files]
        connect.setdefault("look_for_keys", False)
    connect.setdefault("banner_timeout", ssh.connect_timeout_seconds)
    connect.setdefault("auth_timeout", ssh.connect_timeout_seconds)
    # paramiko waits an hour for a channel of a host that froze.
    connect.setdefault("channel_timeout", ssh.connect_timeout_seconds)
    connect["transport_factory"] = Transport
    given = connect.get("key_filename") or ()
    named = (given,) if isinstance(given, str) else tuple(map(str, given))
    source = _source(environment)
    if environment.is_by_tags:
        # A Name tag is chosen by whoever may tag instances: it never decides where SSH goes.
        own, place = ssh_config.of_instance(source, host.name, host.address), host.address
    else:
        # A listed name is connected to as the user would: ssh config and known_hosts go by it.
        own, place = ssh_config.of_listed(source, host.name), host.name
    connection = Connection(
        place,
        user=ssh.user,
        port=ssh.port,
        config=_config(environment, own),
        connect_timeout=ssh.connect_timeout_seconds,
        connect_kwargs=connect,
    )
    trust_known_hosts(connection, environment)
    identities.offer(connection, named)
    on_way = connection.gateway
    while isinstance(on_way, Connection):
        identities.offer(on_way)
        on_way = on_way.gateway
    return connection


def ask_ahead(environment: Environment, hosts: Iterable[Host]) -> None:
    """Ask for the ssh configuration of all hosts at once; what is wrong is raised later."""
    if environment.is_by_tags:
        source = _source(environment)
        places = [place for host in hosts for place in (host.name, host.address)]
        ssh_config.ahead(source, filter(program.NAME.fullmatch, places))


def _source(environment: Environment) -> ssh_config.Source:
    return ssh_config.read(environment.fabric, environment.ssh.user, environment.ssh.port)


class _Config(Config):  # type: ignore[misc] # fabric carries no types
    """Fabric's configuration, whose copies for jump hosts ask the same ssh configuration."""

    def _clone_init_kwargs(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        made: dict[str, Any] = super()._clone_init_kwargs(*arguments, **named)
        return made | {"ssh_config": self.base_ssh_config}


def _config(environment: Environment, configured: paramiko.SSHConfig) -> Config:
    """Fabric's own keys of the project's file with this ssh configuration; no file is read."""
    own = {key: value for key, value in environment.fabric.items() if key != "connect_kwargs"}
    return _Config(overrides=own, ssh_config=configured, lazy=True)
