"""The lab's own process: `python -m lab.server --state .lab`.

Reads `spec.json` from the state folder (`hosts`: name and address each; `subnet`), runs the AWS
API, the load balancer and the control API, writes `server.json` when all of them answer, and ends
on SIGTERM or when HAProxy dies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from deploy.errors import BadInput, DeployError
from lab import aws, keys
from lab.api import Api, Moto, replaced
from lab.dataplane import HAProxy
from lab.knobs import Calls, Events, Knobs
from lab.reconciler import Reconciler
from lab.zones import ZONES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger(__name__)


class Balancer:
    """Everything that runs, put together; the control API is its face."""

    def __init__(self, folder: Path, subnet: str, hosts: Sequence[Mapping[str, str]]) -> None:
        self.knobs, self.events, self.calls = Knobs(), Events(), Calls()
        self.nodes = {zone: HAProxy(folder / "nodes" / zone, aws.LISTENERS) for zone in ZONES}
        self.api = Api(self.knobs, self.calls)
        self.reconciler = Reconciler(Moto(), self.nodes, self.knobs, self.events)
        self.instances: dict[str, str] = {}
        self._folder = folder
        self._subnet = subnet
        self._hosts = hosts

    def start(self) -> None:
        """Start what has threads and children, make the account, register every host."""
        for node in self.nodes.values():
            node.start()
        self.api.start()
        self.instances = aws.set_up(self.api, self._subnet, self._hosts)
        self.reconciler.register(aws.registrations(self.instances))
        self.calls.clear()

    def reset(self, names: Sequence[str]) -> None:
        """Knobs, groups and registrations as at the start; the event log goes on.

        names: the hosts that are registered and tagged.
        """
        self.knobs.reset()
        aws.restore(self.api)
        aws.use(self.api, self.instances, names)
        used = {name: self.instances[name] for name in names}
        self.reconciler.reset(aws.registrations(used))
        self.calls.clear()

    def console(self, instance_id: str) -> str:
        """What an instance's console shows: its host keys, as cloud-init prints them."""
        names = {each: name for name, each in self.instances.items()}
        name = names.get(instance_id, "")
        return keys.console(self._folder, name) if name else ""

    def stop(self) -> None:
        """End the children."""
        self.api.stop()
        for node in self.nodes.values():
            node.stop()

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """Answer the control API; raises BadInput for anything it does not know."""
        answers: dict[str, Callable[[], Any]] = {
            "/health": lambda: "ok",
            "/knobs": self.knobs.as_dict,
            "/calls": self.calls.counts,
            "/checks": lambda: [one.as_dict() for one in self.reconciler.checks.kept()],
        }
        match method, path:
            case "GET", _ if path in answers:
                return answers[path]()
            case "POST", "/knobs" if isinstance(body, dict):
                self.knobs.update(body)
                return self.knobs.as_dict()
            case "GET", "/events":
                since = query.get("since", "0")
                if not since.isdigit():
                    raise BadInput(f"since={since}: give the number of the last event seen")
                return [event.as_dict() for event in self.events.since(int(since))]
            case "POST", "/reset" if isinstance(body, dict):
                names = body.get("hosts") or list(self.instances)
                if unknown := set(names) - set(self.instances):
                    raise BadInput(f"the lab has no hosts {', '.join(sorted(unknown))}")
                self.reset(names)
                return "ok"
        raise BadInput(f"{method} {path}: the control API has no such thing")


def control(balancer: Balancer) -> ThreadingHTTPServer:
    """Make the control API on a free port of 127.0.0.1, JSON in and out, not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                body = json.loads(text) if text else None
                code, said = 200, balancer.answer(method, parts.path, query, body)
            except (BadInput, ValueError) as error:
                code, said = 400, {"error": str(error)}
            except Exception as error:
                log.exception("%s %s", method, self.path)
                code, said = 500, {"error": str(error)}
            payload = json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            log.debug(format, *args)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server


def serve(folder: Path) -> None:
    """Run until SIGTERM or SIGINT; raises DeployError when the spec is wrong or HAProxy dies."""
    spec_path = folder / "spec.json"
    try:
        spec = json.loads(spec_path.read_text())
        balancer = Balancer(folder.resolve(), spec["subnet"], spec["hosts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{spec_path}: not what `inv lab.up` writes ({error!r})") from error
    ready = folder / "server.json"
    ready.unlink(missing_ok=True)
    controls = control(balancer)
    try:
        with replaced(balancer.reconciler, balancer.console):
            balancer.start()
            threading.Thread(target=controls.serve_forever, daemon=True).start()
            asyncio.run(_run(balancer, ready, f"http://127.0.0.1:{controls.server_port}"))
    finally:
        ready.unlink(missing_ok=True)
        balancer.stop()


async def _run(balancer: Balancer, ready: Path, control_url: str) -> None:
    loop = asyncio.get_running_loop()
    ticking = asyncio.create_task(balancer.reconciler.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ticking.cancel)
    draft = ready.with_suffix(".draft")
    draft.write_text(
        json.dumps(
            {
                "api": balancer.api.url,
                "control": control_url,
                "ports": {zone: node.ports for zone, node in balancer.nodes.items()},
                "pid": os.getpid(),
                "instances": balancer.instances,
            }
        )
    )
    draft.rename(ready)
    with suppress(asyncio.CancelledError):
        await ticking


def main() -> int:
    """Run the server; 0 on SIGTERM, otherwise the error's own exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.server")
    parser.add_argument("--state", type=Path, required=True, help="the lab's state folder")
    folder = parser.parse_args().state
    if not folder.is_dir():
        print(f"{folder}: no such folder; `inv lab.up` makes it", file=sys.stderr)
        return 2
    logging.basicConfig(
        filename=folder / "server.log",
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        level=logging.INFO,
    )
    try:
        serve(folder)
    except DeployError as error:
        log.exception("ended")
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
