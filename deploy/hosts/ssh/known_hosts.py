"""Which host keys are trusted: those in OpenSSH's known_hosts files, and no others.

A line is read as sshd(8) describes the file and as ssh does: several lines for a machine, several
files, hashed names, wildcards and exclusions, ports, `@revoked`. A damaged line is passed over.
A host's certificate is verified where a `@cert-authority` is about the host.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from deploy import path_checks
from deploy.errors import BadInput
from deploy.hosts.refusals.unknown_key import ShownKey
from deploy.hosts.ssh.openssh import host_certificates, known_lines
from deploy.hosts.ssh.openssh.known_lines import AUTHORITY, REVOKED
from deploy.hosts.ssh.transport import preferring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.hosts.ssh.openssh.known_lines import Line
    from deploy.settings.environment import Environment

USER_FILES = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
GLOBAL_FILES = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
"""Where ssh looks by default (ssh_config(5))."""
NO_FILE = "a file that you name under `ssh: known_hosts:`"


class UnknownHostKey(paramiko.SSHException):
    """A machine, which may be a jump host, showed a key that no known_hosts file has."""

    def __init__(self, shown: ShownKey) -> None:
        super().__init__(
            f"{shown.place} shows a key that is unknown here: {shown.kind} {shown.fingerprint}"
            f"{shown.note}"
        )
        self.shown = shown


class RevokedHostKey(paramiko.SSHException):
    """A machine showed a key that a line of a known_hosts file revokes."""


class Known(paramiko.MissingHostKeyPolicy):
    """The keys that are known of one machine; every key that it shows is judged here alone.

    Paramiko asks a policy where its own list has no key of the machine; that list stays empty,
    since it reads fewer lines than OpenSSH.
    """

    def __init__(
        self,
        lines: Iterable[Line],
        machine: str,
        host: str,
        *,
        file: str = "",
        command: str = "none",
        without_port: str = "",
    ) -> None:
        """Take the lines of all files, what known_hosts calls the machine, and the machine.

        file: where a line about it would be added; command: KnownHostsCommand, which is not run,
        and is named where a key is unknown; without_port: the name whose keys count as well where
        none of the machine's own port is known, as for ssh (check_host_key in sshconnect.c).
        """
        self._machine, self._host, self._file, self._command = machine, host, file, command
        found = tuple(lines)
        self._lines = tuple(line for line in found if line.is_about(machine.lower()))
        self._bare = tuple(
            line for line in found if without_port and line.is_about(without_port.lower())
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of the keys that are known, which the machine is asked for first."""
        return tuple(dict.fromkeys(line.kind for line in self._usable("")))

    @property
    def authorities(self) -> frozenset[bytes]:
        """The keys whose certificates the machine may show."""
        return frozenset(line.key for line in self._usable(AUTHORITY))

    def _usable(self, marker: str) -> Iterator[Line]:
        every = (*self._lines, *self._bare)
        return (line for line in every if line.marker == marker and line.key)

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Return if the key is known.

        Raises UnknownHostKey with the fingerprint to compare, RevokedHostKey, or Paramiko's
        BadHostKeyException where another key of its type is known.
        """
        del client, hostname
        shown, what = key.asbytes(), f"{key.get_name()} {key.fingerprint}"
        blob: Any = key.public_blob
        certificate = host_certificates.parse(blob.key_blob) if blob else None
        for line in self._usable(REVOKED):
            if line.key == shown or (certificate and line.key == certificate.authority):
                raise RevokedHostKey(
                    f"{self._machine} shows a key that {line.place} revokes: {what}"
                )
        note = self._note()
        if certificate:
            why = certificate.refusal(self._host, self.authorities, time.time())
            if not why:
                return
            note = f"; its certificate proves nothing: {why}"
        known = [line for line in self._lines if line.marker == "" and line.key]
        if any(line.key == shown for line in known):
            return
        for line in known:
            expected = line.as_key if line.kind == key.get_name() else None
            if expected is not None:
                raise paramiko.BadHostKeyException(self._host, key, expected)
        if any(line.key == shown for line in self._usable("")):
            return  # the same machine is known by its name alone
        encoded = key.get_base64()
        raise UnknownHostKey(
            ShownKey(self._machine, key.get_name(), key.fingerprint, encoded, self._file, note)
        )

    def _note(self) -> str:
        """Which line about the machine was of no use; it was written for a reason."""
        for line in self._lines:
            if not line.key:
                return f"; {line.place} is about it, and is damaged"
            if line.marker == AUTHORITY:
                return f"; {line.place} trusts an authority, and the machine shows no certificate"
        if self._command.lower() != "none":
            return "; KnownHostsCommand of your ssh configuration is not run here"
        return ""


def trust_known_hosts(connection: fabric.Connection, environment: Environment) -> None:
    """Trust the keys of the user's and the project's known_hosts alone, jump hosts' too.

    Raises BadInput for a file of the project that cannot be read; one that is not there is
    refused by `connect.read_own_files`, once for all hosts. The user's and the system's are those
    that ssh would read, and one that cannot be read has no keys, as for ssh; RevokedHostKeys must
    be readable, as for ssh too.
    """
    own: list[Line] = []
    for name in environment.ssh.known_hosts:
        file = environment.path(name)
        try:
            own += known_lines.read(str(file), file.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{environment.name}: ssh: known_hosts: {file} cannot be read: {error}"
            ) from error
    connections = [connection]
    while isinstance(connections[-1].gateway, fabric.Connection):
        connections.append(connections[-1].gateway)
    for each in connections:
        found, files = [*own], tuple(_files(each.ssh_config))
        for name in files:
            try:
                found += known_lines.read(name, Path(name).stat().st_mtime_ns)
            except (OSError, ValueError):
                continue
        found += _revoked(environment, each.ssh_config)
        # ssh looks an alias up without a port (ssh_config(5), HostKeyAlias).
        alias = each.ssh_config.get("hostkeyalias")
        port = int(each.port or paramiko.config.SSH_PORT)
        usual = each.host if port == paramiko.config.SSH_PORT else f"[{each.host}]:{port}"
        to_add = [str(environment.path(name)) for name in environment.ssh.known_hosts] or files
        known = Known(
            found,
            alias or usual,
            alias or each.host,
            file=next(filter(_may_be_added_to, to_add), NO_FILE),
            command=each.ssh_config.get("knownhostscommand", "none"),
            without_port="" if alias or usual == each.host else each.host,
        )
        each.client.set_missing_host_key_policy(known)
        each.connect_kwargs = {
            **each.connect_kwargs,
            "transport_factory": preferring(
                (*host_certificates.ALGORITHMS * bool(known.authorities), *known.kinds)
            ),
        }


def _revoked(environment: Environment, configured: Mapping[str, Any]) -> Iterator[Line]:
    """The lines that RevokedHostKeys adds for every machine; BadInput where they are unknown."""
    for name in configured.get("revokedhostkeys", ()):
        try:
            yield from known_lines.revoked(name, Path(name).stat().st_mtime_ns)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInput(
                f"{environment.name}: RevokedHostKeys {name} of your ssh configuration cannot be "
                f"read: {why}; ssh trusts no host without it"
            ) from error


def _may_be_added_to(name: str) -> bool:
    """Whether a file can take a line: not /dev/null, which many name to have none kept."""
    return path_checks.is_file(name) or not path_checks.exists(name)


def _files(configured: Mapping[str, Any]) -> Iterator[str]:
    """The files that ssh reads for a machine, by its configuration."""
    for key, usual in (("userknownhostsfile", USER_FILES), ("globalknownhostsfile", GLOBAL_FILES)):
        for name in configured.get(key, usual.split()):
            with suppress(RuntimeError):  # `~` of a user without a home, as for ssh
                yield str(Path(name).expanduser())
