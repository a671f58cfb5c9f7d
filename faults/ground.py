"""What faults are tried on: a lab, a project on it, load, and what must be true after."""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lab.fleet import Lab
from lab.knobs import Knobs
from lab.load import Load
from lab.project import ROOT, Project, set_delay, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.fleet import LabHost
    from lab.generator import Failure
    from lab.project import Ran, Running

RATE = 150
HOSTS, BATCH = 4, 2
MOST_SHOWN = 5
DELAY_SECONDS = 2
SLOW_SECONDS = 0.8
SETTINGS: dict[str, Any] = {
    "propagation_seconds": 1.5,
    "lock_ttl_seconds": 2,
    "rollout": {"batch": BATCH},
}
APP: dict[str, Any] = {
    "longest_request_seconds": 1,
    "prove_seconds": 0.6,
    "start_timeout_seconds": 30,
    "healthy_timeout_seconds": 60,
    "keep_releases": 3,
}


@dataclass(frozen=True)
class Line:
    """One thing that was tried: what came of it, and the requests meanwhile.

    may_fail: how many requests it may cost; the control's figure, where there is one.
    failures: the first of the requests that failed.
    """

    name: str
    said: str
    problems: tuple[str, ...] = ()
    requests: int = 0
    failed: int = 0
    may_fail: int = 0
    failures: tuple[Failure, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it ended as promised."""
        return not self.problems and self.failed <= self.may_fail

    def __str__(self) -> str:
        verdict = "ok  " if self.is_good else "MISS"
        least = f" (at most {self.may_fail})" if self.may_fail else ""
        figures = f", {self.requests} requests, {self.failed} failed{least}" * bool(self.requests)
        more = "".join(f"\n     {problem}" for problem in self.problems)
        if self.failed > self.may_fail:
            more += "".join(f"\n     {failure}" for failure in self.failures)
        return f"{verdict} {self.name}: {self.said}{figures}{more}"


@dataclass
class Trial:
    """What happens while the load runs: commands that were run, and what was wrong."""

    problems: list[str] = field(default_factory=list)
    said: str = ""
    may_fail: int = 0

    def expect(self, claim: bool, words: str) -> None:
        """Write down what is not as it should be."""
        if not claim:
            self.problems.append(words)

    def ended(self, ran: Ran, *codes: int) -> Ran:
        """Expect one of these exit codes."""
        tail = "\n       ".join(ran.output.strip().splitlines()[-24:])
        self.expect(ran.code in codes, f"exit code {ran.code}, not {codes}:\n       {tail}")
        return ran


class Ground:
    """A lab of four hosts with a web app on it, and packages numbered upwards."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.lines: list[Line] = []
        self.number = 0
        self.good = ""
        lab.reset()
        lab.knobs(time_divisor=10)
        set_delay(lab, "web-lab", DELAY_SECONDS)
        self.project = Project.on(folder, lab)
        self.set(APP, SETTINGS)
        self.good = self.build()
        self.project.deploy(self.good, "--batch", "100%", "--allow-downtime")

    @classmethod
    @contextmanager
    def made(cls, root: Path = ROOT, suite: str = "bookworm") -> Iterator[Self]:
        """A ground on the lab of this folder, which is started where it does not run."""
        with (
            Lab.borrowed(root, HOSTS, (suite,), _to_stderr) as lab,
            tempfile.TemporaryDirectory(prefix="changeover-faults-") as folder,
        ):
            yield cls(lab, Path(folder))

    def set(self, app: dict[str, Any], environment: dict[str, Any]) -> None:
        """Change settings; None takes a key away."""
        for own, given in ((self.project.web, app), (self.project.environment, environment)):
            own.update(given)
            for key in [key for key, value in own.items() if value is None]:
                del own[key]
        self.project.configure()

    def build(self, **behaviour: Any) -> str:
        """The next version's package."""
        self.number += 1
        version = f"{self.number}.0.0"
        self.project.build(version, **behaviour)
        return version

    def start(self, *words: str, **hooks: Any) -> Running:
        """Start a command that prints its moments, or kills itself at one."""
        return self.project.hooked(tell=True, **hooks).start(*words)

    def deploy(self, version: str, **hooks: Any) -> Running:
        """Start a deploy of the web app."""
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        return self.start(*words, **hooks)

    @property
    def first(self) -> LabHost:
        """The host that goes first."""
        return min(self.lab.hosts, key=lambda host: host.name)

    @contextmanager
    def trial(self, name: str, *, on: str | None = "", load: bool | Load = True) -> Iterator[Trial]:
        """Load while the block runs, then the fleet must be whole on the version `on`.

        on: by default the good version that was deployed before; None where the block itself looks.
        load: one of the caller's own, or whether there is any.
        """
        trial, result = Trial(), None
        try:
            if load:
                with load if isinstance(load, Load) else self._usual_load() as sent:
                    yield trial
                result = sent.result
            else:
                yield trial
            if on is not None:
                trial.problems += self.faults_left(on or self.good)
        except Exception as error:  # noqa: BLE001 - one trial's end is not the others'
            trial.problems.append(f"{type(error).__name__}: {error}")
        line = Line(
            name,
            trial.said or "whole",
            tuple(trial.problems),
            result.requests if result else 0,
            result.failed if result else 0,
            trial.may_fail,
            result.failures[:MOST_SHOWN] if result else (),
        )
        self.lines.append(line)
        print(line, flush=True)
        self._mend(on)

    def _usual_load(self) -> Load:
        return Load(self.lab.url("web"), rate=RATE, slow_share=0.01, slow_seconds=SLOW_SECONDS)

    def _mend(self, on: str | None) -> None:
        """The next trial begins on a whole fleet, whatever this one left."""
        self.lab.revive()
        for host in self.lab.hosts:
            self.lab.shell(host, "systemctl start ssh.service", check=False)
        lag_seconds = Knobs().describe_lag_seconds
        self.lab.knobs(
            throttle=False,
            api_error=None,
            api_down=False,
            describe_lag_seconds=lag_seconds,
            shifted_zone=None,
        )
        if on:
            self.good = on
        if self.faults_left(self.good):
            self.project.inv("lock.break", "--env", "lab", "--reason", "next trial", "--force")
            self.good = self.build()
            ran = self.project.deploy(self.good, "--batch", "100%", "--allow-downtime")
            if ran.code:
                print(f"     the fleet could not be made whole: {ran.output[-2000:]}", flush=True)

    def faults_left(self, version: str) -> list[str]:
        """What is not whole: hosts out of service, what is left over, other releases than one."""
        status = self.project.status()
        found = [f"{row['host']} is {row['state']}" for row in status["hosts"] if not is_well(row)]
        running = {row["release"].rpartition("-")[0] for row in status["hosts"]}
        if running != {version}:
            found.append(f"{sorted(running)} runs, not {version}")
        if status["lock"]:
            found.append(f"locked: {status['lock']}")
        script = "ls -A /srv/web/records/ /srv/web/releases/ /var/lib/changeover/ 2>/dev/null"
        for host in self.lab.hosts:
            left = self.lab.shell(host, script, check=False).split()
            bad = [name for name in left if name.endswith((".out", ".lock")) or ".part" in name]
            found += [f"{host.name}: {name} is left" for name in bad]
        return found

    def until_healthy(self, count: int = HOSTS) -> None:
        """Wait until so many targets are healthy."""
        until(f"{count} healthy", lambda: self.healthy() >= count)

    def healthy(self) -> int:
        """How many targets are healthy now."""
        return list(self.lab.health("web-lab").values()).count("healthy")


def later(seconds: float, act: Callable[[], object]) -> None:
    """Do something after a while, beside what goes on."""
    threading.Timer(seconds, act).start()


def is_well(row: dict[str, Any]) -> bool:
    """Whether a row of `inv status --json` is of a host that is as it should be."""
    return row["state"] == "healthy" and row["unit"] == "active" and bool(row["current"])


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
