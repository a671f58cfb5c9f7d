"""The lab's AWS API without a data plane: its health checks end when and how a test says."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.moto_api._internal.models import moto_api_backend

from lab import aws
from lab.api import REGION, Api, Moto, replaced
from lab.knobs import Calls, Events, Knobs
from lab.reconciler import Reconciler
from lab.zones import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lab.dataplane import Server
    from lab.targets import Outcome

HOSTS = [{"name": f"host-{number}", "address": f"10.88.0.{number}"} for number in (11, 12)]


class PaperPlane:
    """A data plane on paper: what it was last told, by backend."""

    def __init__(self) -> None:
        self.wanted: dict[str, dict[str, Server]] = {}

    def apply(self, backend: str, wanted: Mapping[str, Server]) -> None:
        self.wanted[backend] = dict(wanted)

    def serving(self, backend: str) -> set[str]:
        return {one.address for one in self.wanted.get(backend, {}).values() if one.takes_new}


class Account:
    """The lab's API without HAProxy: its checks end when and how a test says."""

    def __init__(self) -> None:
        self.knobs, self.calls, self.events, self.plane = Knobs(), Calls(), Events(), PaperPlane()
        # Throttled calls get no new tokens, however long a test takes.
        self.api = Api(self.knobs, self.calls, clock=lambda: 0.0)
        self.far_plane = PaperPlane()
        nodes = {ZONES[0]: self.plane, ZONES[1]: self.far_plane}
        self.reconciler = Reconciler(Moto(), nodes, self.knobs, self.events)
        self.instances: dict[str, str] = {}
        self.consoles: dict[str, str] = {}
        self._round = 0
        self._be_consistent()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.api.url,
            aws_access_key_id="lab",
            aws_secret_access_key="lab",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def reset(self) -> None:
        self.knobs.reset()
        self.consoles.clear()
        self._be_consistent()
        aws.restore(self.api)
        self.reconciler.reset(aws.registrations(self.instances))
        self.calls.clear()

    def _be_consistent(self) -> None:
        """Let a write be in force when its call returns: no test here waits for time to pass."""
        self.knobs.update({"propagation_lag_seconds": 0, "describe_lag_seconds": 0})

    def check(self, outcome: Outcome) -> None:
        """Let every check that is due now end so."""
        self._round += 1
        for check in self.reconciler.due_checks(time.time() + 3600 * self._round):
            self.reconciler.record(check, outcome)


@contextmanager
def running(
    subnet: str = "10.88.0.0/24", hosts: Sequence[Mapping[str, str]] = HOSTS
) -> Iterator[Account]:
    """An account with the lab's groups and these instances, whose API answers."""
    account = Account()
    with replaced(account.reconciler, lambda id_: account.consoles.get(id_, "")):
        account.api.start()
        account.instances = aws.set_up(account.api, subnet, hosts)
        yield account
        account.api.stop()
        moto_api_backend.reset()  # pytest-xdist may run another module in the same process
