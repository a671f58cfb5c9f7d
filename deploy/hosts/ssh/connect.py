"""A connection to a host as settings and the user's ssh config want it, or why there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import paramiko
from fabric import Config

from deploy.errors import BadInput, Unreachable, nearest
from deploy.foreign_text import visible
from deploy.hosts.ssh import ssh_config
from deploy.hosts.ssh.connection import Connection
from deploy.hosts.ssh.transport import (
    KEEPALIVE_SECONDS,
    NoCommonAlgorithm,
    Transport,
    UnknownHostKey,
    answer_at_once,
    trust_known_hosts,
)
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.aws.inventory import Host
    from deploy.settings.environment import Environment


ARGUMENTS: dict[str, type] = {
    "allow_agent": bool,
    "auth_timeout": float,
    "banner_timeout": float,
    "channel_timeout": float,
    "compress": bool,
    "disabled_algorithms": dict,
    "key_filename": object,
    "look_for_keys": bool,
    "passphrase": str,
    "password": str,
}
"""What `connect_kwargs:` may hold, each with its type; the rest of Paramiko's is decided here."""

_NO_FORWARDING = (
    "the agent is never forwarded: root on a host could use its keys; remove the key, and give a "
    "jump host with ProxyJump in ~/.ssh/config"
)


def resolve(environment: Environment, name: str) -> str:
    """A listed host's address, through the user's ssh config and the resolver."""
    if not ssh_config.is_plain_host(name):
        raise BadInput(
            f"host {name!r} under `hosts:` is no host name or address: letters, digits and `._:-` "
            "are allowed; user and port go under `ssh:`"
        )
    blocks = ssh_config.read(environment.fabric)
    configured = ssh_config.of_listed(blocks).lookup(name).get("hostname", name)
    try:
        found = socket.getaddrinfo(configured, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"host {name!r} has no address ({why}); check the name under `hosts:`"
        ) from error
    # An instance is found by its IPv4 address.
    return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])


def read_key_files(environment: Environment) -> None:
    """Refuse key files that are not there, before any connection is tried."""
    for name in environment.ssh.key_files:
        file: Path = environment.path(name)
        if not file.is_file():
            raise BadInput(f"{environment.name}: ssh: key_files: {file} does not exist")


def refuse_misspelt(environment: Environment) -> None:
    """Refuse top-level keys that Fabric would pass over, or break on, once for all connections."""
    defaults = Config.global_defaults()
    for key, value in environment.fabric.items():
        if key not in defaults:
            hint = nearest(key, defaults) or "; Changeover's own stand under `deploy:`"
            raise BadInput(f"{environment.name}: top level: {key!r} is no key of Fabric's{hint}")
        kind = type(defaults[key])
        if None not in (value, defaults[key]) and not isinstance(value, kind):
            wanted = "a mapping" if kind is dict else f"of type {kind.__name__}"
            raise BadInput(f"{environment.name}: top level: {key}: must be {wanted}, not {value!r}")
    if environment.fabric.get("forward_agent"):
        raise BadInput(f"{environment.name}: top level: forward_agent: {_NO_FORWARDING}")
    _refuse_arguments(environment)


def _refuse_arguments(environment: Environment) -> None:
    """Refuse what Paramiko's connect does not take, or what only Changeover may set."""
    where = f"{environment.name}: top level: connect_kwargs"
    for key, value in (environment.fabric.get("connect_kwargs") or {}).items():
        if key == "forward_agent":
            raise BadInput(f"{where}: forward_agent: {_NO_FORWARDING}")
        if key not in ARGUMENTS:
            hint = nearest(str(key), ARGUMENTS) or f"; known are {', '.join(ARGUMENTS)}"
            raise BadInput(f"{where}: {key!r} cannot be set here{hint}")
        kind = ARGUMENTS[key]
        allowed = (int, float) if kind is float else kind
        if value is not None and not isinstance(value, allowed):
            raise BadInput(f"{where}: {key}: must be of type {kind.__name__}, not {value!r}")
        if isinstance(value, dict) and not all(isinstance(each, list) for each in value.values()):
            raise BadInput(f"{where}: {key}: must map kinds to lists of names, not {value!r}")


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
    blocks = ssh_config.read(environment.fabric)
    if isinstance(environment.hosts, Hosts):
        # A Name tag is chosen by whoever may tag instances: it never decides where SSH goes.
        own, place = ssh_config.of_instance(blocks, host.name, host.address), host.address
    else:
        # A listed name is connected to as the user would: ssh config and known_hosts go by it.
        own, place = ssh_config.of_listed(blocks), host.name
    connection = Connection(
        place,
        user=ssh.user,
        port=ssh.port,
        config=_config(environment, own),
        connect_timeout=ssh.connect_timeout_seconds,
        connect_kwargs=connect,
    )
    trust_known_hosts(connection, environment)
    return connection


