"""Opens a connection to a host, or explains why it cannot be opened and what to do."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.ssh_exception import NoValidConnectionsError

from deploy.errors import BadInput, Unreachable, reading
from deploy.foreign_text import visible
from deploy.hosts.refusals import login as refused
from deploy.hosts.refusals import unknown_key
from deploy.hosts.route import open_files
from deploy.hosts.route.failures import PROHIBITED, LoginEnded, LoginFailed, NoKeyAccepted
from deploy.hosts.ssh.known_hosts import RevokedHostKey, UnknownHostKey
from deploy.hosts.ssh.transport import NoCommonAlgorithm

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.hosts.ssh.connection import Connection


def open_to(host: Host, connection: Connection) -> None:
    """Open it; BadInput, or Unreachable, says why a host cannot be reached or trusted.

    A jump host's refusal is reported as its own.
    """
    what = f"{host.name} ({connection.host}): a key file, or the SSH configuration,"
    with reading(what, "check `ssh: key_files:`, the files in ~/.ssh and Fabric's keys"):
        _open(host, connection)


def opened(host: Host, connection: Connection) -> Connection:
    """The connection, once it is open; raises as `open_to` does."""
    open_to(host, connection)
    return connection


def _open(host: Host, connection: Connection) -> None:
    try:
        connection.open()
    except LoginFailed as failed:
        raise _problem(host, connection, failed) from failed.error


def _problem(host: Host, connection: Connection, failed: LoginFailed) -> BadInput:
    """What is wrong, with which machine, and what to do."""
    error, at = failed.error, failed.connection
    is_jump = at is not connection
    who = f"{host.name}: jump host {at.host}" if is_jump else f"{host.name} ({at.host})"
    if failed.jump:
        return _no_way(host, failed)
    if isinstance(error, UnknownHostKey):
        machine = at.host if is_jump else f"{host.name} {host.instance_id}".strip()
        return BadInput(*unknown_key.refusal(who, machine, error.shown))
    if isinstance(error, (RevokedHostKey, paramiko.BadHostKeyException)):
        return BadInput(f"{who}: {_key_problem(error, at)}")
    if isinstance(error, NoCommonAlgorithm):
        return BadInput(f"{who}: {error}")
    if isinstance(error, paramiko.AuthenticationException) or failed.in_login:
        return _refused(who, failed, is_jump=is_jump)
    said = _why(error)
    check = f"check that {'it' if is_jump else 'the host'} runs and that your network reaches it"
    if open_files.are_used_up(error):
        check = "raise this machine's limit, for example with ulimit -n 4096 before the command"
    if failed.proxy_said:
        said = f"its ProxyCommand reports: {visible(failed.proxy_said)}"
        check = "check that program, and that the host runs"
    return Unreachable(f"{who}: no SSH connection on port {at.port}: {said}; {check}")


def _why(error: Exception) -> str:
    """An error in its own words, without the address that the message has already.

    A file that it names is kept: a ProxyCommand's program that is not there, for instance.
    """
    if isinstance(error, NoValidConnectionsError):
        error = next(iter(error.errors.values()))
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return visible(error.strerror)
    return visible(error) or type(error).__name__


def _key_problem(error: Exception, at: Any) -> str:
    """Why the key that a machine showed is not trusted, though it is known."""
    if isinstance(error, paramiko.BadHostKeyException):
        name = error.hostname if at.port in {None, 22} else f"'[{error.hostname}]:{at.port}'"
        return (
            f"the host key is not the known one: {error.hostname} shows "
            f"{error.key.fingerprint}, known is {error.expected_key.fingerprint}; if it was "
            f"rebuilt, remove the old key: ssh-keygen -R {name}, "
            "with -f for a known_hosts file of the project"
        )
    return f"{visible(error)}; give the machine a new key, or remove that line if it is wrong"


def _refused(who: str, failed: LoginFailed, *, is_jump: bool) -> BadInput:
    """Why a user was not let in; Unreachable where that may pass."""
    at, error = failed.connection, failed.error
    jump = at.original_host if is_jump else ""
    types = error.allowed_types if isinstance(error, NoKeyAccepted) else ()
    allowed = ", ".join(sorted(types)) if "publickey" not in types else ""
    is_own_name = at.user == getpass.getuser()
    login = refused.Login(who, at.user, is_own_name=is_own_name, jump=jump, allowed=allowed)
    keys = error.keys if isinstance(error, NoKeyAccepted | LoginEnded) else refused.Keys()
    # Paramiko reports a peer that goes away or is silent by an error of the login too.
    if not isinstance(error, NoKeyAccepted) and (not failed.was_active or "timeout" in str(error)):
        is_refusal = isinstance(error, paramiko.AuthenticationException)
        said = str(error) if is_refusal else "the server ended it"
        if failed.proxy_said:
            said = f"its ProxyCommand reports: {failed.proxy_said}"
        return Unreachable(*refused.broken_off(login, keys, said))
    return BadInput(*refused.refusal(login, keys))


def _no_way(host: Host, failed: LoginFailed) -> BadInput:
    """What it means that a jump host opens no connection to a machine (RFC 4254, 5.1)."""
    error, at = failed.error, failed.connection
    place, who = f"{at.host}:{at.port}", f"{host.name}: jump host {failed.jump.host}"
    if isinstance(error, paramiko.ChannelException) and error.code == PROHIBITED:
        return BadInput(
            f"{who}: forwards nothing to {place}: {visible(error.text)}; its sshd_config must "
            "allow that: AllowTcpForwarding, PermitOpen"
        )
    said = error.text if isinstance(error, paramiko.ChannelException) else str(error)
    return Unreachable(
        f"{who}: opens no connection to {place}: {visible(said) or type(error).__name__}; check "
        "that the host runs and that the jump host reaches it"
    )
