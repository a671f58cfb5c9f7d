"""The shape of the code: imports point one way, each library has one home, the CLI loads fast."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"

# A package imports only what stands above it, annotations included.
PACKAGES = (
    "",
    "events",
    "unit",
    "settings.units",
    "settings",
    "hooks",
    "package.signatures",
    "package",
    "package.cache",
    "aws.api",
    "aws",
    "hosts.probe",
    "front",
    "hosts.scripts",
    "hosts.refusals",
    "hosts.route",
    "hosts.ssh.openssh",
    "hosts.ssh",
    "hosts",
    "hosts.lock",
    "hosts.logbook",
    "hosts.once",
    "survey",
    "survey.units",
    "steps",
    "difference",
    "plan",
    "once",
    "recovery",
    "recovery.restarts",
    "recovery.answers",
    "observe",
    "smoke",
    "checkup",
    "checkup.doctor",
    "starter",
    "preview",
    "run",
    "screen.ci",
    "screen.fleet",
    "screen.plan",
    "screen.run",
    "screen",
    "screen.doctor",
    "screen.records",
    "screen.watched",
    "page",
    "session",
    "commands",
    "commands.looking",
    "commands.records",
    "commands.setup",
    "cli",
)
HOMES = {
    "boto3": {"aws.api.account"},
    "botocore": {
        "aws.api.account",
        "aws.api.credential_errors",
        "aws.api.credential_process",
        "aws.api.errors",
        "aws.api.sessions",
        "aws.api.transport",
    },
    "cryptography": {"hosts.ssh.openssh.private_keys", "package.signatures.minisign"},
    "fabric": {
        "hosts.ssh.connect",
        "hosts.ssh.connection",
        "hosts.ssh.fabric_keys",
        "hosts.ssh.known_hosts",
    },
    "h2": {"hosts.probe.http2"},
    "invoke": {"cli.options", "cli.invoke_patch", "cli.tasks"},
    "jinja2": {
        "page.rendering",
        "unit.template",
        "unit.template_budget",
        "unit.template_files",
        "unit.template_sandbox",
    },
    "paramiko": {
        "hosts.route.failures",
        "hosts.ssh.connect",
        "hosts.ssh.connection",
        "hosts.ssh.exchange",
        "hosts.ssh.forwarding",
        "hosts.ssh.known_hosts",
        "hosts.ssh.login",
        "hosts.ssh.openssh.agents",
        "hosts.ssh.openssh.host_certificates",
        "hosts.ssh.openssh.identities",
        "hosts.ssh.openssh.known_lines",
        "hosts.ssh.openssh.private_keys",
        "hosts.ssh.remote",
        "hosts.ssh.ssh_config",
        "hosts.ssh.transport",
    },
    "pydantic": {
        "events.text",
        "settings.app",
        "settings.base",
        "settings.environment",
        "settings.health",
        "settings.load",
        "settings.rollout",
        "settings.units.directives",
        "settings.verify",
    },
    "rich": {
        "screen.live",
        "screen.console",
        "screen.region",
        "screen.status_table",
        "screen.tables",
    },
    "ruamel": {"settings.yaml_document"},
    "tenacity": {"retry"},
}
MOST_IN_A_FOLDER = 13
MOST_LINES = 250
MOST_LEVELS = 12


def name_of(path: Path) -> str:
    """The module's dotted name below `deploy`: `hosts.ssh.remote`."""
    return ".".join(path.relative_to(DEPLOY).with_suffix("").parts)


PATHS = {name_of(path): path for path in DEPLOY.rglob("*.py") if path.stem != "__init__"}
MODULES = sorted(PATHS)


def imports(path: Path, *, loaded: bool = False) -> set[str]:
    """The dotted names that a file imports anywhere in it: `deploy.errors`, `rich.text`.

    loaded: without those for annotations alone.
    """
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    if loaded:
        tree.body = [each for each in tree.body if not isinstance(each, ast.If)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def of_deploy(path: Path, *, loaded: bool = False) -> set[str]:
    """The modules of deploy/ that a file imports."""
    named = imports(path, loaded=loaded) - {"deploy.__version__"}
    dotted = {name.removeprefix("deploy.") for name in named if name.startswith("deploy.")}
    found = {name if name in PATHS else name.rpartition(".")[0] for name in dotted}
    assert found <= set(MODULES), found - set(MODULES)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_package_imports_only_what_stands_above_it(module: str) -> None:
    own = module.rpartition(".")[0]
    allowed = PACKAGES[: PACKAGES.index(own) + 1]
    assert {name.rpartition(".")[0] for name in of_deploy(PATHS[module])} <= set(allowed)


def test_no_module_imports_itself_by_way_of_others() -> None:
    below = {module: of_deploy(PATHS[module]) for module in MODULES}
    assert list(graphlib.TopologicalSorter(below).static_order())


def test_what_is_loaded_for_a_module_is_not_stacked_high() -> None:
    """Imports for annotations alone are not loaded, and do not count."""
    level: dict[str, int] = {}
    below = {module: of_deploy(PATHS[module], loaded=True) for module in MODULES}
    for module in graphlib.TopologicalSorter(below).static_order():
        level[module] = 1 + max((level[each] for each in below[module]), default=0)
    assert max(level.values()) <= MOST_LEVELS


def test_a_folder_can_be_read_at_a_glance() -> None:
    counts = Counter(name.rpartition(".")[0] for name in MODULES)
    assert set(counts) == set(PACKAGES)
    assert max(counts.values()) <= MOST_IN_A_FOLDER


@pytest.mark.parametrize("package", [name for name in PACKAGES if name])
def test_a_package_names_its_modules_in_its_own_docstring(package: str) -> None:
    """So that the first file that a newcomer opens there says where to go on."""
    folder = DEPLOY.joinpath(*package.split("."))
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    named = set(re.findall(r"\w+", text.partition("\nMessages:\n")[0]))
    own = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == package}
    inner = {name.rpartition(".")[2] for name in PACKAGES if name.rpartition(".")[0] == package}
    assert (own | inner) - named == set()


