"""Whose host keys are trusted: those that OpenSSH's known_hosts files have, and no others.

A line is read as sshd(8) describes the file and as ssh does: several lines for a machine, several
files, hashed names, wildcards and exclusions, ports, `@revoked`. A damaged line is passed over.
A host's certificate is verified where a `@cert-authority` is about the host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from deploy.errors import BadInput
from deploy.hosts.ssh.openssh import host_certificates
from deploy.hosts.ssh.openssh.match import listed
from deploy.hosts.ssh.transport import preferring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.settings.environment import Environment

USER_FILES = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
GLOBAL_FILES = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"
"""Where ssh looks by default (ssh_config(5))."""
AUTHORITY, REVOKED = "@cert-authority", "@revoked"
_SHA1_BYTES = 20


class UnknownHostKey(paramiko.SSHException):
    """A machine showed a key that no known_hosts file has.

    place: the machine, which may be a jump host, as known_hosts would name it.
    """

    def __init__(self, place: str, key: str, note: str = "") -> None:
        super().__init__(f"{place} shows a key that is unknown here: {key}{note}")
        self.place = place


class RevokedHostKey(paramiko.SSHException):
    """A machine showed a key that a line of a known_hosts file revokes."""


@dataclass(frozen=True)
class Line:
    """A line of a known_hosts file.

    Attributes:
        place: Its file and number, `file:7`.
        marker: AUTHORITY, REVOKED or empty.
        names: The machines, as the line has them.
        kind: The key's type.
        key: The key as it is sent, none where the line is damaged.
    """

    place: str
    marker: str
    names: str
    kind: str
    key: bytes

    def is_about(self, machine: str) -> bool:
        """Whether the line names a machine, which is `host` or `[host]:port`, in lower case."""
        if self.names.startswith("|1|"):
            return _is_hash_of(self.names, machine)
        return listed(self.names.lower(), machine)


class Known(paramiko.MissingHostKeyPolicy):
    """What is known of one machine; every key that it shows is judged here, none elsewhere.

    Paramiko asks a policy where its own list has no key of the machine; that list stays empty,
    since it reads fewer lines than OpenSSH.
    """

    def __init__(
        self, lines: Iterable[Line], machine: str, host: str, command: str = "none"
    ) -> None:
        """Take the lines of all files, what known_hosts calls the machine, and the machine.

        command: KnownHostsCommand, which is not run, and is named where a key is unknown.
        """
        self._machine, self._host, self._command = machine, host, command
        self._lines = tuple(line for line in lines if line.is_about(machine.lower()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The types of the keys that are known, which the machine is asked for first."""
        return tuple(dict.fromkeys(line.kind for line in self._usable("")))

    @property
    def authorities(self) -> frozenset[bytes]:
        """The keys whose certificates the machine may show."""
        return frozenset(line.key for line in self._usable(AUTHORITY))

    def _usable(self, marker: str) -> Iterator[Line]:
        return (line for line in self._lines if line.marker == marker and line.key)

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
        known = list(self._usable(""))
        if any(line.key == shown for line in known):
            return
        for line in known:
            expected = _key_of(line) if line.kind == key.get_name() else None
            if expected is not None:
                raise paramiko.BadHostKeyException(self._host, key, expected)
        raise UnknownHostKey(self._machine, what, note)

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

    Raises BadInput for a file of the project that cannot be read. The user's and the system's are
    those that ssh would read, and one that cannot be read has no keys, as for ssh.
    """
    own: list[Line] = []
    for name in environment.ssh.known_hosts:
        file = environment.path(name)
        try:
            own += _lines(str(file), file.stat().st_mtime_ns)
        except OSError as error:
            raise BadInput(
                f"{environment.name}: ssh: known_hosts: {file} cannot be read: {error}"
            ) from error
    connections = [connection]
    while isinstance(connections[-1].gateway, fabric.Connection):
        connections.append(connections[-1].gateway)
    for each in connections:
        found = [*own]
        for name in _files(each.ssh_config):
            try:
                found += _lines(name, Path(name).stat().st_mtime_ns)
            except OSError:
                continue
        # ssh looks an alias up without a port (ssh_config(5), HostKeyAlias).
        alias = each.ssh_config.get("hostkeyalias")
        port = int(each.port or paramiko.config.SSH_PORT)
        usual = each.host if port == paramiko.config.SSH_PORT else f"[{each.host}]:{port}"
        command = each.ssh_config.get("knownhostscommand", "none")
        known = Known(found, alias or usual, alias or each.host, command)
        each.client.set_missing_host_key_policy(known)
        each.connect_kwargs = {
            **each.connect_kwargs,
            "transport_factory": preferring(
                (*host_certificates.ALGORITHMS * bool(known.authorities), *known.kinds)
            ),
        }


def _files(configured: Mapping[str, Any]) -> Iterator[str]:
    """The files that ssh reads for a machine, by its configuration."""
    for key, usual in (("userknownhostsfile", USER_FILES), ("globalknownhostsfile", GLOBAL_FILES)):
        for name in configured.get(key, usual.split()):
            yield str(Path(name).expanduser())


@lru_cache(maxsize=64)
def _lines(file: str, changed: int) -> tuple[Line, ...]:
    """The lines of a file that was changed at this time; OSError where it cannot be read."""
    del changed  # part of the cache's key
    text = Path(file).read_bytes().decode("utf-8", "replace")
    return tuple(parse(text, file))


def parse(text: str, file: str) -> Iterator[Line]:
    """Read each line that names machines and a key, also where the key is damaged."""
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 2 or words[0].startswith("#") or marker not in {"", AUTHORITY, REVOKED}:  # noqa: PLR2004 - names and a type
            continue
        names, kind, *rest = words
        yield Line(f"{file}:{number}", marker, names, kind, _blob(kind, rest[0] if rest else ""))


def _blob(kind: str, text: str) -> bytes:
    """The key that a line holds; none where it is damaged, or of another type than it says."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    head = len(kind).to_bytes(4, "big") + kind.encode(errors="replace")
    return key if key.startswith(head) else b""


def _key_of(line: Line) -> paramiko.PKey | None:
    try:
        return paramiko.PKey.from_type_string(line.kind, line.key)
    except Exception:  # noqa: BLE001 - whatever a damaged key makes of Paramiko
        return None


def _is_hash_of(hashed: str, machine: str) -> bool:
    """Whether `|1|salt|digest` is of this machine: an HMAC by SHA-1 (sshd(8))."""
    try:
        salt, digest = (base64.b64decode(each, validate=True) for each in hashed.split("|")[2:])
    except (binascii.Error, ValueError):
        return False
    own = hmac.new(salt, machine.encode(), hashlib.sha1).digest()
    return len(digest) == _SHA1_BYTES and hmac.compare_digest(own, digest)
