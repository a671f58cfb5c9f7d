"""A program in front of the service is none that a deploy replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import Unreachable
from deploy.starter import front
from deploy.survey.slot import Listener, Slot

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote


@pytest.mark.parametrize(
    ("processes", "program"),
    [
        (["nginx", "nginx"], "nginx"),
        (["docker-proxy"], "docker-proxy"),
        (["nginx", "haproxy"], ""),
        (["nginx", ""], ""),
        (["web", "web"], ""),
        ([], ""),
    ],
    ids=["all", "a container's", "differ", "not everywhere", "a service", "none read"],
)
def test_what_listens_everywhere_and_passes_requests_on_is_in_front(
    processes: list[str], program: str
) -> None:
    facts = [
        builders.facts(
            number, {"web": Slot(listeners=(Listener(7, "x.service", name),) if name else ())}
        )
        for number, name in enumerate(processes, 1)
    ]
    assert front.program_of(builders.app(), facts) == program


class Answers:
    """A host that has these connections; None: it cannot be asked."""

    def __init__(self, ports: list[str] | None) -> None:
        self._ports = ports

    def ask(self, script: Script[frozenset[int]], _: float) -> frozenset[int]:
        if self._ports is None:
            raise Unreachable("gone")
        facts = tuple(f"upstream={port}" for port in self._ports)
        return script.parse(CommandResult("", 0, "", "", facts=facts))


@pytest.mark.parametrize(
    ("seen", "port"),
    [
        ([["5000"], ["5000"]], 5000),
        ([["5000"], []], 5000),
        ([["5000"], None], 5000),
        ([["5000", "6000"]], 0),
        ([["5000"], ["6000"]], 0),
        ([["x"], ["70000000"]], 0),
        ([[], None], 0),
    ],
)
def test_the_port_behind_it_is_the_one_that_connections_lead_to(
    seen: list[list[str] | None], port: int
) -> None:
    remotes = {str(number): cast("Remote", Answers(each)) for number, each in enumerate(seen)}
    assert front.port_behind(80, remotes) == port
