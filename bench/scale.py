"""The planner and the executor on a fleet of paper: what they cost beside the waits.

`python -m bench.scale 1000` is one measurement, in a process of its own: its progress goes to
standard output, its result, as JSON, to standard error. Plan, executor, steps, poller, registrar,
and boto3 with its retries are the product's own. The hosts are stand-ins that answer at once. The
API is a server in a process of its own (`paper_api`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from bench import paper_api
from bench.paper import GROUP, NEW, OLD, PaperHost
from deploy.aws.api.account import Account
from deploy.aws.health_poller import HealthPoller
from deploy.aws.inventory import Host
from deploy.aws.registrar import Registrar
from deploy.aws.target_groups import Balancer
from deploy.aws.targets import Health, State, Target
from deploy.errors import DeployError
from deploy.events import file
from deploy.events.stream import Stream
from deploy.hosts.records import Record
from deploy.hosts.scripts.read import NEEDED_TOOLS
from deploy.package.opening import Package
from deploy.plan import assembly
from deploy.plan.candidate import Offer
from deploy.run import as_events
from deploy.run.executor import Execution
from deploy.run.report import ExitCode
from deploy.screen import console
from deploy.screen.plan import text
from deploy.settings.app import App
from deploy.settings.environment import Environment
from deploy.steps.fleet import Fleet
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Slot, UnitState
from deploy.unit.rendering import RenderedUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.plan import Plan

Heard = TypeVar("Heard")
SIZES = (10, 100, 1000)
BATCH = "10%"
PROVE_SECONDS, TICK_SECONDS = 1.0, 0.5


@dataclass(frozen=True)
class Scale:
    """What a rollout over so many hosts cost the machine that ran it.

    cpu_seconds: of the whole process from the plan on, the stand-ins' share included;
    wait_seconds: what the settings ask for, by the plan; peak_mb: resident memory at most;
    event_seconds: of cpu_seconds, what stamping and keeping the events took; calls: API calls by
    kind, throttled ones included; throttled: how many of them.
    """

    hosts: int
    steps: int
    plan_seconds: float
    wall_seconds: float
    wait_seconds: float
    cpu_seconds: float
    event_seconds: float
    peak_mb: float
    calls: dict[str, int]
    throttled: int

    @property
    def cpu_ms(self) -> float:
        """Processor time for each step of each host, in milliseconds."""
        return self.cpu_seconds / self.steps * 1000

    @property
    def event_percent(self) -> float:
        """What the events take of the processor time."""
        return self.event_seconds / self.cpu_seconds * 100

    @property
    def wall_ms(self) -> float:
        """Time beside the waits for each step of each host, in milliseconds."""
        return (self.wall_seconds - self.wait_seconds) / self.steps * 1000

    @property
    def looks_per_tick(self) -> float:
        """DescribeTargetHealth calls for the one group and each tick."""
        return self.calls.get("DescribeTargetHealth", 0) / (self.wall_seconds / TICK_SECONDS)


def measured(count: int, folder: Path) -> Scale:
    """Plan and run one rollout over so many hosts."""
    hosts = [
        Host(f"web-{n:04}", f"10.0.{n // 250}.{n % 250 + 1}", paper_api.instance_id(n))
        for n in range(count)
    ]
    with paper_api.running(count) as api:
        environment = _environment(folder, api.url)
        balancer = Balancer(Account(environment))
        began, busy = time.monotonic(), time.process_time()
        made = _planned(environment, hosts, folder)
        said = text.of(as_events.plan_made(made, {"web": (GROUP,)}), is_full=True)
        planned = time.monotonic()
        event_seconds = _runner(made, balancer, hosts)
        ended = time.monotonic()
        busy = time.process_time() - busy
    assert said.count("\n") >= len(made.steps)
    return Scale(
        hosts=count,
        steps=len(made.steps),
        plan_seconds=planned - began,
        wall_seconds=ended - planned,
        wait_seconds=made.seconds,
        cpu_seconds=busy,
        event_seconds=event_seconds,
        peak_mb=_peak_mb(),
        calls=api.calls,
        throttled=sum(api.calls.values()) - api.answered,
    )


def _environment(folder: Path, url: str) -> Environment:
    credentials = folder / "credentials"
    credentials.write_text("[paper]\naws_access_key_id = paper\naws_secret_access_key = paper\n")
    app = {
        "name": "web",
        "package": "web.*.zip",
        "target_group": GROUP.name,
        "ports": (GROUP.port,),
        "longest_request_seconds": 0.5,
        "prove_seconds": PROVE_SECONDS,
    }
    return Environment.model_validate(
        {
            "name": "paper",
            "root": folder,
            "apps": (App(**cast("Any", app)),),
            "hosts": ("web-0000",),
            "rollout": {"batch": BATCH},
            "poll_seconds": TICK_SECONDS,
            "propagation_seconds": 0.5,
            "aws": {
                "region": "eu-west-1",
                "profile": "paper",
                "endpoint_url": url,
                "credentials_file": str(credentials),
            },
        }
    )


def _planned(environment: Environment, hosts: list[Host], folder: Path) -> Plan:
    """From literals as the survey would read them, to the plan."""
    app = environment.apps[0]
    archive = folder / "web.tar.gz"
    archive.write_bytes(bytes(NEW.size_bytes))
    before, after = _unit("1"), _unit("2")
    record = Record(OLD.id, before.digest)
    slot = Slot(
        unit_state=UnitState("loaded", "active", "running", "enabled", 100, "1"),
        link=OLD.id,
        unit_digest=before.digest,
        running_release=OLD.id,
        running_unit_digest=before.digest,
        releases=(OLD.id,),
        history=(record,),
        kept=frozenset({record.kept}),
        group="web",
    )
    facts = tuple(
        HostFacts(
            host=host,
            init="systemd",
            systemd=252,
            selinux="",
            free_kb=10_000_000,
            tools=frozenset(NEEDED_TOOLS),
            slots={"web": slot},
        )
        for host in hosts
    )
    health = {Target(host.instance_id, GROUP.port): Health(State.HEALTHY) for host in hosts}
    survey = Survey(facts, {"web": (GROUP,)}, {GROUP.arn: health})
    package = Package(
        path=archive,
        release=NEW,
        archive=archive,
        archive_bytes=NEW.size_bytes,
        files=frozenset({"web"}),
        manifest=(),
        links=0,
        spans={},
        skeleton_bytes=0,
    )
    units = {(host.name, GROUP.port): after for host in hosts}
    checks = dict.fromkeys(units, after.text)
    return assembly.make(environment, (Offer(app, package, units, checks),), survey)


def _unit(digit: str) -> RenderedUnit:
    return RenderedUnit("web@5000.service", f"[Service]\n# {digit}\n", digit * 12)


def _runner(made: Plan, balancer: Balancer, hosts: list[Host]) -> float:
    """Execute it; it is kept in a file, and goes to standard output as plain lines, as in CI.

    Returns the processor time of the events beside their view, in seconds.
    """
    remotes = cast("Mapping[str, Remote]", {host.name: PaperHost() for host in hosts})
    watch = console.Screen().progress()
    view, stream = Meter(watch), Stream()
    stream.listeners["showing the progress"] = view
    events = Meter(stream.emit)
    with HealthPoller(balancer, [GROUP], TICK_SECONDS) as poller:
        groups = {"web": (GROUP,)}
        fleet = Fleet(remotes, groups, Registrar(balancer), poller, propagation_seconds=0.5)
        with (
            watch,
            tempfile.TemporaryDirectory() as runs,
            file.recorded(stream, Path(runs), "0" * 32),
        ):
            report = Execution(made, fleet, events).run()
    if report.exit_code is not ExitCode.DONE:
        errors = Counter(failure.error for failure in report.failures)
        raise DeployError(f"the rollout on paper failed: {errors.most_common(3)}")
    return sum(events.seconds) - sum(view.seconds)


@dataclass(frozen=True)
class Meter(Generic[Heard]):
    """Hears for another, and notes the processor time of each call in its thread, in seconds."""

    listen: Callable[[Heard], None]
    seconds: list[float] = field(default_factory=list)

    def __call__(self, heard: Heard) -> None:
        """Pass it on."""
        began = time.thread_time()
        self.listen(heard)
        self.seconds.append(time.thread_time() - began)


def _peak_mb() -> float:
    """By the kernel, of this program alone: getrusage counts the process that started us too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1000


def alone(count: int) -> Scale:
    """Measure one size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "scale.json"
        done = subprocess.run(
            [sys.executable, "-m", "bench.scale", str(count), str(said)],
            cwd=paper_api.ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DeployError(f"scale, {count} hosts: {done.stderr[-2000:]}")
        return Scale(**json.loads(said.read_text()))


def main(count: str, said: str = "/dev/stderr") -> None:
    """One size; the result is written to `said`."""
    with tempfile.TemporaryDirectory() as folder:
        found = measured(int(count), Path(folder))
    Path(said).write_text(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
