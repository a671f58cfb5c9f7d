"""The target group of the hosts on paper, as an AWS API in a process of its own.

It stands behind the lab's gate, which throttles at AWS's documented rates. In a process of its own
it costs the measured one neither memory nor processor time, as AWS does not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from bench.paper import CHECK_SECONDS, DELAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).resolve().parent.parent


def instance_id(number: int) -> str:
    """Return the id of a host on paper, by its number from 0."""
    return f"i-{number:017x}"


@dataclass
class PaperApi:
    """The API while it runs, and then what it was asked.

    url: its address; calls: how many calls of each kind there were, throttled ones included;
    answered: how many of all were not throttled.
    """

    url: str
    calls: dict[str, int] = field(default_factory=dict)
    answered: int = 0


@contextmanager
def running(count: int) -> Iterator[PaperApi]:
    """Run it for so many hosts, all of them registered; what it was asked is known at the end."""
    words = [sys.executable, "-m", "bench.paper_api", str(count)]
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        found = PaperApi(process.stdout.readline().strip())
        try:
            yield found
        finally:
            process.stdin.close()
            printed = process.stdout.read()
    found.calls, found.answered = json.loads(printed)


class PaperGroup:
    """One target group as a WSGI application: states follow from the times of the writes."""

    def __init__(self, targets: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in: dict[str, float] = dict.fromkeys(targets, 0.0)
        self._out: dict[str, float] = {}
        self.answered = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer DescribeTargetHealth, RegisterTargets and DeregisterTargets."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        given = parse_qs(body.decode())
        action = given["Action"][0]
        named = [values[0] for key, values in given.items() if key.endswith(".Id")]
        with self._lock:
            self.answered += 1
            result = self._answer(action, named, self._clock())
        payload = (
            f'<{action}Response xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
            f"<{action}Result>{result}</{action}Result></{action}Response>"
        ).encode()
        start_response(
            "200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(payload)))]
        )
        return [payload]

    def _answer(self, action: str, named: list[str], now: float) -> str:
        if action == "RegisterTargets":
            self._in |= dict.fromkeys(named, now)
            for each in named:
                self._out.pop(each, None)
        elif action == "DeregisterTargets":
            self._out |= {each: now for each in named if self._in.pop(each, None) is not None}
        else:
            return f"<TargetHealthDescriptions>{self._listed(now)}</TargetHealthDescriptions>"
        return ""

    def _listed(self, now: float) -> str:
        self._out = {each: at for each, at in self._out.items() if now < at + DELAY_SECONDS}
        states = {
            each: "healthy" if now > at + CHECK_SECONDS else "initial"
            for each, at in self._in.items()
        }
        states |= dict.fromkeys(self._out, "draining")
        return "".join(
            f"<member><Target><Id>{each}</Id><Port>5000</Port></Target>"
            f"<TargetHealth><State>{state}</State></TargetHealth></member>"
            for each, state in states.items()
        )


@contextmanager
def _served(application: WSGIApplication) -> Iterator[str]:
    """Serve it on a free port of 127.0.0.1; gives the address."""
    from werkzeug.serving import (  # noqa: PLC0415 - not in the measured process
        WSGIRequestHandler,
        make_server,
    )

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, kind: str, message: str, *args: Any) -> None:
            """Say nothing of each call."""

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main(count: str) -> None:
    """Serve until standard input ends; print the address, and at the end what was asked."""
    from lab.gate import Gate  # noqa: PLC0415 - not in the measured process
    from lab.knobs import Calls, Knobs  # noqa: PLC0415 - the same

    group = PaperGroup(instance_id(number) for number in range(int(count)))
    calls = Calls()
    with _served(Gate(group, Knobs(throttle=True), calls)) as url:
        print(url, flush=True)
        sys.stdin.read()
    print(json.dumps([calls.counts(), group.answered]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
