"""Makes a connection to a host from the settings and the user's ssh configuration."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

from fabric import Config

from deploy import path_checks
from deploy.errors import BadInput, reading
from deploy.hosts.route import direct, tunnels
from deploy.hosts.ssh import ssh_config
from deploy.hosts.ssh.connection import Connection
from deploy.hosts.ssh.known_hosts import trust_known_hosts
from deploy.hosts.ssh.openssh import identities, private_keys, program, tokens
from deploy.hosts.ssh.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable

    import paramiko

    from deploy.aws.inventory import Host
    from deploy.hosts.route.routes import Routes
    from deploy.hosts.ssh.ssh_config import Source
    from deploy.settings.environment import Environment


CONFIGURATION = "the SSH configuration (~/.ssh/config, known_hosts files, Fabric's keys)"
REPAIR = "look for an unusual line, or do without your own: `load_ssh_configs: false`"


@reading(CONFIGURATION, REPAIR)
def resolve(environment: Environment, name: str) -> str:
    """A listed host's address, through the user's ssh config and the resolver."""
    # An address of IPv6 has more than one colon.
    if not tokens.is_plain_host(name) or name.count(":") == 1:
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


def read_own_files(environment: Environment) -> None:
    """Refuse what makes every login fail, before any connection is tried.

    That is a user without a name, which ssh refuses too, and key and known_hosts files that cannot
    be used. A key with a passphrase is accepted here, since an agent may hold it.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError) as error:  # OSError from Python 3.13 on
        raise BadInput(
            f"this user, number {os.geteuid()}, has no name on this machine, and SSH needs one: "
            "set USER, for example `export USER=deploy`"
        ) from error
    ssh, where = environment.ssh, f"{environment.name}: ssh:"
    given = environment.fabric.get("connect_kwargs")
    given = given if isinstance(given, dict) else {}  # what is none is refused beside this
    passphrase = given.get("passphrase") or given.get("password")
    keys = [private_keys.read(str(environment.path(name)), passphrase) for name in ssh.key_files]
    problems = [
        f"{where} key_files: {each.path} {each.why}"
        for each in keys
        if each.why and not each.may_be_held
    ]
    absent = [name for name in ssh.known_hosts if not path_checks.is_file(environment.path(name))]
    problems += [
        f"{where} known_hosts: {environment.path(name)} does not exist; make it, empty at first: "
        "each host's line to add is shown where its key is unknown"
        for name in absent
    ]
    if problems:
        raise BadInput(*problems)


@reading(CONFIGURATION, REPAIR)
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
    named = [os.path.expanduser(each) for each in ([given] if isinstance(given, str) else given)]  # noqa: PTH111 - as Paramiko
    source = _source(environment)
    own, place = _configured(source, host, environment)
    connection = Connection(
        place,
        user=ssh.user,
        port=ssh.port,
        config=_config(environment, own),
        connect_timeout=ssh.connect_timeout_seconds,
        connect_kwargs=connect,
    )
    if tunnel := tunnels.command(environment, host.instance_id, connection.port):
        connection.gateway = tunnel
    trust_known_hosts(connection, environment)
    identities.offer(connection, named)
    on_way = connection.gateway
    while isinstance(on_way, Connection):
        identities.offer(on_way)
        on_way = on_way.gateway
    return connection


def on_routes(host: Host, environment: Environment, routes: Routes) -> Connection:
    """The same, with its part in what the connections of a command have in common."""
    connection = connection_to(host, environment)
    routes.share(connection)
    return connection


def _configured(
    source: Source, host: Host, environment: Environment
) -> tuple[paramiko.SSHConfig, str]:
    """What ssh's configuration says of a host, and the name or address that is connected to."""
    if not _is_instance(host, environment):
        # A listed name is connected to as the user would: ssh config and known_hosts go by it.
        return ssh_config.of_listed(source, host.name), host.name
    # A Name tag is not proof of a machine, as many may set tags: it never decides where SSH goes.
    own = ssh_config.of_instance(source, host.name, host.address)
    if not environment.is_by_tags:
        listed = ssh_config.of_listed(source, host.name)
        if environment.ssh.via or listed.lookup(host.name).get("proxycommand"):
            # An id has no address of its own, and a program leads there, as for `ssh i-…`.
            return listed, host.name
    return own, host.address


def _is_instance(host: Host, environment: Environment) -> bool:
    """Whether a host is known by what EC2 has of it: found by its tags, or listed by its id."""
    return environment.is_by_tags or host.name == host.instance_id


@reading(CONFIGURATION, REPAIR)
def ask_ahead(environment: Environment, hosts: Iterable[Host]) -> None:
    """Ask for the ssh configuration of all hosts at once; what is wrong is raised later."""
    found = [host for host in hosts if _is_instance(host, environment)]
    if found:
        places = [place for host in found for place in (host.name, host.address)]
        ssh_config.ahead(_source(environment), filter(program.NAME.fullmatch, places))


def _source(environment: Environment) -> Source:
    return ssh_config.read(environment.fabric, environment.ssh.user, environment.ssh.port)


def _config(environment: Environment, configured: paramiko.SSHConfig) -> Config:
    """Fabric's own keys of the project's file with this ssh configuration; no file is read."""
    own = {key: value for key, value in environment.fabric.items() if key != "connect_kwargs"}
    return Config(overrides=own, ssh_config=configured, lazy=True)
