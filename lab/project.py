"""A user's project on top of the lab, and the commands that the user types."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from deploy.errors import DeployError
from lab import packages, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.fleet import Lab, LabHost

ROOT = Path(__file__).parents[1]
COMMAND_SECONDS = 240
POLL_SECONDS = 0.3
LOCK_SECONDS = 12
SHORT_LOCK_SECONDS = 4
"""The lock's time to live, for a test that waits until it is over."""
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def called(host: LabHost) -> str:
    """What a deploy calls a host of the lab: its instance's Name."""
    return host.name.split("-", 2)[2]


def group_arn(lab: Lab, group: str) -> str:
    """The ARN of a target group, by its name."""
    found = lab.client("elbv2").describe_target_groups(Names=[group])
    return str(found["TargetGroups"][0]["TargetGroupArn"])


def listed(lab: Lab, group: str) -> set[tuple[str, int]]:
    """The targets that the API shows in a group, by id and port: a second after the last change."""
    found = lab.client("elbv2").describe_target_health(TargetGroupArn=group_arn(lab, group))
    targets = (each["Target"] for each in found["TargetHealthDescriptions"])
    return {(target["Id"], target["Port"]) for target in targets}


def set_delay(lab: Lab, group: str, seconds: int) -> None:
    """Set a group's deregistration delay."""
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
    lab.client("elbv2").modify_target_group_attributes(
        TargetGroupArn=group_arn(lab, group), Attributes=[attribute]
    )


def set_check(lab: Lab, group: str, **settings: str | int | dict[str, str]) -> None:
    """Change a group's health check, by the API's own names: `HealthCheckPath="/health"`."""
    lab.client("elbv2").modify_target_group(TargetGroupArn=group_arn(lab, group), **settings)


@dataclass
class Ran:
    """A command that ended; output is stdout and stderr as they came."""

    code: int
    output: str
    stdout: str

    def steps(self) -> list[str]:
        """`host: step` of each step that a plain log says was done."""
        done = []
        for line in self.stdout.splitlines():
            clock, _, rest = line.partition(" ")
            if ISO_TIME.fullmatch(clock) and ": " in rest and " s" in rest:
                text, _, seconds = rest.rpartition(": ")
                if seconds.split(" ")[0].replace(".", "").isdigit():
                    done.append(text)
        return done


class Running:
    """A command that runs in a session of its own, so that signals reach it alone."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._all: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(name,), daemon=True) for name in self._said
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        with getattr(self.process, name) as stream:
            for line in stream:
                self._said[name].append(line)
                self._all.append(line)

    @property
    def output(self) -> str:
        """What it has said so far."""
        return "".join(self._all)

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def until(self, words: str, seconds: float = 60) -> None:
        """Wait until it says these words; DeployError when it ends or the time is up."""
        end = time.monotonic() + seconds
        while words not in self.output:
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise DeployError(f"it never said {words!r}:", *self.output.splitlines())
            threading.Event().wait(0.01)

    def wait(self, seconds: float = COMMAND_SECONDS) -> Ran:
        """Its end; killed, and an error, when it takes longer."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise DeployError(f"no end after {seconds:g} s:", *self.output.splitlines()) from None
        for reader in self._readers:
            reader.join(5)
        return Ran(code, self.output, "".join(self._said["stdout"]))


