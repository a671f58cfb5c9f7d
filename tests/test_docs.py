"""The docs hold true: settings, options, commands, links, permissions and the tree of modules."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import policy
import pytest
from ruamel.yaml import YAML
from test_layout import MODULES, PACKAGES, PATHS

import tasks
from deploy.aws import permissions
from deploy.aws.api import sessions
from deploy.cli import changing, looking
from deploy.settings import load
from deploy.settings.base import GIVEN, Strict
from deploy.settings.environment import Environment
from lab import guides

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "packages" / "README.md"],
    key=str,
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TASKS = set(tasks.namespace.task_names)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
OPTIONS = {f"--{argument.name.replace('_', '-')}" for argument in changing.deploy.get_arguments()}
STATUS_OPTIONS = {f"--{argument.name}" for argument in looking.status.get_arguments()}


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
    return load.load(file, "prod")


def test_every_wall_names_a_module_or_a_file() -> None:
    rows = re.findall(r"^\| .+ \| (`.+) \|$", page("SECURITY.md"), re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    assert len(named) > 20
    assert {name for name in named if name not in MODULES and not (ROOT / name).exists()} == set()


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
        excluded = {"window", "target_groups"} | ({"command"} if part is web.health else set())
        missing = set(type(part).model_fields) - part.model_fields_set - GIVEN - excluded
        assert not missing, f"{type(part).__name__}: not in fabric.yaml: {sorted(missing)}"
    assert "# window: 2 " in page("fabric.yaml"), "beside batch, which excludes it"
    assert "health: {command: ./jobs --check}" in page("fabric.yaml"), "a worker has it alone"
    assert "or several: target_groups: [" in page("fabric.yaml"), "in place of target_group"


SHOWN = ["quickstart", "aspnetcore", *guides.GUIDES]


@pytest.mark.parametrize("name", SHOWN)
def test_the_settings_shown_on_a_page_load(name: str, tmp_path: Path) -> None:
    text = page(f"docs/{name}.md")
    shown = re.search(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert shown
    least = "" if "environments:" in shown[1] else "  environments:\n    prod: {hosts: [web-1]}\n"
    file = tmp_path / "fabric.yaml"
    file.write_text(shown[1] + least)
    assert [app.name for app in load.load(file, "prod").apps] == ["web"]


@pytest.mark.parametrize("name", guides.GUIDES)
def test_the_example_of_a_guide_is_what_the_lab_deploys(name: str, tmp_path: Path) -> None:
    guide = guides.Guide.read(name)
    guide.write(tmp_path)
    assert guide.app["ports"]
    for file in guide.files:
        assert (tmp_path / file).stat().st_size, file


REFERENCE = runpy.run_path(str(ROOT / "scripts" / "reference.py"))


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in REFERENCE["written"]().items():
        assert page(name) == text, f"run scripts/reference.py: {name} is stale"


def test_every_setting_has_a_meaning() -> None:
    for _, _, model, _ in REFERENCE["SECTIONS"]:
        assert set(REFERENCE["meanings"](model)) == set(model.model_fields), model


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_exist(name: str) -> None:
    text = code(page(name))
    for program, command in re.findall(
        r"(?<!from )(?<![\w-])(inv|changeover|make) ([a-z][\w.-]*)", text
    ):
        assert command in (TARGETS if program == "make" else TASKS), f"{program} {command}"
    for command, rest in re.findall(
        r"(?:inv|changeover|fab -c tasks) (deploy|status)\b([^\n`]*)", text
    ):
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


def pipelines() -> dict[str, dict[str, Any]]:
    """The examples of docs/ci.md by their headings."""
    found = re.findall(
        r"^## ([^\n]+)\n+```yaml\n(.*?)^```$", page("docs/ci.md"), re.MULTILINE | re.DOTALL
    )
    return {title: YAML(typ="safe").load(text) for title, text in found}


def ci_steps() -> dict[str, dict[str, str]]:
    """By service and step: the shell lines and, in one text, all else that the step is given."""
    github = pipelines()["GitHub Actions"]["jobs"]["deploy"]["steps"]
    azure = pipelines()["Azure Pipelines"]["steps"]
    gitlab = pipelines()["GitLab"]
    found = {f"GitHub {step['name']}": step for step in github}
    found |= {f"Azure {step.get('displayName', 'checkout')}": step for step in azure}
    found |= {f"GitLab {name}": job for name, job in gitlab.items()}
    steps = {}
    for name, step in found.items():
        inputs = step.get("inputs", {})
        shell = step.get("run") or step.get("script") or inputs.get("inlineScript") or ""
        lines = shell if isinstance(shell, str) else "\n".join(shell)
        steps[name] = {"shell": lines, "given": str({**step, "run": "", "script": ""})}
    return steps


def test_ci_gives_keys_to_the_steps_that_need_them_alone() -> None:
    secret = re.compile(r"secrets\.|aws-secret|awsCredentials|id_tokens|SSH_KEY|role-to-assume")
    steps = ci_steps()
    keyed = {name for name, step in steps.items() if secret.search(step["given"] + step["shell"])}
    assert keyed == {
        "GitHub Take the role",
        "GitHub Get the package",
        "GitHub Deploy",
        "GitLab deploy",
        "Azure Deploy",
    }
    installing = {name for name, step in steps.items() if "pip install" in step["shell"]}
    assert installing == {"GitHub Install", "GitLab install", "Azure Install"}
    with_ssh_key = {n for n, step in steps.items() if "SSH_KEY" in step["given"] + step["shell"]}
    assert with_ssh_key == {"GitHub Deploy", "GitLab deploy", "Azure Deploy"}
    github = pipelines()["GitHub Actions"]
    assert "secrets." not in str(github["jobs"]["deploy"]["env"])
    assert github["permissions"] == {"contents": "read", "id-token": "write"}


def test_every_action_of_ci_is_pinned_by_its_commit() -> None:
    uses = re.findall(r"uses: (\S+)(.*)", page("docs/ci.md"))
    assert uses
    for action, rest in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.search(r"# v\d+\.\d+\.\d+$", rest), "the release that the commit belongs to"


@pytest.mark.parametrize("name", ci_steps())
def test_the_shell_of_ci_parses_and_prints_no_secret(name: str) -> None:
    shell = ci_steps()[name]["shell"]
    for program in ("bash",) if "bash" in shell else ("bash", "sh"):
        subprocess.run([program, "-n"], input=shell, text=True, check=True)
    assert not re.search(r"set -\w*x|printenv|\benv *(\n|$)|declare -p|export -p", shell)
    assert not re.search(r"\becho\b.*\$\{?(SSH_KEY|TOKEN|AWS_)", shell)
    for line in shell.splitlines():
        if re.search(r"printf.*\$\{?(SSH_KEY|TOKEN|AWS_TOKEN)", line):
            assert re.search(r"\| (ssh-add|base64)|> \"\$AWS_WEB_IDENTITY_TOKEN_FILE", line), line


def test_the_threat_model_fits_on_two_screens_and_is_linked_from_the_permissions() -> None:
    assert len(page("SECURITY.md").splitlines()) <= 150
    assert "(../SECURITY.md)" in page("docs/permissions.md")


def test_all_that_is_made_on_a_host_beside_the_apps_own_is_named() -> None:
    table = page("docs/permissions.md").partition("## What it changes on a host")[2]
    scripts = [*(ROOT / "deploy" / "hosts" / "scripts").glob("*.*")]
    texts = "\n".join(path.read_text() for path in scripts)
    made = {
        *re.findall(r"changeover-[a-z]+\.", texts),
        *re.findall(r"(?:/run|/var/lib)/[a-z]+(?:/system)?", texts),
        *re.findall(r"systemd-run|mktemp -d", texts),
    }
    assert {"changeover-rehearsal.", "changeover-start.", "/run/changeover"} <= made
    assert {each for each in made if each not in table} == set()


def test_where_sessions_are_stored_is_named() -> None:
    assert f"`{sessions.FOLDER}`" in page("docs/permissions.md")


def test_contributing_fits_on_a_screen() -> None:
    assert len(page("CONTRIBUTING.md").splitlines()) <= 60


def test_the_policy_allows_the_calls_that_are_made_and_no_other() -> None:
    services = {"elbv2": "elasticloadbalancing"}
    made = set()
    for path in (ROOT / "deploy").rglob("*.py"):
        text = path.read_text()
        made |= set(
            re.findall(r'(?<!_translating\()"(sts|ec2|elbv2|autoscaling)",\s+"([a-z_]+)"', text)
        )
        made |= {("elbv2", call) for call in re.findall(r'_write\("([a-z_]+)"', text)}
    calls = {
        f"{services.get(service, service)}:{call.title().replace('_', '')}"
        for service, call in made
    }
    allowed = [action for actions in policy.statements().values() for action in actions]
    assert sorted(allowed) == sorted(calls)


def test_the_policy_of_the_docs_is_the_one_that_is_written() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-prod/*"
    assert policy.shown() == permissions.policy([arn])


def test_the_packages_are_told_in_their_order() -> None:
    """In docs/architecture.md, where each has a paragraph, and in the package's own docstring."""
    told = "errors, retry < " + " < ".join(name for name in PACKAGES if name and "." not in name)
    text = page("docs/architecture.md")
    assert told in text
    assert told in " ".join((ROOT / "deploy" / "__init__.py").read_text().split())
    for name in PACKAGES:
        assert "." in name or f"\n- **{name or 'errors, '}" in text


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_files_that_a_contributor_is_sent_to_exist(name: str) -> None:
    sent = re.findall(r"`((?:deploy|templates|scripts|tests|lab)/[\w./-]*)`", page(name))
    assert sent
    assert [path for path in sent if not (ROOT / path).exists()] == []


