"""Runs as the engine emits them: real plans and recoveries, on a clock of their own.

The order is that of deploy/run/executor.py and host_runner.py: staging on all hosts at once, then
batch by batch, a thread for each host; a surge's first batch begins while others are staged, and
what follows on a host goes on while the next batch begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import builders
from plan import test_surge

from deploy.errors import DeployError
from deploy.events.event import (
    VERSION,
    BatchBegan,
    Entry,
    Event,
    HostEnded,
    HostSaid,
    RunBegan,
    StopAsked,
)
from deploy.events.text import as_line
from deploy.plan import assembly
from deploy.recovery import failed_host
from deploy.run import as_events
from deploy.run.report import Failure, Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from deploy.aws.targets import TargetGroup
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.steps.base import Step

BEGAN = 1_795_950_000.0
RUN = "0123abcd" * 4
SECONDS = {
    "PrepareHost": 0.4,
    "RemoveReleases": 0.3,
    "UploadRelease": 5.2,
    "StageUnits": 1.1,
    "RehearseRelease": 1.4,
    "DeregisterTarget": 1.3,
    "StopUnit": 0.7,
    "RetireUnit": 0.6,
    "SwitchRelease": 0.2,
    "StartUnit": 0.6,
    "ProveRelease": 7.4,
    "RegisterTarget": 0.6,
    "WaitHealthy": 12.0,
    "RecordDeployed": 0.2,
    "ForgetOut": 0.2,
    "MarkBad": 0.2,
}
"""What steps take on a host of the lab; of drains and soaks the settings say it."""
HEALTH = {
    "DeregisterTarget": "draining (Target.DeregistrationInProgress)",
    "WaitDrained": "unused (Target.NotRegistered)",
    "RegisterTarget": "initial (Elb.RegistrationInProgress)",
    "WaitHealthy": "healthy",
}
JOURNAL = (
    "Started web@5000.service - web 2.0.0-bbbbbbbbbbbb.",
    "info: Microsoft.Hosting.Lifetime[14] Now listening on: http://[::]:5000",
    "fail: Microsoft.AspNetCore.Server.Kestrel[13] Connection id 0HN7, Request id 0HN7:00000002",
    "Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.3.17:5432",
    " ---> System.Net.Sockets.SocketException (111): Connection refused",
    "   at Npgsql.Internal.NpgsqlConnector.Connect(NpgsqlTimeout timeout)",
    "   at Web.Health.DatabaseCheck.CheckHealthAsync(HealthCheckContext context)",
    "web@5000.service: Main process exited, code=exited, status=134/n/a",
)


@dataclass
class Narration:
    """A run in the making.

    Attributes:
        plan: What is done.
        fails: By host, the step's class that fails there.
        verb: The command.
        happened: What was said, with its second.
    """

    plan: Plan
    fails: dict[str, str] = field(default_factory=dict)
    verb: str = "deploy"
    happened: list[tuple[float, Event]] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    deployed: set[tuple[str, str]] = field(default_factory=set)
    _health: dict[tuple[str, str], str] = field(default_factory=dict)

    def say(self, second: float, event: Event) -> None:
        self.happened.append((second, event))

    def entries(
        self,
        seconds: float,
        next_command: str = "",
        signal: int = 0,
        runs: dict[str, dict[str, tuple[str, ...]]] | None = None,
    ) -> tuple[Entry, ...]:
        """All of it in order of time, to the end of the run; runs: what runs where then."""
        report = Report(
            self.plan,
            {host.name: Outcome.WAITING for host in self.plan.hosts} | self.outcomes,
            tuple(self.failures),
            deployed=frozenset(self.deployed),
            seconds=seconds,
            signal=signal,
        )
        self.say(seconds, as_events.run_ended(report, next_command, runs))
        self.happened.sort(key=lambda each: each[0])
        return tuple(Entry(BEGAN + second, event) for second, event in self.happened)

    def begin(self) -> None:
        package = " --package 2.0.0" if self.verb == "deploy" else ""
        command = f"inv {self.verb} --env prod{package}"
        self.say(0, RunBegan(VERSION, RUN, "0.1.0", self.verb, "prod", "ana@build-7", command))
        self.say(0, as_events.plan_made(self.plan, _groups(self.plan)))

    def step(self, second: float, step: Step, *, planned: bool = True) -> float:
        """One step; the second at which it ended. DeployError where it is to fail."""
        kind, host = type(step).__name__, step.host.name
        fails = planned and self.fails.get(host) == kind
        took = SECONDS.get(kind) or step.estimated_seconds((builders.group(),))
        took *= 1 + 0.06 * (sum(map(ord, f"{host}{kind}")) % 7 - 3) / 3
        took = 31.0 if fails else took
        self.say(second, as_events.step_began(step, planned=planned))
        self.say(second + took / 2, HostSaid(host, f"{took / 2:.0f} of {took:.0f} s"))
        if kind == "ProveRelease":
            for number, text in enumerate(JOURNAL[:2] if not fails else JOURNAL):
                self.say(second + 0.4 + 0.1 * number, HostSaid(host, f"| {text}"))
        key = host, step.app.name
        self._health[key] = HEALTH.get(kind, self._health.get(key, "healthy"))
        error = DeployError(
            f"{host}: web@5000.service: GET :5000/health: 503, not 200, within 30 s"
        )
        said = error if fails else None
        self.say(
            second + took,
            as_events.step_ended(step, took, self._health[key], said, planned=planned),
        )
        if fails:
            raise error
        if failed_host.is_deployed(step):
            self.deployed.add((host, step.app.name))
        return second + took

    def steps(self, second: float, host_plan: HostPlan, steps: Iterable[Step]) -> float:
        """Some of a host's steps; where one fails, its recovery. The second of their end."""
        now = second
        for step in steps:
            try:
                now = self.step(now, step)
            except DeployError as error:
                now = self._recover(self.happened[-1][0], host_plan, step, error)
                self.end(now, host_plan.host.name, Outcome.BACK)
                return now
        return now

    def _recover(self, now: float, host_plan: HostPlan, step: Step, error: DeployError) -> float:
        recovery = failed_host.recovery_of(host_plan, step)
        health = self._health[step.host.name, step.app.name]
        found = Failure(
            step.host,
            str(step),
            str(error),
            journal=JOURNAL,
            health=health,
            undone=tuple(str(back) for back in recovery.steps),
        )
        self.failures.append(found)
        self.say(now, as_events.recovery_began(found, recovery, _groups(self.plan)))
        for back in recovery.steps:
            now = self.step(now, back, planned=False)
        self.say(now, as_events.failed(found))
        return now

    def end(self, second: float, host: str, outcome: Outcome) -> None:
        self.outcomes[host] = outcome
        self.say(second, HostEnded(host, str(outcome)))

    def stage(self) -> dict[str, float]:
        """All hosts at once; by host the second at which it is staged."""
        early = self.plan.early
        ends = {}
        for number, host_plan in enumerate(self.plan.staging):
            head_start = 2.0 if early and host_plan.host.name not in early else 0.0
            begins = 0.1 + head_start + number * 0.02
            ends[host_plan.host.name] = self.steps(begins, host_plan, host_plan.steps)
        return ends

    def batch(self, second: float, number: int, part: Sequence[HostPlan]) -> float:
        """A batch; the second at which the next one may begin."""
        total = len(self.plan.batches)
        self.say(second, BatchBegan(number, total, tuple(each.host.name for each in part)))
        return max(self.turn(second, each, each.steps) for each in part)

    def turn(self, second: float, host_plan: HostPlan, steps: Iterable[Step]) -> float:
        """A host's steps, and what goes on beside the next batch."""
        now, host = self.steps(second, host_plan, steps), host_plan.host.name
        if host not in self.outcomes:
            done = self.steps(now, host_plan, host_plan.after)
            self.end(done, host, Outcome.wanted(self.plan.verb))
        return now


