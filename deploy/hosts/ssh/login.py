"""Opens a connection to a host; where it cannot, says why and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import paramiko

from deploy.errors import BadInput, Unreachable, reading
from deploy.foreign_text import visible, word
from deploy.hosts.route.failures import PROHIBITED, LoginFailed
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
    if isinstance(error, (UnknownHostKey, RevokedHostKey, paramiko.BadHostKeyException)):
        return BadInput(f"{who}: {_key_problem(error, at)}")
    if isinstance(error, paramiko.AuthenticationException):
        return _refused(who, failed, is_jump=is_jump)
    if isinstance(error, NoCommonAlgorithm):
        return BadInput(f"{who}: {error}")
    said = visible(error) or type(error).__name__
    check = f"check that {'it' if is_jump else 'the host'} runs and that your network reaches it"
    if failed.proxy_said:
        said = f"its ProxyCommand reports: {visible(failed.proxy_said)}"
        check = "check that program, and that the host runs"
    return Unreachable(f"{who}: no SSH connection on port {at.port}: {said}; {check}")


def _key_problem(error: Exception, at: Any) -> str:
    """Why the key that a machine showed is not trusted."""
    if isinstance(error, UnknownHostKey):
        return (
            f"unknown host key: {visible(error)}; compare it with the machine's own, "
            f"then add it: {_scan(error.place)} >> ~/.ssh/known_hosts"
        )
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
    """Why a user was not let in."""
    at, keys = failed.connection, "`ssh: user:` and `ssh: key_files:`"
    if is_jump:  # which has its keys from ssh's own configuration alone
        keys = f"User and IdentityFile of {at.original_host} in ~/.ssh/config"
    check = f"check {keys}, or your agent (ssh-add -l)"
    # Paramiko reports a peer that goes away or is silent by the same exception.
    if not failed.was_active or "timeout" in str(failed.error):
        return Unreachable(
            f"{who}: the connection broke while user {at.user!r} logged in: "
            f"{visible(failed.error)}; if that lasts, {check}"
        )
    return BadInput(f"{who}: refuses user {at.user!r} with the keys offered; {check}")


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


def _scan(place: str) -> str:
    """What shows the keys of a machine that known_hosts calls `name`, or `[name]:port`."""
    name, _, port = place.removeprefix("[").partition("]:")
    return f"ssh-keyscan -p {port or 22} {word(name)}"
