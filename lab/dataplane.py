"""The way that requests really take: HAProxy, one process for each zone's node.

HAProxy runs as a child that dies with the lab's server. Its listening sockets are opened here and
handed over, so no port is ever taken between choosing and binding it. Servers are added and
removed at run time over its own socket: a reload would hide what the lab is there to show.
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOCKET_NAME = "haproxy.sock"

# Retries and redispatches would mask the failures that the lab is there to count. Clients' idle
# connections, and answers that pause, outlive any run: closing them is the load balancer's doing,
# not the deploy's.
CONFIG_HEAD = f"""\
global
  stats socket unix@{SOCKET_NAME} mode 600 level admin
  maxconn 3000
  nbthread 1

defaults
  mode http
  retries 0
  no option redispatch
  option idle-close-on-response
  option http-keep-alive
  http-reuse safe
  timeout connect 5s
  timeout server 10m
  timeout queue 5s
  timeout client 2h
  timeout http-keep-alive 2h
"""


@dataclass(frozen=True)
class Server:
    """One target as HAProxy should have it; `takes_new` requests, or finishes what it has.

    is_http2: whether requests are sent to it over HTTP/2, as an ALB does for HTTP2 and GRPC groups;
    is_tls: within TLS, whose certificate is not verified, as an ALB does for HTTPS groups.
    """

    address: str
    port: int
    takes_new: bool
    is_http2: bool = False
    is_tls: bool = False


class Plane(Protocol):
    """What the reconciler asks of a data plane; tests have one without HAProxy."""

    def apply(self, backend: str, wanted: Mapping[str, Server]) -> None:
        """Make the backend's servers as wanted, by name; those not wanted any more are cut off."""


class PlaneError(DeployError):
    """HAProxy did not start, died, or refused a command."""


def config(listeners: Mapping[str, str], descriptors: Mapping[str, int]) -> str:
    """HAProxy's configuration: one frontend per listener, its backend named by the group."""
    parts = [CONFIG_HEAD]
    parts.extend(
        f"frontend {name}\n  bind fd@{descriptors[name]}\n  default_backend {group}\n"
        for name, group in listeners.items()
    )
    parts.extend(f"backend {group}\n  balance roundrobin\n" for group in listeners.values())
    return "\n".join(parts)


class HAProxy:
    """A node of the load balancer; `ports` maps each listener to its port on 127.0.0.1."""

    def __init__(self, folder: Path, listeners: Mapping[str, str]) -> None:
        """Take a folder for its files, and the target group behind each listener by name."""
        self.ports: dict[str, int] = {}
        self._folder = folder
        self._listeners = dict(listeners)
        self._modes: dict[str, dict[str, str]] = {group: {} for group in listeners.values()}
        self._process: subprocess.Popen[bytes] | None = None
        self._folder_fd = -1

    def start(self) -> None:
        """Start HAProxy and wait until it answers; raises PlaneError with its own words."""
        self._folder.mkdir(parents=True, exist_ok=True)
        sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in self._listeners}
        descriptors = {name: one.fileno() for name, one in sockets.items()}
        self.ports = {name: one.getsockname()[1] for name, one in sockets.items()}
        (self._folder / "haproxy.cfg").write_text(config(self._listeners, descriptors))
        (self._folder / SOCKET_NAME).unlink(missing_ok=True)
        # A checkout's path may be longer than a unix socket's address can be: HAProxy gets the
        # name relative to its folder, and we reach it through the folder's descriptor.
        self._folder_fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        with (self._folder / "haproxy.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "haproxy", "-db", "-f", "haproxy.cfg"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=list(descriptors.values()),
            )
        for one in sockets.values():
            one.close()
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End HAProxy; harmless when it is gone already."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._folder_fd >= 0:
            os.close(self._folder_fd)
            self._folder_fd = -1

    def is_running(self) -> bool:
        """Whether the child is alive."""
        return self._process is not None and self._process.poll() is None

    def apply(self, backend: str, wanted: Mapping[str, Server]) -> None:
        """See Plane; a group that no listener of ours leads to is ignored."""
        if not self.is_running():
            raise PlaneError(f"haproxy died; see {self._folder / 'haproxy.log'}")
        if backend not in self._modes:
            return
        modes = self._modes[backend]
        came = False
        for name, server in wanted.items():
            if name not in modes:
                # Without both, a dynamic server keeps no idle connections, and races between
                # keep-alive and shutdown would never be seen. An ALB keeps them for 60 s.
                pool = "pool-max-conn 100 pool-purge-delay 60s"
                proto = " proto h2" if server.is_http2 else ""
                proto += " ssl verify none" if server.is_tls else ""
                self.command(
                    f"add server {backend}/{name} {server.address}:{server.port} {pool}{proto}",
                    expect="New server registered",
                )
                modes[name] = "maint"
            mode = "ready" if server.takes_new else "drain"
            if modes[name] != mode and (mode, modes[name]) != ("drain", "maint"):
                self.command(f"set server {backend}/{name} state {mode}")
                modes[name] = mode
                came = came or mode == "ready"
        for name in modes.keys() - wanted.keys():
            self._remove(backend, name)
        if came:
            self._share_anew(backend)

    def command(self, words: str, expect: str = "") -> str:
        """Send one command to HAProxy's socket; raises PlaneError unless it answers as expected."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            try:
                connection.connect(f"/proc/self/fd/{self._folder_fd}/{SOCKET_NAME}")
                connection.sendall(words.encode() + b"\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode().strip()
            except OSError as error:
                raise PlaneError(f"haproxy does not answer on its socket: {error}") from error
        if (expect and expect not in answer) or (not expect and answer and words[:4] == "set "):
            raise PlaneError(f"haproxy refused `{words}`: {answer}")
        return answer

    def _share_anew(self, backend: str) -> None:
        """Let every server have its turn: a weight that changes puts it into the queue afresh.

        HAProxy 2.6 goes on counting where it was when the last server left. One that comes back
        then waits, ready, for as many requests as the backend had sent before: 36 were seen.
        """
        for name, mode in self._modes[backend].items():
            if mode == "ready":
                self.command(f"set weight {backend}/{name} 2")
                self.command(f"set weight {backend}/{name} 1")

    def _remove(self, backend: str, name: str) -> None:
        # Deleting is refused while a connection is still being closed: tried again next time.
        modes = self._modes[backend]
        if modes[name] != "leaving":
            self.command(f"shutdown sessions server {backend}/{name}")
            self.command(f"set server {backend}/{name} state maint")
            modes[name] = "leaving"
        if "Server deleted" in self.command(f"del server {backend}/{name}"):
            del modes[name]

    def _wait_until_it_answers(self) -> None:
        for _ in range(100):
            try:
                self.command("show version")
            except PlaneError:
                if not self.is_running():
                    break
                try:
                    assert self._process is not None  # noqa: S101 - set by our only caller
                    self._process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            else:
                return
        said = (self._folder / "haproxy.log").read_text().strip()
        self.stop()
        raise PlaneError(f"haproxy did not start: {said or 'it said nothing'}")