def _groups(plan: Plan) -> dict[str, tuple[TargetGroup, ...]]:
    return {step.app.name: (builders.group(f"{step.app.name}-lab"),) for step in plan.steps}


def plan_of(count: int, batch: object = 1, delay_seconds: float = 30.0) -> Plan:
    """A rolling plan for so many hosts, `web-1` and on."""
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in range(1, count + 1)]
    hosts = [
        replace(each, host=replace(each.host, name=f"web-{n}"))
        for n, each in enumerate(hosts, start=1)
    ]
    environment = builders.environment(batch=batch).model_copy(update={"name": "prod"})
    seen = builders.survey(hosts, delay_seconds=delay_seconds)
    offers = (builders.offer(builders.app(), hosts),)
    return assembly.make(environment, offers, seen, allow_downtime=True)


def rolled(narration: Narration, *, until: Callable[[int], bool] = lambda _: True) -> float:
    """The whole plan, batch by batch; the second of its end."""
    narration.begin()
    now = max(narration.stage().values(), default=0.0)
    for number, part in enumerate(narration.plan.batches, start=1):
        if not until(number) or len(narration.failures) > narration.plan.tolerated:
            break
        now = narration.batch(now + 0.3, number, part)
    return now


def rolling(count: int = 4, batch: object = 1) -> tuple[Entry, ...]:
    """All goes well."""
    narration = Narration(plan_of(count, batch))
    return narration.entries(rolled(narration) + 1.4)


