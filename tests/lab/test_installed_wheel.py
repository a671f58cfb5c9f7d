"""A wheel in an empty environment, and a project with two files of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import __version__

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

ROOT = Path(__file__).parents[2]


def run(folder: Path, *words: str | Path) -> str:
    """Run a program in a folder with an environment as a new user has it; its output."""
    kept = (
        "PATH",
        "HOME",
        "LANG",
        "PIP_",
        "UV_",
        "SSL_",
        "REQUESTS_",
        "HTTP",
        "http",
        "NO_",
        "no_",
    )
    environ = {key: value for key, value in os.environ.items() if key.startswith(kept)}
    ended = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environ | {"CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, f"{words}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def build(folder: Path) -> Path:
    """Build a wheel of the working tree's tracked files."""
    source, wheels = folder / "source", folder / "wheels"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    run(
        folder, sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation",
        "--no-deps", "--wheel-dir", wheels, source,
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    return wheel


@pytest.mark.hosts(2)
def test_an_installed_wheel_deploys_by_two_lines_and_by_the_console_command(
    project: Project, lab: Lab, tmp_path: Path
) -> None:
    project.build("1.0.0")
    project.build("2.0.0")
    venv = tmp_path / "venv"
    pip = (venv / "bin" / "pip", "--quiet", "--disable-pip-version-check")
    run(tmp_path, sys.executable, "-m", "venv", venv)
    named = os.environ.get("CHANGEOVER_WHEEL")  # what is to be released: docs/releasing.md
    wheel = Path(named).resolve() if named else build(tmp_path)
    assert __version__ in wheel.name
    run(
        tmp_path, *pip, "install", "--require-hashes", "--only-binary", ":all:",
        "-r", ROOT / "requirements.lock",
    )  # fmt: skip
    run(tmp_path, *pip, "install", "--no-deps", wheel)
    run(tmp_path, venv / "bin" / "pip", "check")

    team = project.file.parent
    (team / "tasks.py").write_text('from changeover import namespace\n__all__ = ["namespace"]\n')
    assert project.file.name == "fabric.yaml"
    inv, changeover = venv / "bin" / "inv", venv / "bin" / "changeover"
    words = ("deploy", "--env", "lab", "--app", "web")
    run(team, inv, *words, "--package", "1.0.0", "--batch", "100%", "--allow-downtime")
    said = run(team, changeover, *words, "--package", "2.0.0")
    assert f"Changeover {__version__}" in said
    assert "all is well" in run(team, changeover, "status", "--env", "lab")
    assert lab.hosts
