"""Connections by Fabric, with our transport, jump hosts and proxies."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import Any

import fabric
import paramiko

from deploy.errors import BadInput
from deploy.hosts.ssh.openssh import tokens
from deploy.hosts.ssh.openssh.direct import FAMILIES, Direct
from deploy.hosts.ssh.transport import Transport

MOST_JUMPS = 8
FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\[#~]")

LIMITS = ("banner_timeout", "auth_timeout", "channel_timeout")
"""Arguments of a connection that its jump hosts get as well."""


class Proxy(paramiko.ProxyCommand):
    """A ProxyCommand in a session of its own: Ctrl-C in the terminal does not cut a recovery."""

    def __init__(self, command: str) -> None:
        """Start it as ssh does, but away from the terminal's process group.

        What a shell would read as more than words is run by the user's shell (ssh_config(5),
        ProxyCommand). Raises BadInput for a command that cannot be split into words.
        """
        try:
            self.cmd = shlex.split(command)
            if FOR_A_SHELL.search(command):
                self.cmd = [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"]
        except ValueError as error:
            raise BadInput(
                f"ProxyCommand cannot be read: {error}: {command}; correct it in ~/.ssh/config"
            ) from error
        self.process = subprocess.Popen(
            self.cmd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self.timeout = None


class Connection(fabric.Connection):  # type: ignore[misc] # fabric carries no types
    """Fabric's own, but for agent, jump hosts and proxies."""

    def __init__(self, host: str, *, way: tuple[str, ...] = (), **arguments: Any) -> None:
        """Take Fabric's arguments; way: the hosts for which this one is a jump host.

        The agent is never forwarded, whatever ssh configuration or settings want: root on the
        host could use its keys for as long as the connection lasts.
        """
        self._set(_way=(*way, self.derive_shorthand(host)["host"]))
        # Fabric looks for the gateway before it looks at these.
        given = arguments.get("connect_kwargs") or {}
        limits = {key: given[key] for key in LIMITS if key in given}
        self._set(_limits={"transport_factory": Transport} | limits)
        super().__init__(host, **arguments | {"forward_agent": False})

    def get_gateway(self) -> Any:
        """A connection to the last jump host, a proxy's command, or None.

        Jump hosts get the same algorithms and time limits, and are visited in their order, as
        ssh does (Fabric reverses it). Raises BadInput for a loop of them.
        """
        jump: str = self.ssh_config.get("proxyjump", "none")
        if jump.lower() == "none":
            proxied = "proxyjump" in self.ssh_config or "proxycommand" in self.ssh_config
            proxy = self.ssh_config.get("proxycommand") if proxied else self.config.gateway
            return proxy or self._direct()
        last = None
        for hop in jump.split(","):
            name = self.derive_shorthand(hop.strip())["host"]
            if name in {self.host, self.original_host}:
                return self._direct()  # a pattern that also matches the jump host itself
            if name in self._way or len(self._way) > MOST_JUMPS:
                raise BadInput(
                    f"{self._way[0]}: ProxyJump leads from {' to '.join((*self._way, name))}: a "
                    "loop, or too many jumps; correct it in ~/.ssh/config"
                )
            given = {"config": self.config.clone(), "connect_kwargs": dict(self._limits)}
            if last is not None:
                given["gateway"] = last
            last = Connection(hop.strip(), way=self._way, **given)
        return last

    def _direct(self) -> Direct | None:
        """How to connect where the family or our own address is set; else as Paramiko does."""
        family = str(self.ssh_config.get("addressfamily", "any"))
        source = str(self.ssh_config.get("bindaddress", ""))
        return Direct(family, source) if source or family.lower() in FAMILIES else None

    def open_gateway(self) -> Any:
        """A channel through a jump host, a socket, or a proxy whose tokens are filled in.

        Raises BadInput for a host or a user that a shell or ssh could take for more than a name.
        """
        if isinstance(self.gateway, Direct):
            return self.gateway.connect(self.host, int(self.port), self.connect_timeout)
        if not isinstance(self.gateway, str):
            return super().open_gateway()
        for host in (self.host, self.original_host):
            if not tokens.is_plain_host(host):
                raise BadInput(
                    f"host {host!r} cannot be handed to a ProxyCommand; letters, digits and "
                    "`._:-` are allowed; correct its name or address"
                )
        if not tokens.is_plain_user(self.user):
            raise BadInput(
                f"{self.host}: user {self.user!r} cannot be handed to a ProxyCommand; letters, "
                "digits and `._@+-` are allowed; correct `ssh: user:` or User in ~/.ssh/config"
            )
        values = {"h": self.host, "n": self.original_host, "p": str(int(self.port)), "r": self.user}
        command = " ".join(self.gateway.splitlines())
        return Proxy(tokens.expand(command, values, tokens.PROXY, is_strict=False))