def test_the_figures_have_their_place() -> None:
    text = page("docs/performance.md")
    assert re.search(r"<!-- bench:begin -->\n.*<!-- bench:end -->", text, re.DOTALL)


def test_the_readme_is_read_in_a_minute() -> None:
    assert len(page("README.md").encode()) <= 7 * 1024


RETIRED = re.compile(
    r"\b(mend\w*|told|tells|telling|enrol\w*|disgraced|torn|of before|ways? (out|back)|whoever|"
    r"nobody|somebody)\b",
    re.IGNORECASE,
)
"""Words of an older prose that readers stumbled over; each has a plain one."""


def strings(text: str) -> set[str]:
    """All strings of a module: its messages and its docstrings."""
    nodes = ast.walk(ast.parse(text))
    values = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, str)}


@pytest.mark.parametrize("name", [*NAMES, "fabric.yaml"])
def test_the_docs_are_in_plain_english(name: str) -> None:
    assert [found[0] for found in RETIRED.finditer(page(name))] == []


@pytest.mark.parametrize("module", MODULES)
def test_messages_and_docstrings_are_in_plain_english(module: str) -> None:
    text = PATHS[module].read_text()
    found = {value: match[0] for value in strings(text) if (match := RETIRED.search(value))}
    assert found == {}


WORKSHOP = [
    path.relative_to(ROOT).as_posix()
    for folder in ("audit", "bench", "changeover", "faults", "lab", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
"""What measures and tries the product."""


@pytest.mark.parametrize("name", WORKSHOP)
def test_what_measures_and_tries_is_in_plain_english(name: str) -> None:
    text = (ROOT / name).read_text()
    found = {value: match[0] for value in strings(text) if (match := RETIRED.search(value))}
    assert found == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_message_that_names_a_page_says_where_it_is(module: str) -> None:
    """A wheel has no docs/."""
    text = PATHS[module].read_text()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr)]
    docstrings = {node.value.value for node in nodes if isinstance(node.value, ast.Constant)}
    named = {value for value in strings(text) - docstrings if "docs/" in value}
    assert {value for value in named if "in Changeover's repository" not in value} == set()


def test_control_a_retired_word_is_found() -> None:
    assert strings('def f():\n    """Told."""\n    raise E(f"mend {x}")\n') == {"Told.", "mend "}
    assert RETIRED.search("mend ")
    assert RETIRED.search("Told.")
