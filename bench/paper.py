"""Hosts and a target group on paper: stand-ins that answer at once, and by the clock."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

from werkzeug.serving import WSGIRequestHandler, make_server

from deploy.aws.targets import TargetGroup
from deploy.errors import CommandResult
from deploy.package.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from deploy.hosts.scripts.script import Script

T = TypeVar("T")
DELAY_SECONDS, CHECK_SECONDS = 2.0, 0.5
OLD = Release("web", "1.0.0", "a" * 64, 1, 1000)
NEW = Release("web", "2.0.0", "b" * 64, 1, 1000)
GROUP = TargetGroup(
    name="web-paper",
    arn="arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web-paper/1",
    port=5000,
    target_type="instance",
    protocol_version="HTTP1",
    load_balancers=("arn:alb",),
    health_path="/health",
    health_port="traffic-port",
    matcher="200",
    interval_seconds=CHECK_SECONDS,
    timeout_seconds=CHECK_SECONDS,
    unhealthy_threshold=2,
    delay_seconds=DELAY_SECONDS,
    slow_start_seconds=0.0,
    zonal=False,
)
RUNNING = (
    "show.LoadState=loaded",
    "show.ActiveState=active",
    "show.SubState=running",
    "show.UnitFileState=enabled",
    "show.MainPID=100",
    "show.InvocationID=0123456789abcdef0123456789abcdef",
    "show.NRestarts=0",
)
FACTS = {
    "show_unit": RUNNING,
    "runtime": (
        *RUNNING,
        f"running={NEW.id}",
        "own_namespace=no",
        "web.listener=100 776562 /system.slice/web@5000.service",
    ),
}
"""What the programs of a host on paper print, as facts."""


class PaperHost:
    """A host that does at once whatever it is told; in place of remote.Remote."""

    def change(self, app: str, script: Script[T], timeout_seconds: float = 60) -> T:
        """Print the facts that the command would print."""
        del app
        return self.ask(script, timeout_seconds)

    def ask(self, script: Script[T], timeout_seconds: float = 30, most_bytes: int = 0) -> T:
        """The same for a reading command."""
        del timeout_seconds, most_bytes
        facts = FACTS.get(script.programs[-1].name, ())
        return script.parse(CommandResult("", 0, "", "", facts=facts))

    def send(
        self,
        app: str,
        script: Script[T],
        source: BinaryIO,
        sent: Callable[[int], None] = lambda _: None,
    ) -> T:
        """Take all of it."""
        sent(len(source.read(1 << 16)))
        return self.change(app, script)

    def probe(self, port: int, path: str, host_header: str, timeout_seconds: float) -> int:
        """Answer that all is well."""
        del port, path, host_header, timeout_seconds
        return 200


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
def api(application: WSGIApplication) -> Iterator[str]:
    """Serve it on a free port of 127.0.0.1; gives the address."""

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
