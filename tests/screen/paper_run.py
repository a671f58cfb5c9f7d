"""Runs on paper: a plan, and the entries of its run by a clock of their own, for views to hear."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.events.event import (
    VERSION,
    BatchBegan,
    Entry,
    Event,
    HostEnded,
    HostFailed,
    HostSaid,
    RunBegan,
    RunEnded,
    StepBegan,
    StepEnded,
    StopAsked,
)
from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost, PlannedStep
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded
from deploy.run.report import MEANINGS, ExitCode, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT = 1_795_950_000.0
OLD, NEW = "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"
GROUP = "web-prod"
COMMAND = "inv deploy --env prod --package 2.0.0"
BACK_COMMAND = "inv rollback --env prod"

# By type: what it says, its phase, what the settings have it wait, what it really takes.
KINDS: dict[str, tuple[str, str, float, float]] = {
    "prepare_host": ("prepare user web and /srv/web", "stage", 0, 0.5),
    "upload_release": (f"upload web {NEW} (31.4 MB)", "stage", 0, 4),
    "stage_units": ("verify web@5000.service with the host's systemd", "stage", 0, 1),
    "deregister_target": (f"deregister from {GROUP}", "drain", 0, 1),
    "wait_drained": ("drain 40 s", "drain", 40, 40),
    "stop_unit": ("stop web@5000.service", "switch", 0, 1),
    "retire_unit": ("stop and disable web@5000.service", "switch", 0, 1),
    "switch_release": (f"switch slot 5000 and its unit to {NEW} (40d8baaabac8)", "switch", 0, 0.5),
    "start_unit": ("daemon-reload, enable and start web@5000.service", "switch", 0, 3),
    "prove_release": (f"prove {NEW}: GET :5000/health gives 200, then up 5 s", "prove", 5, 9),
    "register_target": (f"register in {GROUP}", "health check", 0, 0.5),
    "wait_healthy": (f"wait until healthy in {GROUP}", "health check", 10, 22),
    "record_deployed": (f"record web {NEW}", "record", 0, 0.3),
    "forget_out": ("clear the note on web@5000.service", "record", 0, 0.3),
}
STAGING = ("prepare_host", "upload_release", "stage_units")
ROLLING = (
    *("deregister_target", "wait_drained", "stop_unit", "switch_release", "start_unit"),
    *("prove_release", "register_target", "wait_healthy", "record_deployed"),
)
SURGE = (
    *("switch_release", "start_unit", "prove_release"),
    *("register_target", "wait_healthy", "record_deployed"),
)
AFTER = ("deregister_target", "wait_drained", "retire_unit", "forget_out")
BACK = (
    *("stop_unit", "switch_release", "start_unit", "prove_release"),
    *("register_target", "wait_healthy", "forget_out"),
)
JOURNAL = (
    "2026-11-22T23:04:03+0000 web-1 systemd[1]: Started web@5000.service - web on port 5000.",
    "2026-11-22T23:04:04+0000 web-1 web[660]: Unhandled exception. System.InvalidOperation"
    "Exception: no connection string 'orders' in the environment",
    "2026-11-22T23:04:04+0000 web-1 web[660]:    at Web.Program.Main(String[] args)",
)
ERROR = "web@5000.service ended and was restarted by systemd: it does not stay up"
SAYS = {
    "wait_drained": "draining, {gone:.0f} of 40 s",
    "prove_release": "proving, up {gone:.0f} of 5 s",
    "wait_healthy": "target initial (Elb.InitialHealthChecking), {gone:.0f} of 300 s",
}


@dataclass
class PaperRun:
    """A deploy on paper.

    Attributes:
        hosts: By name.
        batch: How many go together.
        strategy: `rolling` or `surge`.
        failing: The hosts whose release does not stay up.
        stop_at: After so many seconds the operator asks for an end; None for never.
        jitter: By how much of itself a duration may differ.
        seed: Of the differences.
        verb: Of the plan.
        window: How many hosts of one batch work at a time; 0 for batches.
        gate: What each batch but the first waits for.
        gate_seconds: How long it does.
    """

    hosts: Sequence[str]
    batch: int = 2
    strategy: str = "rolling"
    failing: frozenset[str] = frozenset()
    stop_at: float | None = None
    jitter: float = 0.0
    seed: int = 0
    verb: str = "Deploy"
    window: int = 0
    gate: HoldBegan | HookBegan | HostSaid | None = None
    gate_seconds: float = 30
    _heard: list[tuple[float, int, Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - differences, no secret

    @property
    def plan(self) -> PlanMade:
        """What is planned; all of it waits for one group of targets."""
        is_back = self.verb == "Roll back"
        staging = () if is_back else tuple(PlannedHost(h, _steps(STAGING)) for h in self.hosts)
        own, after = (SURGE, AFTER) if self.strategy == "surge" else (ROLLING, ())
        batches = [
            PlannedBatch(
                tuple(PlannedHost(host, _steps(own), _steps(after)) for host in group),
                {GROUP: len(self.hosts) - (0 if after else self.window or len(group))},
                self.window,
            )
            for group in self._groups()
        ]
        old, new = (NEW, OLD) if is_back else (OLD, NEW)
        return PlanMade(
            verb=self.verb,
            title=f"{self.verb} web {new} to prod",
            releases={"web": new},
            hosts=tuple(self.hosts),
            staging=staging,
            batches=tuple(batches),
            in_service={GROUP: len(self.hosts)},
            before={"web": old},
            groups={"web": (GROUP,)},
            out={GROUP: ()},
            environment="prod",
        )

    def entries(self) -> list[Entry]:
        """All that is heard, from the first event to the last."""
        self._heard.clear()
        self._random.seed(self.seed)
        plan = self.plan
        verb = {"Roll back": "rollback"}.get(plan.verb, plan.verb.lower())
        command = COMMAND.replace("deploy", verb)
        self._hear(0, RunBegan(VERSION, "0" * 32, "0.1.0", verb, "prod", "ana@one", command))
        self._hear(0.5, plan)
        at = tails = max(
            (self._list(each.host, STAGING, 1.0) for each in plan.staging), default=1.0
        )
        outcomes = dict.fromkeys(self.hosts, str(Outcome.WAITING))
        for number, batch in enumerate(plan.batches, start=1):
            if self.failing & {host for host, end in outcomes.items() if end != Outcome.WAITING}:
                break
            if self.stop_at is not None and at >= self.stop_at:
                break
            names = tuple(each.host for each in batch.hosts)
            if self.gate and number > 1:
                self._hear(at, self.gate)
                at += self.gate_seconds
                over = (
                    HoldEnded()
                    if isinstance(self.gate, HoldBegan)
                    else HookEnded("pre-batch", "", 9)
                )
                self._hear(at, over)
            self._hear(at, BatchBegan(number, len(plan.batches), names))
            free = [at] * (self.window or len(names))
            ends: list[tuple[float, float]] = []
            for host in names:
                ends.append(self._host(host, heapq.heappop(free), outcomes))
                heapq.heappush(free, ends[-1][0])
            at = max(turn for turn, _ in ends)
            tails = max(tails, *(tail for _, tail in ends))
        if self.stop_at is not None:
            self._hear(self.stop_at, StopAsked(2))
        end = max(at, tails)
        self._hear(end + 1, self._ended(outcomes, end))
        return [Entry(AT + moment, event) for moment, _, event in sorted(self._heard)]

    def _groups(self) -> Iterator[Sequence[str]]:
        size = len(self.hosts) if self.window else self.batch
        for start in range(0, len(self.hosts), size):
            yield self.hosts[start : start + size]

    def _host(self, host: str, at: float, outcomes: dict[str, str]) -> tuple[float, float]:
        """One host's turn; when it ends, and when what it does afterwards ends."""
        if host in self.failing:
            end = self._fail(host, at)
            outcomes[host] = Outcome.BACK
            return end, end
        own = SURGE if self.strategy == "surge" else ROLLING
        turn = end = self._list(host, own, at, port=5001 if own is SURGE else 5000)
        if own is SURGE:
            end = self._list(host, AFTER, turn)
        outcomes[host] = Outcome.DONE
        self._hear(end, HostEnded(host, Outcome.DONE))
        return turn, end

    def _fail(self, host: str, at: float) -> float:
        """Its release does not stay up: what leads back, and how that ends."""
        own = SURGE if self.strategy == "surge" else ROLLING
        port = 5001 if own is SURGE else 5000
        before = own[: own.index("prove_release")]
        at = self._list(host, before, at, port=port)
        text = KINDS["prove_release"][0]
        error = f"{host}: {ERROR}"
        self._hear(at, _began(host, "prove_release", text, port))
        at += 2
        health = "unused (Target.NotRegistered)" if own is ROLLING else "healthy"
        ended = _ended(_began(host, "prove_release", text, port), 2, health, error)
        self._hear(at, ended)
        back = BACK if own is ROLLING else ("retire_unit", "forget_out")
        steps = tuple(KINDS[kind][0].replace(NEW, OLD) for kind in back)
        goal = f"it goes back to {OLD}" if own is ROLLING else "it stays in service on what it runs"
        at += 0.4
        began = RecoveryBegan(host, text, error, None, JOURNAL, health, steps, goal)
        planned = tuple(replace(each, text=each.text.replace(NEW, OLD)) for each in _steps(back))
        self._hear(at, replace(began, planned=planned))
        at = self._list(host, back, at, port=port, is_planned=False)
        self._hear(at, HostFailed(host, text, error, "", None, JOURNAL, health, steps))
        self._hear(at, HostEnded(host, Outcome.BACK))
        return at

    def _list(
        self,
        host: str,
        kinds: Sequence[str],
        at: float,
        *,
        port: int = 5000,
        is_planned: bool = True,
    ) -> float:
        """Steps one after the other; when the last of them ends."""
        for kind in kinds:
            text, _, _, usual = KINDS[kind]
            text = text if is_planned else text.replace(NEW, OLD)
            seconds = usual * (1 + self._random.uniform(-self.jitter, self.jitter))
            began = _began(host, kind, text, port, is_planned=is_planned)
            self._hear(at, began)
            for second in range(1, int(seconds)):
                if kind in SAYS:
                    self._hear(at + second, HostSaid(host, SAYS[kind].format(gone=second)))
            if kind == "prove_release":
                said = (
                    "| 2026-11-22T23:04:05+0000 web-1 web[660]: Now listening on: http://[::]:5000"
                )
                self._hear(at + 1.5, HostSaid(host, said))
            at += seconds
            health = "healthy" if kind in {"wait_healthy", "record_deployed"} else ""
            self._hear(at, _ended(began, seconds, health))
        return at

    def _ended(self, outcomes: dict[str, str], seconds: float) -> RunEnded:
        old, new = (NEW, OLD) if self.verb == "Roll back" else (OLD, NEW)
        runs: dict[str, tuple[str, ...]] = {}
        for host, outcome in outcomes.items():
            release = new if outcome == Outcome.DONE else old
            runs[release] = (*runs.get(release, ()), host)
        code = ExitCode.DONE
        if self.stop_at is not None:
            code = ExitCode.INTERRUPTED
        elif self.failing:
            code = ExitCode.MIXED if len(runs) > 1 else ExitCode.FAILED
        back = f"; or take all hosts back: {BACK_COMMAND}" if code == ExitCode.MIXED else ""
        then = f"fix what failed and continue: {COMMAND}{back}" if code else ""
        return RunEnded(int(code), MEANINGS[code], seconds, outcomes, next=then, runs={"web": runs})

    def _hear(self, at: float, event: Event) -> None:
        self._heard.append((at, len(self._heard), event))


def _began(host: str, kind: str, text: str, port: int, *, is_planned: bool = True) -> StepBegan:
    phase = KINDS[kind][1]
    return StepBegan(host, "web", text, phase, is_planned=is_planned, kind=kind, port=port)


def _ended(step: StepBegan, seconds: float, health: str, error: str = "") -> StepEnded:
    return StepEnded(
        step.host,
        step.app,
        step.step,
        step.phase,
        seconds,
        health,
        error,
        is_planned=step.is_planned,
        kind=step.kind,
        port=step.port,
    )


def _steps(kinds: Sequence[str]) -> tuple[PlannedStep, ...]:
    return tuple(
        PlannedStep("web", text, phase, wait, kind)
        for kind in kinds
        for text, phase, wait, _ in (KINDS[kind],)
    )


def names(count: int) -> tuple[str, ...]:
    """`web-1` and so on."""
    return tuple(f"web-{number}" for number in range(1, count + 1))