def failure(count: int = 4, at: str = "ProveRelease") -> tuple[Entry, ...]:
    """The second host's new release does not answer: it goes back, and the rest never begins."""
    narration = Narration(plan_of(count), {"web-2": at})
    return narration.entries(rolled(narration) + 1.4, "inv deploy --env prod --package 2.0.0")


def stopped() -> tuple[Entry, ...]:
    """Ctrl-C in the second batch: no third one begins."""
    narration = Narration(plan_of(4))
    end = rolled(narration, until=lambda number: number <= 2)
    narration.say(end - 9, StopAsked(2))
    return narration.entries(end + 1.4, "inv deploy --env prod --package 2.0.0", signal=2)


def killed() -> tuple[Entry, ...]:
    """The workstation lost its power in the second batch's drain."""
    found = rolling()
    cut = next(n for n, each in enumerate(found) if each.event == _begins_to_drain("web-2"))
    return found[: cut + 1]


def _begins_to_drain(host: str) -> Event:
    plan = plan_of(4)
    steps = (step for batch in plan.batches for each in batch for step in each.steps)
    return next(
        as_events.step_began(step, planned=True)
        for step in steps
        if step.host.name == host and type(step).__name__ == "WaitDrained"
    )


def surge(count: int = 12) -> tuple[Entry, ...]:
    """A canary that begins while the others are staged, then all others at once."""
    plan = test_surge.made(*(test_surge.host(number) for number in range(1, count + 1)))
    narration = Narration(plan)
    narration.begin()
    staged = narration.stage()
    (canary,) = plan.batches[0]
    begins = staged[canary.host.name]
    narration.say(begins, BatchBegan(1, len(plan.batches), (canary.host.name,)))
    proven = narration.steps(begins, canary, canary.unseen)
    now = narration.turn(
        max(proven, *staged.values()) + 0.2, canary, canary.steps[len(canary.unseen) :]
    )
    now = narration.batch(now + 0.3, 2, plan.batches[1])
    last = max(second for second, _ in narration.happened)
    return narration.entries(max(now, last) + 1.4)


def fleet() -> tuple[Entry, ...]:
    """200 hosts: a canary, a tenth, then a quarter at a time."""
    return rolling(200, [1, "10%", "25%"])


def written(file: Path, entries: Iterable[Entry]) -> Path:
    """An events file of these entries."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{as_line(entry)}\n" for entry in entries), encoding="ascii")
    return file
