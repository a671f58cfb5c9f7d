"""The docs hold true: settings, options, commands, links, permissions and the tree of modules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_layout import HOMES, LAYERS, MODULES

import tasks
from deploy import project
from deploy.settings import GIVEN, Environment, Strict

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "packages" / "README.md"],
    key=str,
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TASKS = set(tasks.namespace.task_names)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
OPTIONS = {f"--{argument.name.replace('_', '-')}" for argument in tasks.deploy.get_arguments()}
STATUS_OPTIONS = {f"--{argument.name}" for argument in tasks.status.get_arguments()}


def page(name: str) -> str:
    return (ROOT / name).read_text()


def code(text: str) -> str:
    """What stands in code blocks and between backticks, a piece a line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def anchors(text: str) -> set[str]:
    """The headings' anchors, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture
def reference(tmp_path: Path) -> Environment:
    """fabric.yaml's example environment, every commented key of the file taken at its word."""
    comment = re.compile(r"^( *)# ( *[a-z_]+: ?.*)$", re.MULTILINE)
    file = tmp_path / "fabric.yaml"
    file.write_text(comment.sub(r"\1\2", page("fabric.yaml")))
    return project.load(file, "prod")


def test_every_key_that_fabric_yaml_comments_on_is_a_setting(reference: Environment) -> None:
    assert reference.name == "prod"
    assert reference.apps


def test_every_setting_stands_in_fabric_yaml(reference: Environment) -> None:
    web = next(app for app in reference.apps if app.name == "web")
    parts = [reference, reference.aws, reference.ssh, reference.rollout, web, web.health]
    assert web.verify
    parts.append(web.verify)
    assert isinstance(reference.hosts, Strict)
    for part in [*parts, reference.hosts]:
        missing = set(type(part).model_fields) - part.model_fields_set - GIVEN - {"window"}
        assert not missing, f"{type(part).__name__}: not in fabric.yaml: {sorted(missing)}"
    assert "# window: 2 " in page("fabric.yaml"), "beside batch, which excludes it"


@pytest.mark.parametrize("name", ["README.md", "docs/aspnetcore.md"])
def test_the_settings_shown_on_a_page_load(name: str, tmp_path: Path) -> None:
    shown = re.search(r"^```yaml\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)
    assert shown
    least = "" if "environments:" in shown[1] else "  environments:\n    prod: {hosts: [web-1]}\n"
    file = tmp_path / "fabric.yaml"
    file.write_text(shown[1] + least)
    assert [app.name for app in project.load(file, "prod").apps] == ["web"]


def test_the_table_of_deploys_options_is_whole() -> None:
    table = re.findall(r"^\| `(--[a-z-]+)` \|", page("README.md"), re.MULTILINE)
    assert sorted(table) == sorted(OPTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_exist(name: str) -> None:
    text = code(page(name))
    for program, command in re.findall(r"(?<![\w-])(inv|make) ([a-z][\w.-]*)", text):
        assert command in (TASKS if program == "inv" else TARGETS), f"{program} {command}"
    for command, rest in re.findall(r"(?:inv|fab -c tasks) (deploy|status)\b([^\n`]*)", text):
        known = OPTIONS if command == "deploy" else STATUS_OPTIONS
        assert set(re.findall(r"--[a-z][a-z-]*", rest)) <= known, rest


@pytest.mark.parametrize("name", NAMES)
def test_the_links_of_a_page_lead_somewhere(name: str) -> None:
    for path, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page(name)):
        if re.match(r"[a-z]+:", path):
            continue
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text()), f"{path}#{anchor}"


def test_contributing_fits_on_a_screen() -> None:
    assert len(page("CONTRIBUTING.md").splitlines()) <= 60


def test_the_policy_allows_the_calls_that_are_made_and_no_other() -> None:
    services = {"elbv2": "elasticloadbalancing"}
    made = set()
    for path in (ROOT / "deploy").glob("*.py"):
        text = path.read_text()
        made |= set(re.findall(r'"(sts|ec2|elbv2|autoscaling)",\s+"([a-z_]+)"', text))
        made |= {("elbv2", call) for call in re.findall(r'_write\("([a-z_]+)"', text)}
    calls = {
        f"{services.get(service, service)}:{call.title().replace('_', '')}"
        for service, call in made
    }
    block = re.search(r"```json\n(.*?)```", page("docs/permissions.md"), re.DOTALL)
    assert block
    policy = json.loads(block[1])
    allowed = [action for part in policy["Statement"] for action in part["Action"]]
    assert sorted(allowed) == sorted(calls)


def test_the_tree_names_every_module_and_each_librarys_home() -> None:
    text = page("docs/architecture.md")
    rows = dict(re.findall(r"^  (\w+)\.py +(.+)$", text, re.MULTILINE))
    assert sorted(rows) == [name for name in MODULES if name != "__init__"]
    others = {"botocore": "boto3", "ruamel": "ruamel.yaml"}
    for library, homes in HOMES.items():
        for home in homes - ({"remote"} if library == "invoke" else set()):
            assert rows[home].endswith(others.get(library, library)) or library in rows[home]


def test_the_layers_are_told_as_they_are() -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", page("docs/architecture.md"), re.DOTALL | re.MULTILINE)
    told = [[tuple(line.split(", ")) for line in block.splitlines()] for block in blocks]
    layers = [tuple(name for name in layer if name != "__init__") for layer in reversed(LAYERS)]
    assert layers in told


def test_the_figures_have_their_place() -> None:
    assert re.search(r"<!-- bench:begin -->\n.*<!-- bench:end -->", page("README.md"), re.DOTALL)
