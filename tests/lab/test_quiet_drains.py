"""P1 where drains end when the host is quiet: what is under way finishes, whatever the kernel saw.

Controls that must lose: no floor under a lag, and an app that drops its work but is trusted.
"""

from __future__ import annotations

import http.client
import re
from contextlib import ExitStack, closing

import pytest

from lab.fleet import Lab
from lab.held import held_on
from lab.load import MODEST_RATE, Load
from lab.project import POLL_SECONDS, Project, Ran, called, set_delay

DELAY_SECONDS = 40
# Two lines, and between them nothing that the kernel could show.
PAUSING = "/stream?seconds=5&pause=5"


@pytest.fixture
def quiet(project: Project, lab: Lab) -> Project:
    """Drains until quiet, over a floor of 2 s and a lag of 1 s, where the delay is 40 s."""
    project.environment.update({"rollout": {"drain": "quiet"}, "quiet_seconds": 1})
    project.web.update({"longest_request_seconds": 20, "start_timeout_seconds": 60})
    project.configure()
    set_delay(lab, "web-lab", DELAY_SECONDS)
    lab.knobs(propagation_lag_seconds=1)
    return project


def drains(ran: Ran) -> list[float]:
    """How long each drain until quiet took, in seconds."""
    found = re.findall(r": drain until quiet, [\d.]+ to \d+ s: ([\d.]+) s", ran.stdout)
    return [float(seconds) for seconds in found]


class Idler:
    """A client that was answered once and keeps its connection."""

    def __init__(self, address: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=30)
        assert self.status() == 200

    def status(self) -> int:
        """Ask on the connection that there is; it is never opened again."""
        self._connection.request("GET", "/")
        self._connection.auto_open = 0
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def is_closed(self) -> bool:
        """Whether the other side ended it in good order."""
        return self._connection.sock.recv(1) == b""

    def close(self) -> None:
        """End it from this side."""
        self._connection.close()


