"""Fabric connections with our transport, jump hosts and proxies."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from deploy.errors import BadInput
from deploy.hosts.route.direct import FAMILIES, Direct
from deploy.hosts.route.failures import LoginFailed, NoKeyAccepted, TurnedAway
from deploy.hosts.route.proxy import Proxy
from deploy.hosts.route.single_flight import SingleFlight
from deploy.hosts.route.tunnels import Tunnel
from deploy.hosts.ssh.openssh import tokens
from deploy.hosts.ssh.transport import Transport, watch

if TYPE_CHECKING:
    from collections.abc import Hashable

    from deploy.hosts.route.routes import Routes

MOST_JUMPS = 8

REFUSAL_SECONDS = 5.0
"""How long a jump host's refusal of our keys counts for all hosts behind it, without another login:
as long as sshd from 9.8 on takes no login after one that failed (PerSourcePenalties)."""

LIMITS = ("banner_timeout", "auth_timeout", "channel_timeout")
"""Arguments of a connection that its jump hosts get as well."""

_TURNED_AWAY = re.compile(
    r"exchange_identification|connection (reset|closed)|MaxStartups|Throttling|^Starting session",
    re.IGNORECASE,
)
"""What ssh or AWS's program prints, as a ProxyCommand, where it may work a moment later."""


