"""A request that is under way for certain: its host has begun the answer, and ends it on stopping.

Whether a deploy loses it depends on nothing but the service: one that finishes its requests on
SIGTERM ends the answer whole, one that drops them cuts it. Meanwhile not a byte is sent, so that
the kernel shows an idle connection.
"""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from lab.project import called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.fleet import Lab, LabHost

ANSWER_SECONDS = 60.0
ROUNDS = 5
"""So often every host may be passed by, where others' requests come between ours."""


class Held:
    """One GET of the sample service's /hold, whose first line has come; `host` says from where."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=ANSWER_SECONDS)
        self._connection.request("GET", "/hold")
        self._answer = self._connection.getresponse()
        self.host: str = json.loads(self._answer.readline())["host"]

    def is_whole(self) -> bool:
        """Wait for the end; whether the answer came whole, or was cut."""
        try:
            return self.host.encode() in self._answer.read()
        except (http.client.HTTPException, ConnectionError):
            return False

    def close(self) -> None:
        """Give it up."""
        self._answer.close()
        self._connection.close()


@contextmanager
def held_on(lab: Lab, host: LabHost) -> Iterator[Held]:
    """A request through the load balancer that this host answers; DeployError where none does.

    Those that come to other hosts on the way are given up once it is found.
    """
    with ExitStack() as others:
        for _ in range(ROUNDS * len(lab.hosts)):
            found = Held(lab.port("web"))
            if found.host == called(host):
                break
            others.enter_context(closing(found))
        else:
            raise DeployError(f"the load balancer sent no request to {called(host)}")
    with closing(found):
        yield found
