"""SSH: nothing beyond OpenSSH's defaults is offered or accepted, and the agent is never lent."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from audit.wall import Attempt, Wall
from deploy.hosts.ssh.algorithms import DIRECTIVES, OPENSSH
from deploy.hosts.ssh.connection import Connection
from deploy.hosts.ssh.transport import NO_KEX, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

# Refusals are what is looked for; without a handler, logging would print each as a warning.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

HANDSHAKE_SECONDS = 10.0
KEY = paramiko.ECDSAKey.generate()
LISTS = {
    "kex": ("kex_algo_list",),
    "keys": ("server_key_algo_list",),
    "ciphers": ("client_encrypt_algo_list", "server_encrypt_algo_list"),
    "macs": ("client_mac_algo_list", "server_mac_algo_list"),
}
COMPRESSION = {"none", "zlib@openssh.com"}  # ssh_config(5), Compression
NEWER = {"mlkem768x25519-sha256"}  # since OpenSSH 9.9


class Server(paramiko.Transport):
    """A server that allows what it is given, and remembers what the client offered."""

    offer: dict[str, Any]

    def _parse_kex_init(self, m: paramiko.Message) -> None:
        parse: Any = self._really_parse_kex_init  # type: ignore[attr-defined] # left out of types
        self.offer = parse(paramiko.Message(m.asbytes()))
        super()._parse_kex_init(m)  # type: ignore[misc] # left out of its types


def allowing(kind: str, name: str) -> type[Server]:
    """A server that allows one algorithm of a kind, and all that Paramiko has of the others."""
    every = {
        f"_preferred_{each}": tuple(
            getattr(Server, f"_{each[:-1] if each != 'kex' else each}_info")
        )
        for each in ("ciphers", "macs", "kex")
    }
    return type("Only", (Server,), every | ({f"_preferred_{kind}": (name,)} if kind else {}))


def handshake(
    client_class: type[paramiko.Transport], server_class: type[Server], **options: Any
) -> tuple[Server, Exception | None]:
    """One key exchange over a socket pair; the server, and what the client raised."""
    ours, theirs = socket.socketpair()
    server, client = server_class(theirs), client_class(ours)
    client.use_compression(**options)
    server.add_server_key(KEY)
    error: Exception | None = None
    try:
        server.start_server(event=threading.Event())
        client.start_client(timeout=HANDSHAKE_SECONDS)
    except (paramiko.SSHException, EOFError, OSError) as raised:
        error = raised
    finally:
        for each in (client, server):
            each.close()
    return server, error


def openssh() -> dict[str, set[str]]:
    """What the installed ssh offers by default, by kind; the pinned list where there is none."""
    program = shutil.which("ssh")
    if program is None:
        return {kind: set(names) for kind, names in OPENSSH.items()}
    words = [program, "-F", "/dev/null", "-G", "host"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {
        key: set(value.split(",")) for key, _, value in (each.partition(" ") for each in lines)
    }
    return {kind: found[directive.lower()] | NEWER for kind, directive in DIRECTIVES.items()}


def offers(client_class: type[paramiko.Transport]) -> tuple[int, list[str]]:
    """What a client sends on the wire, with and without compression; each name beyond OpenSSH's."""
    tried, findings, default = 0, [], openssh()
    for compress in (False, True):
        server, _ = handshake(client_class, allowing("", ""), compress=compress)
        for kind, keys in LISTS.items():
            for name in {name for key in keys for name in server.offer[key]}:
                tried += 1
                allowed = default[kind] & set(OPENSSH[kind])
                if name not in allowed and not name.startswith(NO_KEX):
                    findings.append(f"offers {DIRECTIVES[kind]} {name}, which OpenSSH does not")
        beyond = set(server.offer["client_compress_algo_list"]) - COMPRESSION
        tried += 1
        findings += [f"offers Compression {name}" for name in sorted(beyond)]
    return tried, findings


def agreements(client_class: type[paramiko.Transport]) -> tuple[int, list[str]]:
    """Servers that allow one algorithm each: a weak one must be refused, a good one must work."""
    tried, findings = 0, []
    for kind, name in _each():
        tried += 1
        _, error = handshake(client_class, allowing(kind, name))
        if error is None and name not in OPENSSH[kind]:
            findings.append(f"agrees on {DIRECTIVES[kind]} {name}, which OpenSSH refuses")
        elif error is not None and name in OPENSSH[kind]:
            findings.append(f"{DIRECTIVES[kind]} {name} is refused: {error}")
        elif error is not None and f"the line `{DIRECTIVES[kind]}`" not in str(error):
            findings.append(f"{DIRECTIVES[kind]} {name}: no word of what to allow: {error}")
    return tried, findings


def _each() -> Iterator[tuple[str, str]]:
    for kind, table in (("ciphers", "_cipher_info"), ("macs", "_mac_info"), ("kex", "_kex_info")):
        for name in getattr(paramiko.Transport, table):
            if "group-exchange" not in name:  # a server needs a file of primes for it
                # An AEAD cipher leaves the MAC unused, but it is agreed upon all the same.
                yield kind, name


def algorithms(client_class: type[paramiko.Transport]) -> Attempt:
    """Both attacks on one client."""
    offered, offers_beyond = offers(client_class)
    agreed, agrees_beyond = agreements(client_class)
    findings = (*offers_beyond, *agrees_beyond)
    beyond = sum(finding.startswith(("offers", "agrees")) for finding in findings)
    return Attempt(offered + agreed, findings, f"{beyond} algorithms beyond OpenSSH's")


FORWARDS = ("yes", "no", "YES", "$SSH_AUTH_SOCK", "/run/agent.sock", "SSH_AUTH_SOCK")


def agents(connection_class: type[fabric.Connection]) -> Attempt:
    """Every way to ask for agent forwarding, for a host and for its jump host."""
    findings, tried = [], 0
    for wish in FORWARDS:
        for is_wanted in (False, True):
            own = paramiko.SSHConfig.from_text(
                f"Host *\n    ForwardAgent {wish}\nHost web\n    ProxyJump jump\n"
            )
            config = fabric.Config(
                overrides={"forward_agent": is_wanted}, ssh_config=own, lazy=True
            )
            tried += 1
            try:
                connection = connection_class("web", config=config)
            except KeyError as error:
                findings.append(f"ForwardAgent {wish}: KeyError {error}")
                continue
            findings += [
                f"{each.host}: ForwardAgent {wish} is followed"
                for each in (connection, connection.gateway)
                if each.forward_agent
            ]
    return Attempt(tried, tuple(findings))


WALLS: tuple[Wall, ...] = (
    Wall(
        name="ssh algorithms",
        attack=partial(algorithms, Transport),
        control=partial(algorithms, paramiko.Transport),
    ),
    Wall(
        name="ssh agent",
        attack=partial(agents, Connection),
        control=partial(agents, fabric.Connection),
    ),
)
