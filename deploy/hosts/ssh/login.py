"""Opens a connection to a host; where it cannot, says why and what to do."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.ssh_exception import NoValidConnectionsError

from deploy.errors import BadInput, DeployError, Unreachable
from deploy.foreign_text import visible
from deploy.hosts.refusals import key_files, unknown_key
from deploy.hosts.refusals import login as refused
from deploy.hosts.refusals.key_files import Kind
from deploy.hosts.ssh.known_hosts import RevokedHostKey, UnknownHostKey
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
    try:
        _open(host, connection)
    except DeployError:
        # Paramiko leaves what it connected to open, and its thread with it.
        _failed(connection).client.close()
        raise


def _open(host: Host, connection: Connection) -> None:
    who = f"{host.name} ({connection.host})"
    port = connection.port
    _pass_over_unusable(connection)
    try:
        connection.open()
    except UnknownHostKey as error:
        hop = _failed(connection)
        machine = f"{host.name} {host.instance_id}".strip() if hop is connection else hop.host
        own = f"{who}{_by_way_of(connection)}"
        raise BadInput(*unknown_key.refusal(own, machine, error.shown)) from error
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
    except NoCommonAlgorithm as error:
        raise BadInput(f"{who}{_by_way_of(connection)}: {error}") from error
    except paramiko.ChannelException as error:
        # The jump host is connected, and refuses to connect further (RFC 4254, 5.1).
        hop = _failed(connection)
        jump, place = getattr(hop.gateway, "host", "?"), f"{hop.host}:{hop.port}"
        raise Unreachable(refused.not_passed_on(who, jump, place, error.text)) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise _of_login(who, connection, error) or Unreachable(
            f"{who}: no SSH connection on port {port}{_by_way_of(connection)}: "
            f"{_why(error)}; "
            "check that the host runs and that your network reaches it"
        ) from error
    transport = connection.client.get_transport()
    if transport:
        transport.set_keepalive(KEEPALIVE_SECONDS)
        answer_at_once(transport)


def _why(error: Exception) -> str:
    """An error in its own words, without the address that the message has already.

    A file that it names is kept: a ProxyCommand's program that is not there, for instance.
    """
    if isinstance(error, NoValidConnectionsError):
        error = next(iter(error.errors.values()))
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return visible(error.strerror)
    return visible(error) or type(error).__name__


def _of_login(who: str, connection: Any, error: Exception) -> BadInput | None:
    """The error of a login; None where the connection did not get so far.

    Paramiko reports the last key that it tried, which may be one that it could not read: what was
    offered is found here.
    """
    hop = _failed(connection)
    is_refusal = isinstance(error, paramiko.AuthenticationException)
    transport = hop.client.get_transport()
    if not is_refusal and not getattr(transport, "initial_kex_done", False):
        return None
    if transport is None or not transport.is_active() or "timeout" in str(error):
        # Paramiko reports a peer that goes away or is silent by an error of the login too.
        said = str(error) if is_refusal else "the server ended it"
        return Unreachable(
            *refused.broken_off(f"{who}{_by_way_of(connection)}", hop.user, _keys(hop), said)
        )
    types = _allowed(transport, hop.user)
    allowed = ", ".join(types) if types and "publickey" not in types else ""
    is_own_name = hop.user == getpass.getuser()
    return BadInput(
        *refused.refusal(
            f"{who}{_by_way_of(connection)}",
            hop.user,
            _keys(hop),
            is_own_name=is_own_name,
            allowed=allowed,
        )
    )


def _allowed(transport: Any, user: str) -> list[str]:
    """How a machine lets a user in (RFC 4252, 5.2); nothing where it does not say.

    Paramiko's error of the login may be that of a later key, which it could not read.
    """
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as error:
        return sorted(error.allowed_types)
    except Exception:  # noqa: BLE001 - it is for the message alone
        return []
    return []


def _keys(hop: Any) -> refused.Keys:
    """The keys that there were for a login to a machine."""
    given = getattr(hop, "connect_kwargs", {})
    paths = [*getattr(hop, "own_key_files", ())]
    if given.get("look_for_keys", True):
        paths += [path for path in key_files.DEFAULTS if Path(path).expanduser().is_file()]
    password = given.get("password")
    asks = given.get("allow_agent", True)
    held = len(paramiko.Agent().get_keys()) if asks and os.environ.get("SSH_AUTH_SOCK") else None
    return refused.Keys(
        key_files.read(paths, has_passphrase=bool(given.get("passphrase") or password)),
        held,
        asks_agent=asks,
        has_password=bool(password),
    )


def _pass_over_unusable(connection: Any) -> None:
    """Have ssh's IdentityFile and `key_files:` offer those that can be read, as ssh does.

    Paramiko would give the login up at the first that is not there.
    """
    on_way = connection
    while hasattr(on_way, "connect_kwargs"):
        given = on_way.connect_kwargs
        named = given.get("key_filename") or ()
        paths = (named,) if isinstance(named, str) else tuple(named)
        has_passphrase = bool(given.get("passphrase") or given.get("password"))
        on_way._set(own_key_files=getattr(on_way, "own_key_files", paths))  # noqa: SLF001 - Invoke's way
        read = key_files.read(paths, has_passphrase=has_passphrase)
        usable = [each.path for each in read if each.kind is Kind.USABLE]
        on_way.connect_kwargs = given | {"key_filename": usable}
        on_way = on_way.gateway


def _failed(connection: Any) -> Any:
    """The machine on a connection's way that could not be logged in to: itself, or a jump host."""
    on_way = connection
    while hasattr(on_way.gateway, "host") and not on_way.gateway.is_connected:
        on_way = on_way.gateway
    return on_way


def _by_way_of(connection: Any) -> str:
    """Name the jump host that could not be connected to, if it was one."""
    hop = _failed(connection)
    return "" if hop is connection else f", jump host {hop.host}"


def _place(connection: Any, name: str) -> str:
    """What known_hosts calls a machine on a connection's way: the host, or a jump host."""
    on_way = connection
    while on_way.host != name and hasattr(on_way.gateway, "host"):
        on_way = on_way.gateway
    return name if on_way.port in {None, 22} else f"'[{name}]:{on_way.port}'"
