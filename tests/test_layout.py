"""The shape of the code: imports point one way, each library has one home, the CLI loads fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"

# Each module may import those of earlier lines only, annotations included.
LAYERS = (
    ("__init__", "algorithms", "connections", "errors", "findings", "manifest", "records"),
    ("commands", "retries"),
    ("document", "entries", "fence", "matcher", "release", "units", "usage"),
    ("archive", "bundle", "questions", "settings", "ssh_config"),
    ("aws", "package", "project"),
    ("balancer", "inventory", "parcel", "trust"),
    ("desk", "facts", "feed", "service_user", "ssh"),
    ("holder", "instance_identity", "lstat", "remote"),
    ("ownership", "printed", "rival"),
    ("lock",),
    ("survey",),
    ("fleet", "offers"),
    ("capacity", "steps"),
    ("enrolment", "proof", "recording", "staging", "switching"),
    ("quiet",),
    ("lanes",),
    ("advice", "fitness", "recovery", "stock"),
    ("plan",),
    ("rollback",),
    ("repair",),
    ("report", "session"),
    ("overview", "room", "tally"),
    ("walk",),
    ("executor",),
    ("tables",),
    ("watch",),
    ("console",),
    ("rollout",),
    ("verbs",),
)
HOMES = {
    "boto3": {"aws"},
    "botocore": {"aws"},
    "fabric": {"ssh", "trust"},
    "paramiko": {"remote", "ssh", "ssh_config", "trust"},
    "invoke": {"remote", "usage"},
    "rich": {"console", "tables", "watch"},
    "jinja2": {"units"},
    "pydantic": {"project", "settings"},
    "ruamel": {"document"},
    "tenacity": {"retries"},
}
MODULES = sorted(path.stem for path in DEPLOY.glob("*.py"))


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports anywhere in it: `deploy.errors`, `rich.text`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_deploy(path: Path) -> set[str]:
    """The modules of deploy/ that a file imports."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("deploy.")}
    assert names <= set(MODULES)
    return names


def test_every_module_has_its_layer() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards_only(module: str) -> None:
    place = next(number for number, layer in enumerate(LAYERS) if module in layer)
    below = {name for layer in LAYERS[:place] for name in layer}
    assert of_deploy(DEPLOY / f"{module}.py") <= below


@pytest.mark.parametrize("module", MODULES)
def test_a_third_party_library_lives_in_one_place(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports(DEPLOY / f"{module}.py")}
    foreign = tops - set(sys.stdlib_module_names) - {"deploy"}
    assert foreign <= set(HOMES)
    for library in foreign:
        assert module in HOMES[library]


def test_deploy_never_imports_the_lab_and_the_lab_only_its_errors() -> None:
    for path in DEPLOY.glob("*.py"):
        assert not any(name.partition(".")[0] == "lab" for name in imports(path))
    for path in (ROOT / "lab").glob("*.py"):
        assert of_deploy(path) <= {"errors"}


def test_the_list_of_tasks_loads_nothing_heavy() -> None:
    program = "import sys, tasks; print(*{name.partition('.')[0] for name in sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    heavy = {"boto3", "botocore", "fabric", "paramiko", "rich", "pydantic", "jinja2", "ruamel"}
    assert not loaded & (heavy | {"moto", "aiohttp"})