def test_p1_idlers_pools_slow_requests_and_pausing_streams_lose_nothing(
    quiet: Project, lab: Lab
) -> None:
    """And no host waits for the delay: idle connections are no work.

    On every host one request is under way from before its drain until its unit stops.
    """
    quiet.install("1.0.0")
    quiet.build("2.0.0")
    url = lab.url("web")
    with ExitStack() as stack:

        def idler(address: str, port: int) -> Idler:
            return stack.enter_context(closing(Idler(address, port)))

        clients = [idler("127.0.0.1", lab.port("web")) for _ in range(20)]
        direct = [idler(host.address, 5000) for host in lab.hosts for _ in range(3)]
        held = [stack.enter_context(held_on(lab, host)) for host in lab.hosts]
        with (
            Load(url, rate=100, slow_share=0.02, slow_seconds=2.0) as load,
            Load(url + PAUSING, rate=2, slow_share=0) as streams,
        ):
            ran = quiet.deploy("2.0.0", "--batch", "2")
        assert ran.code == 0, ran.output
        assert all(request.is_whole() for request in held)
        assert [client.status() for client in clients] == [200] * len(clients)
        assert all(client.is_closed() for client in direct)
    assert (load.result.failed, streams.result.failed) == (0, 0), (
        load.result.failures + streams.result.failures
    )
    assert set(load.result.by_version) == {"1.0.0", "2.0.0"}
    assert "4 hosts, rolling, batch 2, drain quiet" in ran.stdout
    assert len(drains(ran)) == len(lab.hosts)
    assert min(drains(ran)) >= 1
    assert max(drains(ran)) < DELAY_SECONDS / 2
    assert "drains by the whole delay" not in ran.output
    assert set(quiet.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p1_requests_of_20_s_lengthen_the_drain_and_are_answered(quiet: Project, lab: Lab) -> None:
    quiet.install("1.0.0")
    quiet.build("2.0.0")
    url = lab.url("web")
    with ExitStack() as stack:
        slow = stack.enter_context(Load(f"{url}/slow?seconds=20", rate=4, slow_share=0))
        load = stack.enter_context(Load(url, rate=MODEST_RATE))
        ran = quiet.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
    assert ran.code == 0, ran.output
    assert (load.result.failed, slow.result.failed) == (0, 0), (
        load.result.failures + slow.result.failures
    )
    assert "connections busy, quiet for 0 of 1 s; draining for" in ran.output
    (seconds,) = drains(ran)
    assert 10 < seconds < DELAY_SECONDS - 5


@pytest.mark.hosts(2)
def test_p1_an_app_that_drops_its_work_drains_for_the_whole_delay(quiet: Project, lab: Lab) -> None:
    """The fall-back, said in the plan; what the control below loses is kept."""
    quiet.web["drains_on_sigterm"] = False
    quiet.configure()
    set_delay(lab, "web-lab", 12)
    quiet.install("1.0.0", drop_in_flight=True)
    quiet.build("2.0.0")
    with Load(lab.url("web") + PAUSING, rate=4, slow_share=0) as load:
        ran = quiet.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert "web: drains by the whole delay: it does not finish its requests on SIGTERM" in (
        ran.output
    )
    out = re.findall(
        rf"{called(lab.hosts[0])}: (?:deregister from web-lab|drain 12 s): ([\d.]+) s", ran.stdout
    )
    # The delay begins with the answer to DeregisterTargets, before the wait for `draining`.
    assert sum(map(float, out)) >= 12 - POLL_SECONDS


@pytest.mark.hosts(2)
def test_p1_an_app_behind_a_wrapper_drains_for_the_whole_delay(quiet: Project, lab: Lab) -> None:
    """Its SIGTERM ends a shell, and systemd kills the app at once: nothing may be under way.

    By what the kernel shows while a stream pauses, the drain would be over after its floor.
    """
    quiet.web.update({"command": "sh -c './web --port {port}; :'", "executables": ["web"]})
    quiet.configure()
    set_delay(lab, "web-lab", 12)
    quiet.install("1.0.0")
    quiet.build("2.0.0")
    with Load(lab.url("web") + PAUSING, rate=4, slow_share=0) as load:
        ran = quiet.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    flat = " ".join(ran.output.split())
    assert "web: drains by the whole delay" in flat
    assert "a wrapper may not pass it on; let it end with `exec`" in flat
    assert drains(ran) == []


@pytest.mark.hosts(2)
def test_control_a_wrapper_that_is_stopped_too_early_loses_what_is_under_way(
    quiet: Project, lab: Lab
) -> None:
    """SIGTERM does not reach the app: the request is cut, however well the app would end it."""
    quiet.web.update({"command": "sh -c './web --port {port}; :'", "executables": ["web"]})
    quiet.configure()
    quiet.install("1.0.0")
    with held_on(lab, lab.hosts[0]) as held:
        lab.shell(lab.hosts[0], "systemctl stop web@5000.service")
        assert not held.is_whole()


@pytest.mark.hosts(2)
def test_control_an_app_that_drops_its_work_loses_requests_if_it_is_trusted(
    quiet: Project, lab: Lab
) -> None:
    """One request is under way when the unit stops, whenever that is."""
    quiet.install("1.0.0", drop_in_flight=True)
    quiet.build("2.0.0")
    with held_on(lab, lab.hosts[0]) as held:
        ran = quiet.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
        assert ran.code == 0, ran.output
        assert len(drains(ran)) == 1
        assert not held.is_whole()


def test_control_a_lag_without_a_floor_loses_requests(quiet: Project, lab: Lab) -> None:
    """A request each 2 s and host: between two of them the kernel shows nothing.

    The lag is as long as the delay can be, so that it is not over before the new release, which
    takes the time of four requests, listens.
    """
    quiet.environment.update({"propagation_seconds": 0, "quiet_seconds": 0})
    quiet.environment["ignore_peers"] = ["10.0.0.0/8"]  # who is seen to send is not stopped
    quiet.configure()
    lab.knobs(propagation_lag_seconds=DELAY_SECONDS)
    quiet.install("1.0.0")
    quiet.build("2.0.0", start_seconds=8)
    with Load(lab.url("web"), rate=2, slow_share=0) as load:
        ran = quiet.deploy("2.0.0", "--hosts", called(lab.hosts[0]))
    assert ran.code == 0, ran.output
    assert load.result.failed > 0
