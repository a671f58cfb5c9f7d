"""Finds a proxy in front of the service on its own host, such as nginx, and the port behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.scripts import read
from deploy.survey.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.command_result import CommandResult
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts

PROGRAMS = frozenset(
    {
        *("nginx", "haproxy", "apache2", "httpd", "caddy", "envoy", "traefik", "lighttpd"),
        *("varnishd", "angie", "docker-proxy", "rootlessport", "conmon"),
    }
)
"""Programs that pass requests on: none is a release of an app, so no deploy takes its place."""
ASK_SECONDS = 30.0
MOST_PORT = 65535


@dataclass(frozen=True)
class Front:
    """A program that listens on the target's port, and passes requests on to the service.

    Attributes:
        program: Its name.
        port: The port of the service behind it; 0 where no request was seen to pass.
    """

    program: str
    port: int = 0


def program_of(app: App, facts: Iterable[HostFacts]) -> str:
    """The one such program that listens on the app's port on every host; empty for none."""
    found = [{each.process for each in host.slots[app.name].listeners} for host in facts]
    names = set().union(*found)
    return next(iter(names)) if len(names) == 1 and names <= PROGRAMS and all(found) else ""


def port_behind(port: int, remotes: Mapping[str, Remote]) -> int:
    """The port to which that of the load balancer's targets is passed on; 0 where none was seen.

    Also 0 where there are several: of a proxy for many services none is known to be this one.
    """
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        seen = pool.map(lambda remote: _ports(port, remote), remotes.values())
    ports = set().union(*seen)
    return next(iter(ports)) if len(ports) == 1 else 0


def _ports(port: int, remote: Remote) -> frozenset[int]:
    try:
        return remote.ask(read.find_upstreams(port).read_by(_upstreams), ASK_SECONDS)
    except DeployError:  # as without traffic: nothing is known
        return frozenset()


def _upstreams(result: CommandResult) -> frozenset[int]:
    return frozenset(Reader(result.facts).every("upstream", _port))


def _port(text: str) -> int | None:
    return values.number(text, MOST_PORT)
