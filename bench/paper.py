"""Hosts on paper: stand-ins that answer at once; paper_api has their target group."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deploy.aws.targets import ProtocolVersion, TargetGroup
from deploy.command_result import CommandResult
from deploy.hosts.probe.request import Reply
from deploy.package.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from deploy.hosts.probe.request import Request
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
    protocol_version=ProtocolVersion.HTTP1,
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
    """A host that does at once whatever is asked; in place of remote.Remote."""

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

    def probe(self, request: Request, timeout_seconds: float) -> Reply:
        """Answer that all is well."""
        del request, timeout_seconds
        return Reply(200)

    def forwards(self, place: tuple[str, int], timeout_seconds: float) -> bool:
        """Let every port be asked."""
        del place, timeout_seconds
        return True