class Connection(fabric.Connection):  # type: ignore[misc] # fabric carries no types
    """Fabric's own, but for agent, jump hosts and proxies.

    Attributes:
        routes: What it has in common with others, if anything; see `Routes.share`.
        proxy: The ProxyCommand that runs for it, if any.
    """

    routes: Routes | None = None
    proxy: Proxy | None = None
    connect_kwargs: dict[str, Any]

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
        self._set(_flight=SingleFlight(self._refusal_holds))
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
            # A clone of the configuration would read Fabric's files of the user's home.
            given = {"config": self.config, "connect_kwargs": dict(self._limits)}
            if last is not None:
                given["gateway"] = last
            last = Connection(hop.strip(), way=self._way, **given)
        return last

    def open(self) -> None:
        """Open it, by way of its jump hosts.

        Threads that want it at the same time share one login, and what comes of it. A machine that
        turned it away before its banner is asked again, for as long as a connection may take.
        Raises LoginFailed, with the machine that could not be logged in to.
        """
        self._flight.join(self._log_in)

    def _refusal_holds(self, failed: Exception) -> float:
        """How many seconds a failure counts for those who come later: hosts behind a jump host."""
        is_jump = len(self._way) > 1
        if not is_jump or not isinstance(failed, LoginFailed) or failed.connection is not self:
            return 0.0
        return REFUSAL_SECONDS if isinstance(failed.error, NoKeyAccepted) else 0.0

    def _log_in(self) -> None:
        if self.is_connected:
            return
        if self.routes is None:
            self._try()
            return
        patience = float(self.connect_timeout or 0)
        self.routes.logins.take(self._machine(), self._try, self._is_turned_away, patience)

    def _machine(self) -> Hashable:
        """Where a login takes its turn: an address, one behind a jump host, or a proxy's server."""
        if isinstance(self.gateway, Connection):
            return (id(self.gateway), str(self.host).lower())
        if isinstance(self.gateway, Tunnel):
            return self.gateway.via
        if isinstance(self.gateway, str):
            names = (self.host, self.original_host)
            words = self.gateway.split()
            return tuple(word for word in words if not any(name in word for name in names))
        return str(self.host).lower()

    def _try(self) -> None:
        """Log in once; what a login that failed left open is closed."""
        try:
            super().open()
        except (paramiko.SSHException, OSError, EOFError) as error:
            transport = self.client.get_transport()
            was_active = transport is not None and transport.is_active()
            said = self.proxy.last_words() if self.proxy and not was_active else ""
            in_login = getattr(transport, "initial_kex_done", False)
            raise LoginFailed(
                self,
                error,
                was_active=was_active,
                in_login=in_login,
                proxy_said=said,
            ) from error
        else:
            watch(self.client.get_transport())
        finally:
            if not self.is_connected:
                self.close()

    def _is_turned_away(self, failed: BaseException) -> bool:
        if not isinstance(failed, LoginFailed) or failed.connection is not self or failed.in_login:
            return False
        error, said = failed.error, failed.proxy_said
        if isinstance(error, TurnedAway) and isinstance(self.gateway, str):
            said = said or error.said  # a proxy's own words, where it prints them there
        is_plain = not said or _TURNED_AWAY.search(said) is not None
        return isinstance(error, TurnedAway | ConnectionResetError) and is_plain

    def close(self) -> None:
        """End it, and its proxy; the jump hosts' connections stay, since others may use them."""
        transport: paramiko.Transport | None = self.client.get_transport()
        if transport is not None and isinstance(transport.sock, socket.socket):
            # Wakes paramiko's reader, which looks every 0.1 s whether it shall end.
            with suppress(OSError):
                transport.sock.shutdown(socket.SHUT_RDWR)
        super().close()
        self.client.close()
        if self.proxy:
            self.proxy.close()

    def why_broken(self) -> str:
        """What on its way is known to be at an end: a jump host's connection, or a proxy."""
        if isinstance(self.gateway, Connection) and not self.gateway.is_connected:
            return self.gateway.why_broken() or f"jump host {self.gateway.host} is gone"
        said = self.proxy.last_words() if self.proxy else ""
        return f"its ProxyCommand reports: {said}" if said else ""

    def _direct(self) -> Direct | None:
        """How to connect where the family or our own address is set; else as Paramiko does."""
        family = str(self.ssh_config.get("addressfamily", "any"))
        source = str(self.ssh_config.get("bindaddress", ""))
        return Direct(family, source) if source or family.lower() in FAMILIES else None

    def open_gateway(self) -> Any:
        """A channel through a jump host, a socket, or a proxy whose tokens are filled in.

        Raises LoginFailed of a jump host, and BadInput for a host or a user that a shell or ssh
        could take for more than a name.
        """
        if isinstance(self.gateway, Connection):
            return self._channel()
        if isinstance(self.gateway, Tunnel):
            self.proxy = Proxy(self.gateway)
            return self.proxy
        if isinstance(self.gateway, Direct):
            return self.gateway.connect(self.host, int(self.port), self.connect_timeout)
        for host in (self.host, self.original_host):
            if not tokens.is_plain_host(host):
                raise BadInput(
                    f"host {host!r} cannot be handed to a ProxyCommand; letters, digits and "
                    "`._:-` are allowed; correct its name or address"
                )
        hands_user = "%r" in self.gateway.replace("%%", "")
        if hands_user and not tokens.is_plain_user(self.user):
            raise BadInput(
                f"{self.host}: user {self.user!r} cannot be handed to a ProxyCommand; letters, "
                "digits and `._@+-` are allowed; correct `ssh: user:` or User in ~/.ssh/config"
            )
        values = {"h": self.host, "n": self.original_host, "p": str(int(self.port)), "r": self.user}
        command = " ".join(self.gateway.splitlines())
        self.proxy = Proxy(tokens.expand(command, values, tokens.PROXY, is_strict=False))
        return self.proxy

    def _channel(self) -> paramiko.Channel:
        """A channel to the host; the jump host's connection is opened again where it broke."""
        jump = self.gateway
        for is_last in (False, True):
            jump.open()
            transport: paramiko.Transport = jump.transport
            try:
                return transport.open_channel("direct-tcpip", (self.host, int(self.port)), ("", 0))
            except (paramiko.SSHException, OSError, EOFError) as error:
                if is_last or transport.is_active():
                    raise LoginFailed(self, error, jump=jump) from error
        raise AssertionError  # the loop returns or raises
