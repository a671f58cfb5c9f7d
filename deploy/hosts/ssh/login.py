"""Opens a connection to a host; where it cannot, says why and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paramiko

from deploy.errors import BadInput, Unreachable
from deploy.foreign_text import visible, word
from deploy.hosts.ssh.known_hosts import RevokedHostKey, UnknownHostKey
from deploy.hosts.ssh.openssh.identities import NoKeyAccepted
from deploy.hosts.ssh.transport import (
    KEEPALIVE_SECONDS,
    NoCommonAlgorithm,
    answer_at_once,
)

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.hosts.ssh.connection import Connection


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
    except RevokedHostKey as error:
        raise BadInput(
            f"{who}: {visible(error)}; give the machine a new key, or remove that line if it is "
            "wrong"
        ) from error
    except paramiko.BadHostKeyException as error:
        raise BadInput(
            f"{who}: the host key is not the known one: {error.hostname} shows "
            f"{error.key.fingerprint}, known is {error.expected_key.fingerprint}; if it was "
            f"rebuilt, remove the old key: ssh-keygen -R {_place(connection, error.hostname)}, "
            "with -f for a known_hosts file of the project"
        ) from error
    except NoKeyAccepted as error:
        raise BadInput(f"{who}{_by_way_of(connection)}: {visible(error)}") from error
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
    return f"ssh-keyscan -p {port or 22} {word(name)}"


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