def test_a_module_can_be_read_in_one_sitting() -> None:
    lines = {module: len(PATHS[module].read_text().splitlines()) for module in MODULES}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_third_party_library_lives_in_one_place(module: str) -> None:
    tops = {name.partition(".")[0] for name in imports(PATHS[module])}
    foreign = tops - set(sys.stdlib_module_names) - {"deploy"}
    assert foreign <= set(HOMES)
    for library in foreign:
        assert module in HOMES[library]


def test_deploy_never_imports_the_lab_and_the_lab_only_its_errors() -> None:
    for path in PATHS.values():
        assert not any(name.partition(".")[0] == "lab" for name in imports(path))
    for path in (ROOT / "lab").glob("*.py"):
        assert of_deploy(path) <= {"errors"}


# What waits for a socket, a screen or a terminal reads the machine's own time, and what compares it
# with that of AWS or of a certificate.
TIMED = {"clock", "aws.api.transport", "hosts.probe.stream", "hosts.ssh.exchange"}
TIMED |= {"hosts.ssh.remote", "screen.console", "screen.question", "screen.streams"}
TIMED |= {
    "aws.api.skew",
    "hooks.runner",
    "events.stream",
    "screen.log_lines",
    "hosts.ssh.known_hosts",
}
TIMED |= {"screen.live", "screen.watched.progress_note"}


def test_the_engine_knows_no_time_but_its_clocks() -> None:
    assert {module for module, path in PATHS.items() if "time" in imports(path)} == TIMED


def test_each_shell_program_is_sent_by_some_module_and_quoting_has_one_home() -> None:
    folder = DEPLOY / "hosts" / "scripts"
    sent: set[str] = set()
    for path in PATHS.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                name = node.args[0]
                is_sent = node.func.id in {"program", "source"}
                if is_sent and isinstance(name, ast.Constant):
                    sent.add(str(name.value))
    assert sent == {path.stem for path in folder.glob("*.sh")}
    quoting = {path.stem for path in folder.glob("*.py") if "shlex" in path.read_text()}
    assert quoting == {"script"}


# Who may write to the screen, by name: everything else goes through them.
SCREEN = {
    "print(": set[str](),
    "sys.stdout": {"screen.question", "screen.streams", "screen.region"},
    "sys.stderr": {"screen.streams", "screen.region"},
    "sys.__stdout__": set(),
    "sys.__stderr__": set(),
    "os.write": {"screen.question", "screen.streams", "screen.terminal"},
    "Console(": {"screen.console"},
    "Text(": {"screen.tables"},
    "_Console(": {"screen.console"},
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
    ways = written(PATHS[module])
    assert ways <= {way for way, homes in SCREEN.items() if module in homes}
    assert not written(ROOT / "tasks.py")
    assert not written(ROOT / "changeover" / "__init__.py")


@pytest.mark.parametrize("module", MODULES)
def test_an_errors_lines_are_its_arguments(module: str) -> None:
    """A line break in one argument would be made visible, as a foreign one is."""
    for node in ast.walk(ast.parse(PATHS[module].read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised = ast.unparse(node.exc.func)
            breaks = "\\n" in ast.unparse(node.exc)
            assert raised == "Exit" or not breaks, ast.unparse(node)


def unguarded(path: Path) -> list[int]:
    """The lines on which a path's `~` is followed and RuntimeError, for a user unknown, escapes."""
    caught: set[ast.AST] = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            names = " ".join(ast.unparse(each.type) for each in node.handlers if each.type)
        elif isinstance(node, ast.With):
            names = " ".join(ast.unparse(each.context_expr) for each in node.items)
        else:
            continue
        if "RuntimeError" in names:
            caught |= {inner for each in node.body for inner in ast.walk(each)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"expanduser", "home"}
        and ast.unparse(node.value).startswith("Path")
        and node not in caught
    ]


@pytest.mark.parametrize("module", MODULES)
def test_a_home_that_is_not_known_is_no_defect(module: str) -> None:
    """`Path.home` and `Path.expanduser` raise RuntimeError; `path_checks.expanded` says it."""
    assert not unguarded(PATHS[module])


def test_control_a_home_that_is_not_known_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "other.py"
    file.write_text(
        "Path(x).expanduser()\nPath.home()\ntry:\n    Path(x).expanduser()\n"
        "except RuntimeError:\n    Path.home()\n"
    )
    assert unguarded(file) == [1, 2, 6]


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
    heavy = {"boto3", "botocore", "fabric", "h2", "paramiko", "rich", "pydantic", "jinja2"}
    heavy |= {"ruamel"}
    assert not loaded & (heavy | {"moto", "aiohttp"})
