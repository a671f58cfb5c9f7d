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
    (
        "__init__",
        "algorithms",
        "connections",
        "endpoint",
        "foreign_text",
        "manifest",
        "scope",
        "unitfile",
        "values",
    ),
    ("errors", "findings", "framing", "streams"),
    (
        "answers",
        "checksums",
        "crowd",
        "document",
        "entries",
        "http_probe",
        "matcher",
        "minisign",
        "records",
        "release",
        "retries",
        "sandbox",
        "ssh_config",
        "template",
        "transport",
        "usage",
    ),
    ("bundle", "chronology", "folder", "rehearsal", "settings", "tar_stream", "units"),
    ("archive", "aws", "commands", "project", "trust", "verification"),
    ("balancer", "fence", "inventory", "package"),
    (
        "desk",
        "facts",
        "feed",
        "holder",
        "instance_identity",
        "parcel",
        "questions",
        "service_user",
        "ssh",
    ),
    ("capacity", "exclusion", "lstat", "offers", "printed", "remote"),
    ("fleet", "ownership", "rival"),
    ("claim", "lock_report", "steps", "survey"),
    ("enrolment", "heartbeat", "proof", "recording", "staging", "switching"),
    ("lock", "quiet"),
    ("advice", "lanes"),
    ("past", "recovery", "stock"),
    ("fitness", "plan", "undo"),
    ("question", "report", "rollback", "room", "session"),
    ("overview", "repair", "tally"),
    ("tables", "walk"),
    ("executor", "watch"),
    ("console",),
    ("rollout",),
    ("verbs",),
)
HOMES = {
    "boto3": {"aws"},
    "cryptography": {"minisign"},
    "botocore": {"aws", "transport"},
    "fabric": {"ssh", "trust"},
    "invoke": {"usage"},
    "paramiko": {"remote", "ssh", "ssh_config", "trust"},
    "rich": {"console", "tables", "watch"},
    "jinja2": {"template"},
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


# Who may write to the screen, by name: everything else goes through them.
SCREEN = {
    "print(": set[str](),
    "sys.stdout": {"question", "streams", "watch"},
    "sys.stderr": {"streams", "watch"},
    "sys.__stdout__": set(),
    "sys.__stderr__": set(),
    "os.write": {"question", "streams"},
    "Console(": {"console"},
    "Text(": {"tables"},
    "_Console(": {"console"},
    "from_markup": set(),
    "rich.print": set(),
}


def written(path: Path) -> set[str]:
    """The ways to the screen that a file uses, by the names of SCREEN."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(f"{node.func.id}(")
        elif isinstance(node, ast.Attribute):
            found |= {f"{ast.unparse(node.value)}.{node.attr}", node.attr}
    return (found | imports(path)) & SCREEN.keys()


@pytest.mark.parametrize("module", MODULES)
def test_there_is_one_way_to_the_screen(module: str) -> None:
    ways = written(DEPLOY / f"{module}.py")
    assert ways <= {way for way, homes in SCREEN.items() if module in homes}
    assert not written(ROOT / "tasks.py")


@pytest.mark.parametrize("module", MODULES)
def test_an_errors_lines_are_its_arguments(module: str) -> None:
    """A line break in one argument would be made visible, as a foreign one is."""
    for node in ast.walk(ast.parse((DEPLOY / f"{module}.py").read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised = ast.unparse(node.exc.func)
            breaks = "\\n" in ast.unparse(node.exc)
            assert raised == "Exit" or not breaks, ast.unparse(node)


def test_control_other_ways_to_the_screen_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(
        "import sys, rich\nfrom rich import print as show\nprint(1)\nsys.stdout.write('')\n"
        "Console(x)\nText(y)\nText.from_markup(y)\n"
    )
    assert written(file) == {
        "print(",
        "sys.stdout",
        "Console(",
        "Text(",
        "from_markup",
        "rich.print",
    }


def test_the_list_of_tasks_loads_nothing_heavy() -> None:
    program = "import sys, tasks; print(*{name.partition('.')[0] for name in sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    heavy = {"boto3", "botocore", "fabric", "paramiko", "rich", "pydantic", "jinja2", "ruamel"}
    assert not loaded & (heavy | {"moto", "aiohttp"})
