"""A user's project on top of the lab, and the commands that the user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import packages
from lab.fleet import Lab

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 240


def set_delay(lab: Lab, group: str, seconds: int) -> None:
    elb = lab.client("elbv2")
    arn = elb.describe_target_groups(Names=[group])["TargetGroups"][0]["TargetGroupArn"]
    attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])


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
            if clock.count(":") == 2 and ": " in rest and " s" in rest:
                text, _, seconds = rest.rpartition(": ")
                if seconds.split(" ")[0].replace(".", "").isdigit():
                    done.append(text)
        return done


@dataclass
class Project:
    """A folder with a fabric.yaml and packages, and the commands that a user types in it."""

    folder: Path
    lab: Lab
    settings: dict[str, Any] = field(default_factory=dict)

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
                    }
                },
            }
        }
        made.configure()
        return made

    @property
    def file(self) -> Path:
        return self.folder / "fabric.yaml"

    def configure(self, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> None:
        """Write fabric.yaml anew, with the change made to it."""
        change(self.settings)
        with self.file.open("w") as file:
            YAML(typ="safe").dump(self.settings, file)

    @property
    def web(self) -> dict[str, Any]:
        found: dict[str, Any] = self.settings["deploy"]["apps"]["web"]
        return found

    @property
    def environment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.settings["deploy"]["environments"]["lab"]
        return found

    def build(self, version: str, name: str = "web", **more: Any) -> Path:
        return packages.build(self.folder / "packages", name, version, **more)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "invoke", *words, "--settings", str(self.file)]

    def inv(self, *words: str) -> Ran:
        """Run `inv …` as a user or a CI step would: another process, no terminal."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=clean | {"COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout + done.stderr, done.stdout)

    def deploy(self, version: str, *more: str) -> Ran:
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        return self.inv(*words, *more)

    def install(self, version: str = "1.0.0", **behaviour: Any) -> None:
        """A first install on all hosts at once."""
        self.build(version, **behaviour)
        ran = self.deploy(version, "--batch", "100%")
        assert ran.code == 0, ran.output

    def status(self) -> dict[str, Any]:
        ran = self.inv("status", "--env", "lab", "--json")
        found: dict[str, Any] = json.loads(ran.stdout)
        assert found["exit_code"] == ran.code
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
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        threading.Event().wait(0.1)
