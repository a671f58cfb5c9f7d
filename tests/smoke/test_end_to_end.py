"""The step and the client as they are, against a listener that shares requests between releases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from front.test_client import Peer, serving

from deploy.clock import CLOCK
from deploy.errors import NotProven
from deploy.front import client
from deploy.smoke.through_balancer import PassSmokeTests
from deploy.steps.fleet import Fleet
from smoke.paper import app, old, planned
from smoke.test_through_balancer import Poller

if TYPE_CHECKING:
    import socket


@dataclass
class Shared:
    """One answer of the old release, one of the new, and so on."""

    new_code: int

    def __post_init__(self) -> None:
        self.turns = cycle([(200, "1.0.0"), (self.new_code, "2.0.0")])

    def __call__(self, connection: socket.socket, peer: Peer) -> None:
        peer.asked.append(connection.recv(65536).decode())
        code, version = next(self.turns)
        connection.sendall(f"HTTP/1.1 {code} x\r\nX-Version: {version}\r\n\r\n".encode())


@pytest.fixture(autouse=True)
def straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past whatever proxy the machine has."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def asked(peer: Peer, header: dict[str, Any]) -> None:
    through = {"url": f"http://127.0.0.1:{peer.port}"} | header
    plan = planned(old(2), app(smoke=[{"path": "/"}], smoke_through=through), batch=1)
    step = next(step for step in plan.steps if isinstance(step, PassSmokeTests))
    fleet = Fleet({}, {"web": (builders.group(),)}, cast("Any", None), cast("Any", Poller(2)))
    fleet.clock, fleet.front = CLOCK, client.get
    step.run(fleet)


@pytest.mark.parametrize(("header", "requests"), [({}, 10), ({"release_header": "x-version"}, 6)])
def test_a_good_release_passes(header: dict[str, Any], requests: int) -> None:
    with serving(Shared(200)) as peer:
        asked(peer, header)
    assert len(peer.asked) == requests
    assert f"\r\nHost: 127.0.0.1:{peer.port}\r\n" in peer.asked[0]


@pytest.mark.parametrize("header", [{}, {"release_header": "x-version"}])
def test_p3_one_that_is_wrong_behind_the_listener_alone_fails(header: dict[str, Any]) -> None:
    with serving(Shared(404)) as peer, pytest.raises(NotProven, match="answer 404") as failed:
        asked(peer, header)
    assert failed.value.blames_release == bool(header)
    assert len(peer.asked) == 2
