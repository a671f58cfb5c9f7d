"""The keys and certificates of the SSH agent that the configuration names."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

import paramiko
from paramiko.agent import AgentSSH
from paramiko.pkey import PublicBlob

from deploy.foreign_text import visible
from deploy.hosts.ssh.openssh import private_keys

LISTING_SECONDS = 10.0
"""How long an agent may take to list its keys."""
SIGNING_SECONDS = 60.0
"""How long it may take to sign: it may ask its owner."""
NONE = "none"

_CERTIFICATE = "-cert-v01@openssh.com"


class SocketAgent(AgentSSH):
    """The agent behind a socket; without keys, and with a note, where there is none."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.note = ""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(LISTING_SECONDS)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined] # left out of its types
            connection.settimeout(SIGNING_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever an agent's answer makes of Paramiko
            connection.close()
            self.note = f"the agent {path} gives no keys: {visible(error)}"


@dataclass
class Held:
    """What an agent holds, until it is closed.

    Attributes:
        keys: By public key, as it is sent.
        certificates: Those that it holds itself; each signs with its key.
        note: Why there are none, where an agent was expected.
    """

    keys: dict[bytes, Any] = field(default_factory=dict)
    certificates: list[Any] = field(default_factory=list)
    note: str = ""
    _agent: Any = None

    def close(self) -> None:
        """End the connection to the agent."""
        if self._agent is not None:
            self._agent._close()  # noqa: SLF001 - it has no other name


def held(path: str) -> Held:
    """What an agent holds: that of a socket, `none`, or that of SSH_AUTH_SOCK for an empty path."""
    socket_path = path or os.environ.get("SSH_AUTH_SOCK", "")
    if path == NONE:
        return Held(note="no agent is asked: IdentityAgent of your ssh configuration names none")
    if sys.platform == "win32" and not path:
        agent: Any = paramiko.Agent()
    elif socket_path:
        agent = SocketAgent(socket_path)
    else:
        return Held(note="no agent runs: SSH_AUTH_SOCK names none")
    made = Held(note=getattr(agent, "note", ""), _agent=agent)
    key: Any  # types-paramiko has no certificate for an agent's key
    for key in agent.get_keys():
        if key.get_name().endswith(_CERTIFICATE):
            key.public_blob = PublicBlob(key.get_name(), key.blob)
            made.certificates.append(key)
        else:
            made.keys[key.asbytes()] = key
    for key in made.certificates:
        if not any(private_keys.is_of(key.blob, public) for public in made.keys):
            key.inner_key = None  # Paramiko would have the agent sign with a key it has not got
    return made