@dataclass
class Project:
    """A folder with a fabric.yaml and packages, and the commands that a user types in it."""

    folder: Path
    lab: Lab
    settings: dict[str, Any] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-m", "invoke")

    @classmethod
    def on(cls, folder: Path, lab: Lab) -> Project:
        """A project whose environment `lab` is the running lab, with short waits."""
        made = cls(folder, lab)
        web = {
            "package": "packages/web.*",
            "command": "web --port {port}",
            "ports": [5000],
            "target_group": "web-lab",
            "longest_request_seconds": 1.5,
            "prove_seconds": 1.5,
            "start_timeout_seconds": 8,
            "healthy_timeout_seconds": 20,
        }
        made.settings = {
            "deploy": {
                "apps": {"web": web},
                "environments": {
                    "lab": {
                        "from": str(lab.folder / "environment.yaml"),
                        "propagation_seconds": 2,
                        "lock_ttl_seconds": LOCK_SECONDS,
                        "poll_seconds": POLL_SECONDS,
                    }
                },
            }
        }
        made.configure()
        return made

    @property
    def file(self) -> Path:
        """The settings file."""
        return self.folder / "fabric.yaml"

    def configure(self, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> None:
        """Write fabric.yaml anew, with the change made to it."""
        change(self.settings)
        with self.file.open("w") as file:
            YAML(typ="safe").dump(self.settings, file)

    @property
    def web(self) -> dict[str, Any]:
        """The web app's settings, to change before `configure`."""
        found: dict[str, Any] = self.settings["deploy"]["apps"]["web"]
        return found

    def shorten_lock(self) -> None:
        """Let a lock be over soon after its deploy is, and looking at one take less time."""
        self.environment["lock_ttl_seconds"] = SHORT_LOCK_SECONDS
        self.configure()

    @property
    def environment(self) -> dict[str, Any]:
        """The environment's settings, to change before `configure`."""
        found: dict[str, Any] = self.settings["deploy"]["environments"]["lab"]
        return found

    def build(self, version: str, name: str = "web", **more: Any) -> Path:
        """Make a package where the settings look for it; see lab.packages.build."""
        return packages.build(self.folder / "packages", name, version, **more)

    def command(self, *words: str) -> list[str]:
        """What is run for `inv …` on this project."""
        return [*self.program, *words, "--settings", str(self.file)]

    def start(self, *words: str, **more: Any) -> Running:
        """Start `inv …` as a user or a CI step would: another process, no terminal."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        # A user's Python keeps what it compiled; without it, each command compiles all modules.
        clean.pop("PYTHONDONTWRITEBYTECODE", None)
        return Running(self.command(*words), clean | {"COLUMNS": "200"} | more)

    def inv(self, *words: str) -> Ran:
        """Run `inv …` to its end."""
        return self.start(*words).wait()

    def deploy(self, version: str, *more: str) -> Ran:
        """Deploy a version of the web app, without a question."""
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        return self.inv(*words, *more)

    def hooked(self, **hooks: Any) -> Project:
        """The same, whose commands announce their steps, or kill themselves at one."""
        hooked = json.dumps(hooks or {"tell": True})
        return replace(self, program=(sys.executable, "-m", "faults.victim", hooked))

    def install(self, version: str = "1.0.0", *, anew: bool = False, **behaviour: Any) -> None:
        """A first install on all hosts at once.

        After the first time its result is put back instead (see lab.snapshot), unless it shall be
        done anew.
        """
        self.build(version, **behaviour)
        apps = self.settings["deploy"]["apps"]  # all that a first install's result depends on
        same = json.dumps([apps, version, behaviour], sort_keys=True)
        key = hashlib.sha256(same.encode()).hexdigest()[:16] + f"-{len(self.lab.hosts)}"
        if not anew and key in self.lab.kept:
            snapshot.restore(self.lab, key)
            healthy = {host.name: "healthy" for host in self.lab.hosts}
            until("all are healthy", lambda: self.lab.health("web-lab") == healthy)
            return
        ran = self.deploy(version, "--batch", "100%", "--allow-downtime")
        assert ran.code == 0, ran.output  # noqa: S101 - a test's own precondition
        if not anew:
            snapshot.save(self.lab, key)

    def status(self) -> dict[str, Any]:
        """What `inv status --json` says."""
        ran = self.inv("status", "--env", "lab", "--json")
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def releases(self) -> dict[str, str]:
        """The version that runs, by host."""
        return {
            row["host"]: row["release"].rpartition("-")[0]
            for row in self.status()["hosts"]
            if row["app"] == "web"
        }


def until(what: str, claim: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a claim to become true, with a deadline."""
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            raise DeployError(f"not within {seconds:g} s: {what}")
        threading.Event().wait(0.1)