def open_to(host: Host, connection: Connection) -> None:
    """Open it; BadInput, or Unreachable, says why a host cannot be reached or trusted."""
    who = f"{host.name} ({connection.host})"
    port = connection.port
    try:
        connection.open()
    except UnknownHostKey as error:
        raise BadInput(
            f"{who}: unknown host key: {visible(error)}; compare it with the machine's own, "
            f"then add it: {_scan(error.place)} >> ~/.ssh/known_hosts"
        ) from error
    except paramiko.BadHostKeyException as error:
        raise BadInput(
            f"{who}: the host key is not the known one: {error.hostname} shows "
            f"{error.key.fingerprint}, known is {error.expected_key.fingerprint}; if it was "
            f"rebuilt, remove the old key: ssh-keygen -R {_place(connection, error.hostname)}, "
            "with -f for a known_hosts file of the project"
        ) from error
    except paramiko.AuthenticationException as error:
        check = "check `ssh: user:` and `ssh: key_files:`, or your agent (ssh-add -l)"
        if _broke(connection, error):
            raise Unreachable(
                f"{who}: the connection broke while user {connection.user!r} logged in: "
                f"{visible(error)}; if that lasts, {check}"
            ) from error
        raise BadInput(
            f"{who}: refuses user {connection.user!r} with the keys offered; {check}"
        ) from error
    except NoCommonAlgorithm as error:
        raise BadInput(f"{who}{_by_way_of(connection)}: {error}") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise Unreachable(
            f"{who}: no SSH connection on port {port}{_by_way_of(connection)}: "
            f"{visible(error) or type(error).__name__}; "
            "check that the host runs and that your network reaches it"
        ) from error
    transport = connection.client.get_transport()
    if transport:
        transport.set_keepalive(KEEPALIVE_SECONDS)
        answer_at_once(transport)


def _scan(place: str) -> str:
    """What shows the keys of a machine that known_hosts calls `name`, or `[name]:port`."""
    name, _, port = place.removeprefix("[").partition("]:")
    return f"ssh-keyscan -p {port or 22} {visible(name)}"


def _by_way_of(connection: Any) -> str:
    """Name the jump host that could not be connected to, if it was one."""
    on_way = connection
    while hasattr(on_way.gateway, "host") and not on_way.gateway.is_connected:
        on_way = on_way.gateway
    return "" if on_way is connection else f", jump host {on_way.host}"


def _place(connection: Any, name: str) -> str:
    """What known_hosts calls a machine on a connection's way: the host, or a jump host."""
    on_way = connection
    while on_way.host != name and hasattr(on_way.gateway, "host"):
        on_way = on_way.gateway
    return name if on_way.port in {None, 22} else f"'[{name}]:{on_way.port}'"


def _broke(connection: Connection, error: paramiko.AuthenticationException) -> bool:
    """Whether no peer refused: Paramiko reports a peer that goes away or is silent by this too."""
    transport = connection.client.get_transport()
    return transport is None or not transport.is_active() or "timeout" in str(error)


def _config(environment: Environment, configured: paramiko.SSHConfig) -> Config:
    """Fabric's own keys of the project's file with this ssh configuration; no file is read."""
    own = {key: value for key, value in environment.fabric.items() if key != "connect_kwargs"}
    return Config(overrides=own, ssh_config=configured, lazy=True)
