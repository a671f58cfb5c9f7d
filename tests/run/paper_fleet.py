"""A fleet on paper, the plans for it, and what its steps do where a test says so."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import builders

from deploy.aws.targets import Health, Target
from deploy.clock import CLOCK
from deploy.command_result import CommandResult
from deploy.crew import Crew
from deploy.errors import DeployError
from deploy.events.event import Event
from deploy.once.step import RunOnce
from deploy.plan import assembly
from deploy.plan.host_plan import HostPlan
from deploy.run.executor import Execution
from deploy.run.report import Report
from deploy.smoke import through_balancer
from deploy.steps import base, drain, records, staging, verify
from deploy.steps import target as enrolment
from deploy.steps import unit as switching
from deploy.steps.fleet import Stopped
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.script import Script
    from deploy.plan.plan import Plan
    from deploy.settings.app import App, AppInSlot
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts

T = TypeVar("T")
PATIENCE_SECONDS = 5.0
RUN_ONCE = "run `./migrate`"
"""How the step begins that runs a command once."""

Run = Any
Acts = dict[str, "Callable[[Execution], None]"]


class PaperFleet:
    """A fleet on paper: steps only note that they were done, or act as the test says.

    `acts` is by the start of a step's printed line, such as `host-1: stop`.
    """

    def __init__(
        self,
        acts: Acts,
        sick: AbstractSet[str] = frozenset(),
        sick_after: int = 0,
        gone: AbstractSet[str] = frozenset(),
    ) -> None:
        """`sick`: hosts whose targets are unhealthy from so many readings on; gone: terminated."""
        self.acts, self.done = acts, list[str]()
        self.sick, self.healthy_readings = sick, sick_after
        self.groups = {
            name: (builders.group(f"{name}-lab", port=port),)
            for name, port in (("web", 5000), ("admin", 5100))
        }
        self.credentials_end: float | None = None
        self.forgotten = list[str]()
        self.gone = gone
        self.stop, self.clock, self.crew = threading.Event(), CLOCK, Crew()
        self.tell: Callable[[str, str], None] = lambda _host, _text: None
        self.started: dict[tuple[str, str], UnitState] = {}
        self.execution: Execution | None = None
        self._lock = threading.Lock()

    def do(self, step: Step) -> None:
        line = f"{step.host.name}: {step}"
        for start, act in self.acts.items():
            if line.startswith(start):
                assert self.execution
                act(self.execution)
        with self._lock:
            self.done.append(line)

    def serving(self, group: TargetGroup, timeout_seconds: float) -> frozenset[Target]:
        del timeout_seconds
        self.healthy_readings -= 1
        sick = self.sick if self.healthy_readings < 1 else set()
        hosts = [builders.host(number) for number in (1, 2, 3)]
        well = [host.instance_id for host in hosts if host.name not in sick]
        return frozenset(Target(id_, group.port) for id_ in well)

    def forget(self, host: str) -> None:
        self.forgotten.append(host)

    def ended(self, host: Host) -> str:
        return "terminated" if host.name in self.gone else ""

    def health(self, host: Host, app: AppInSlot) -> Health:
        del host, app
        return builders.HEALTHY

    def remote(self, host: Host) -> PaperFleet:
        del host
        return self

    def ask(self, script: Script[T]) -> T:
        assert script.name == "journal"
        return script.parse(CommandResult(str(script), 0, "first\nlast\n", ""))


def made(hosts: Iterable[HostFacts], *apps: App, **environment: Any) -> Plan:
    served, listed = apps or (builders.app(),), list(hosts)
    offers = tuple(builders.offer(app, listed) for app in served)
    return assembly.make(
        builders.environment(*served, **environment),
        offers,
        builders.survey(listed, apps=served),
        allow_downtime=True,
    )


def old(count: int) -> list[HostFacts]:
    slots: dict[str, Slot] = {"web": builders.slot()}
    return [builders.facts(number, slots) for number in range(1, count + 1)]


@dataclass(frozen=True)
class Ran:
    """A rollout that is over, with all that was heard and done."""

    report: Report
    events: list[Event]
    done: list[str]


KINDS = [
    kind
    for module in (enrolment, drain, verify, records, staging, switching, through_balancer)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, base.OnHost)
    and kind not in {base.OnHost, base.Timed}
]


def fail(_: object) -> None:
    raise DeployError("it broke")


def stop(execution: Execution) -> None:
    execution.stop(signal.SIGINT)
    raise Stopped("stopped while draining")


def on(lines: Iterable[str], host: str) -> list[str]:
    return [line for line in lines if line.startswith(f"{host}:")]


def surging(count: int, **rollout: Any) -> Plan:
    app = builders.app("web", 5000, 5001)
    slots, spares = {"web": builders.slot()}, {"web": Slot(kept=builders.slot().kept)}
    hosts = [builders.facts(n, slots, spares=spares) for n in range(1, count + 1)]
    return made(hosts, app, batch=1, rollout={"strategy": "surge"} | rollout)


def surged(count: int, health: Any = None, batch: Any = (1, "100%"), **rollout: Any) -> Plan:
    """A canary, then all, each in its other slot; health: by host, where not healthy."""
    app = builders.app("web", 5000, 5001)
    hosts = [
        builders.facts(
            number,
            {"web": builders.slot()},
            spares={"web": replace(builders.slot(), unit_state=UnitState(), running_release="")},
            free_memory_kb=1024**2,
        )
        for number in range(1, count + 1)
    ]
    given = {"strategy": "surge", **rollout}
    environment = builders.environment(app, batch=list(batch), rollout=given)
    offers = (builders.offer(app, hosts),)
    return assembly.make(environment, offers, builders.survey(hosts, health, apps=[app]))


def with_once(plan: Plan) -> Plan:
    """The plan, whose hosts may each run the command, in the order of the batches."""
    hosts = [each for batch in plan.batches for each in batch]
    choices: list[HostPlan] = []
    for each in hosts:
        step = each.steps[0]
        settings = step.app.settings.model_copy(update={"run_once": "./migrate"})
        app = replace(step.app, settings=settings)
        choices.append(HostPlan(each.host, (RunOnce(each.host, app, "2.0.0-x", ""),)))
    return replace(plan, once=(tuple(choices),))


def until_failed(host: str) -> Callable[[Execution], None]:
    """What a step does that goes on when a host's failure is counted."""

    def wait(execution: Execution) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while host not in execution._progress.failed_hosts:
            assert time.monotonic() < end
            threading.Event().wait(0.01)

    return wait
