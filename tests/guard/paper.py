"""What a command meets beyond the user's files: an account, machines and logins on paper.

All that reads a user's file is the product's own, up to where bytes would leave this machine.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import threading
import zlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import paramiko

from deploy.aws.api import lifetime
from deploy.aws.instances import Instance
from deploy.hosts.ssh.transport import Transport
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from deploy.aws.targets import TargetGroup
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey

HOST_KEY = paramiko.ECDSAKey.generate()
"""What each machine shows."""
LOGIN_KEY = paramiko.ECDSAKey.generate()
OPEN: list[socket.socket] = []
"""The connections that were made."""
ADDRESS = "10.0.0.5"
SETTINGS = """\
{fabric}deploy:
  apps:
    web: {{package: x.zip, command: web, ports: [5000], target_group: web}}
  environments:
    lab:
      hosts: {hosts}
      ssh: {ssh}
      aws: {aws}
"""


def private_key() -> str:
    """A key file that can be logged in with."""
    file = io.StringIO()
    LOGIN_KEY.write_private_key(file)
    return file.getvalue()


def lay_key(file: Path) -> None:
    """Write it where nobody else may read it, as ssh wants a key."""
    file.write_text(private_key())
    file.chmod(0o600)


def hang_up() -> None:
    """Close the connections that are left."""
    while OPEN:
        OPEN.pop().close()


class Account:
    """Credentials that AWS takes."""

    region = "eu-west-1"
    lifetime = lifetime.RENEWED

    def __init__(self, environment: Environment) -> None:
        del environment
        self.confirm = None

    def log_in(self) -> None:
        """They are good."""

    def verify(self) -> str:
        return "arn:aws:sts::123456789012:assumed-role/deploy/x"


class Balancer:
    """A load balancer that has every group that is asked for."""

    def __init__(self, account: object) -> None:
        del account

    def group(self, name: str) -> TargetGroup:
        return builders.group(name, arn=name)


def instances(_account: object, wanted: Iterable[str]) -> dict[str, list[Instance]]:
    """An instance at each address."""
    return {each: [_instance(each, f"web-{each}")] for each in wanted}


def tagged(_account: object, tags: Mapping[str, str]) -> list[Instance]:
    """One instance, called as a tag's value says."""
    return [_instance(ADDRESS, next(iter(tags.values())))]


def _instance(address: str, name: str) -> Instance:
    number = int(ipaddress.ip_address(address)) & 0xFFFFFFFF
    return Instance(f"i-{number:017x}", name, "eu-west-1a", "vpc-1", address, address)


def gather(
    environment: Environment, remotes: Mapping[str, Remote], *_: object, **__: object
) -> Survey:
    """A survey of fit hosts, each of which was logged in to."""
    for remote in remotes.values():
        remote.connect()
        remote.close()
    empty = Slot(has_environment_file=True)
    facts = replace(
        builders.facts(slots={app.name: empty for app in environment.apps}),
        spares={app.name: empty for app in environment.apps if len(app.ports) > 1},
    )
    hosts = [replace(facts, host=remote.host) for remote in remotes.values()]
    return builders.survey(hosts, apps=environment.apps)


@contextmanager
def world(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands meet all this, and nothing outside of this process."""
    from deploy.aws import instances as ec2  # noqa: PLC0415 - only where a command runs
    from deploy.checkup import aws  # noqa: PLC0415 - as above
    from deploy.hosts.ssh.openssh import match  # noqa: PLC0415 - as above
    from deploy.session import session, vetting  # noqa: PLC0415 - as above
    from deploy.survey import gather as surveys  # noqa: PLC0415 - as above

    # `Match exec` would run what the examples make of a command.
    patch.setattr(match, "_succeeds", lambda *_: True)
    patch.setattr(aws, "Account", Account)
    patch.setattr(aws, "Balancer", Balancer)
    patch.setattr(session, "Balancer", Balancer, raising=False)
    patch.setattr(session, "Balancer", Balancer)
    patch.setattr(surveys, "gather", gather)
    patch.setattr(vetting, "vetted", lambda seen, *_, **__: (seen, {}))
    patch.setattr(vetting, "with_programs", lambda problems, *_: problems)
    patch.setattr(ec2, "at", instances)
    patch.setattr(ec2, "tagged", tagged)
    with _listening() as place:
        patch.setattr(socket, "getaddrinfo", _Resolver(place))
        _log_in_on_paper(patch, place)
        yield
        hang_up()


class _Resolver:
    """Finds every name on this machine; what is no name at all raises what the system's does."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._place, self._system = place, socket.getaddrinfo

    def __call__(self, host: object, port: object, *rest: Any, **named: Any) -> Any:
        if not isinstance(host, str) or host.startswith("127."):
            return self._system(cast("Any", host), cast("Any", port), *rest, **named)
        name = host.encode("idna")  # as the system's does: UnicodeError
        if b"\0" in name:
            raise ValueError("embedded null character")
        if not name or name.endswith(b".invalid"):
            raise socket.gaierror(-2, "Name or service not known")
        address, number = self._place
        if port is None:  # the address of a name, and no connection to it
            address = f"127.0.{zlib.crc32(name) % 256}.{zlib.crc32(name) >> 8 & 0x7F | 1}"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, number))]


@contextmanager
def _listening() -> Iterator[tuple[str, int]]:
    """A port of this machine that takes connections, and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _log_in_on_paper(patch: pytest.MonkeyPatch, place: tuple[str, int]) -> None:
    """Let a machine show its key, and let in whoever has one, without a byte on the line."""

    def nothing(*_: object, **__: object) -> None:
        return None

    def let_in(_transport: object, user: str, key: paramiko.PKey, *_: object) -> list[str]:
        user.encode(), key.asbytes(), key.sign_ssh_data(b"x")
        return []

    def channel(*_: object, **__: object) -> socket.socket:
        return socket.create_connection(place)

    def no_session(*_: object, **__: object) -> None:
        raise paramiko.SSHException("this machine is on paper")

    begin = Transport.__init__

    def began(transport: Transport, sock: socket.socket, *rest: Any, **named: Any) -> None:
        begin(transport, sock, *rest, **named)
        OPEN.append(sock)  # the thread that would close it never runs

    for name, value in {
        "__init__": began,
        "start_client": nothing,
        "get_remote_server_key": lambda _: HOST_KEY,
        "auth_publickey": let_in,
        "auth_password": nothing,
        "is_active": lambda _: True,
        "is_authenticated": lambda _: True,
        "open_channel": channel,
        "open_session": no_session,
        "set_keepalive": nothing,
        "close": lambda transport: transport.sock.close(),
    }.items():
        patch.setattr(Transport, name, value)
