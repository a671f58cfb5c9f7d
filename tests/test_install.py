"""A project of one's own: its tasks.py, its settings file, and the console command."""

from __future__ import annotations

import functools
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from invoke import Call, Executor
from test_layout import imports

from deploy import __version__
from deploy.cli.options import EXAMPLES, SHORT
from deploy.cli.tasks import SCHEMA, namespace
from deploy.errors import BadInput
from deploy.settings import load, ownership

ROOT = Path(__file__).parent.parent
TWO_LINES = 'from changeover import namespace\n__all__ = ["namespace"]\n'
SETTINGS = "\n".join(load.LEAST) + "\n"
CHANGEOVER = "import sys; sys.argv[0] = '/bin/changeover'; import changeover; changeover.main()"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the clone on its path as an installed wheel would be."""
    environ = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def team(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(TWO_LINES)
    (tmp_path / "fabric.yaml").write_text(SETTINGS)
    return tmp_path


def test_two_lines_have_all_commands_and_none_of_the_labs(team: Path) -> None:
    listed = run(team, "-m", "invoke", "--list")
    assert listed.returncode == 0, listed.stderr
    names = set(re.findall(r"^  ([a-z.]+)", listed.stdout, re.MULTILINE))
    assert names >= {*EXAMPLES, "version"}
    assert not {name for name in names if name.startswith("lab")}


@pytest.mark.parametrize("words", [(), ("help",)], ids=["alone", "help"])
@pytest.mark.parametrize("program", ["inv", "changeover"])
def test_without_a_command_the_commands_are_shown(
    team: Path, program: str, words: tuple[str, ...]
) -> None:
    start = ("-m", "invoke") if program == "inv" else ("-c", CHANGEOVER)
    shown = run(team, *start, *words)
    assert shown.returncode == 0, shown.stderr
    for name in EXAMPLES:
        assert f"  {program} {name} " in shown.stdout
    assert f"Example: {program} deploy --env prod" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_the_version_is_one(team: Path) -> None:
    assert run(team, "-m", "invoke", "version").stdout == f"Changeover {__version__}\n"
    assert run(team, "-c", CHANGEOVER, "--version").stdout == f"Changeover {__version__}\n"
    assert run(team, "-c", CHANGEOVER, "version").stdout == f"Changeover {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_help_after_a_command_shows_an_example_and_the_exit_codes(
    team: Path, name: str, flag: str
) -> None:
    shown = run(team, "-c", CHANGEOVER, name, flag)
    assert shown.returncode == 0, shown.stderr
    assert f"Example: changeover {EXAMPLES[name]}" in shown.stdout
    assert "Exit codes: 0 " in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-f",), "needed value and was not given one"),
        (("-T", "abc", "version"), "an option has a wrong value: "),
        (("--list", "nope"), "Sub-collection 'nope' not found!"),
        (("-c", "nope", "version"), "No idea what '-c' is!"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_option_before_the_command_ends_with_2(
    team: Path, words: tuple[str, ...], said: str
) -> None:
    ended = run(team, "-c", CHANGEOVER, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert "See `changeover " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_tasks_file_that_fails_ends_with_2_below_its_traceback(team: Path) -> None:
    (team / "tasks.py").write_text(TWO_LINES + "import nothing_of_this_name\n")
    ended = run(team, "-m", "invoke", "version")
    assert ended.returncode == 2
    assert ended.stderr.endswith("No module named 'nothing_of_this_name'\n")


def test_control_a_task_of_the_teams_own_fails_as_ever(team: Path) -> None:
    own = "from invoke import task\n@task\ndef own(c): raise OSError\nnamespace.add_task(own)\n"
    (team / "tasks.py").write_text(TWO_LINES + own)
    ended = run(team, "-m", "invoke", "own")
    assert ended.returncode == 1
    assert ended.stderr.endswith("OSError\n")


def test_help_names_the_list_of_other_tasks_where_there_are_some(team: Path) -> None:
    assert "--list" not in run(team, "-m", "invoke", "help").stdout
    own = "from invoke import task\n@task\ndef own(c): pass\nnamespace.add_task(own)\n"
    (team / "tasks.py").write_text(TWO_LINES + own)
    assert "\nOther tasks: inv --list\n" in run(team, "-m", "invoke", "help").stdout


def test_two_commands_with_one_last_name_are_two() -> None:
    """Invoke would run one of two that it finds equal, by their name and their code."""
    one, other = namespace["status"], namespace["lock.status"]
    assert one == one  # noqa: PLR0124 - it is what is tested
    assert one != other
    assert len({one, other, namespace["status"]}) == 2
    calls = [Call(one), Call(other), Call(one)]
    assert [call.task for call in Executor(namespace).dedupe(calls)] == [one, other]


def test_short_options_are_the_same_for_every_command() -> None:
    for name in EXAMPLES:
        for argument in namespace[name].get_arguments():
            short = [each for each in argument.names if len(each) == 1]
            expected = SHORT.get(argument.attr_name or argument.name)
            assert short == ([expected] if expected else []), (name, argument.names)


@pytest.mark.parametrize("misspelt", ["--allow-downtme", "--yess", "--forse", "--allow"])
def test_no_misspelling_leads_to_an_option_that_takes_a_safeguard_away(
    team: Path, misspelt: str
) -> None:
    for name in ("deploy", "lock.break"):
        refused = run(team, "-m", "invoke", name, "--env", "prod", misspelt)
        assert refused.returncode == 2
        assert f"has no option {misspelt}\n" in refused.stderr


def test_a_folder_deploy_of_the_teams_own_is_not_taken_for_ours(team: Path) -> None:
    (team / "deploy").mkdir()
    (team / "deploy" / "__init__.py").write_text("raise SystemExit('the wrong deploy')\n")
    shown = run(team, "-m", "invoke", "version")
    assert shown.stdout == f"Changeover {__version__}\n", shown.stderr


@pytest.mark.parametrize("name", ["deploy/__init__.py", "deploy.py"])
def test_a_module_deploy_that_is_loaded_already_is_named(team: Path, name: str) -> None:
    (team / name).parent.mkdir(exist_ok=True)
    (team / name).write_text("")
    (team / "tasks.py").write_text("import deploy\n" + TWO_LINES)
    refused = run(team, "-m", "invoke", "version")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert str(team / name) in refused.stderr
    assert "import changeover before it" in refused.stderr


def test_the_settings_are_found_in_a_folder_above(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = team / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(team)
    assert load.find(None) == Path("fabric.yaml")
    monkeypatch.chdir(below)
    assert load.find(None) == Path("../../fabric.yaml")
    assert load.load(load.find(None), "prod").root == team.resolve()


@pytest.mark.parametrize("place", ["fabric.yaml", "."])
def test_a_file_above_that_anyone_can_write_is_not_read(
    team: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one in a folder where anyone can put another in its place."""
    (team / "below").mkdir()
    (team / place).chmod(0o777)
    monkeypatch.chdir(team)
    assert load.find(None) == Path("fabric.yaml"), "this folder was chosen"
    monkeypatch.chdir(team / "below")
    assert load.find("../fabric.yaml") == Path("../fabric.yaml"), "this file was chosen"
    with pytest.raises(BadInput) as refused:
        load.find(None)
    problem, remedy = str(refused.value).split("\n")
    path = (team / place).resolve()
    assert f"{path} can be changed by every user" in problem
    assert str(team / "fabric.yaml") in problem
    assert remedy == (
        f"If you trust it, name it with `--settings ../fabric.yaml`, or run `chmod o-w {path}`."
    )
    (team / place).chmod(0o1777 if place == "." else 0o644)
    assert load.find(None) == Path("../fabric.yaml"), "in /tmp, a file is its owner's"


def ids(path: Path) -> tuple[int, int]:
    """The owner and the group of a path."""
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_a_file_above_of_another_user_or_a_foreign_group_is_not_read(team: Path) -> None:
    file, (user, group) = team / "fabric.yaml", ids(team)
    ours = ownership.Trusted(frozenset({user}), frozenset({group}))
    ownership.refuse_foreign(file, "x", ours)
    with pytest.raises(BadInput, match="belongs to "):
        ownership.refuse_foreign(file, "x", ownership.Trusted(frozenset(), frozenset({group})))
    file.chmod(0o664)
    ownership.refuse_foreign(file, "x", ours)
    with pytest.raises(BadInput, match="can be changed by the group ") as refused:
        ownership.refuse_foreign(file, "x", ownership.Trusted(frozenset({user}), frozenset()))
    assert f"`chmod g-w {file}`" in str(refused.value)


def test_a_link_above_counts_with_the_place_that_it_leads_to(team: Path) -> None:
    here = ownership.Trusted.here()
    (team / "real").mkdir()
    (team / "fabric.yaml").rename(team / "real" / "fabric.yaml")
    (team / "fabric.yaml").symlink_to("real/fabric.yaml")
    ownership.refuse_foreign(team / "fabric.yaml", "x", here)
    (team / "real").chmod(0o777)
    with pytest.raises(BadInput, match="real can be changed by every user"):
        ownership.refuse_foreign(team / "fabric.yaml", "x", here)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_above_that_was_given_away_is_not_read(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (team / "below").mkdir()
    monkeypatch.chdir(team / "below")
    os.chown(team / "fabric.yaml", 65500, 0)
    with pytest.raises(BadInput, match="belongs to 65500, not to root"):
        load.find(None)
    monkeypatch.setenv("SUDO_UID", "65500")
    assert load.find(None) == Path("../fabric.yaml"), "it is of the user who typed sudo"


def test_without_settings_the_message_says_where_and_shows_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as refused:
        load.find(None)
    text = str(refused.value)
    assert str(tmp_path) in text
    shown = "\n".join(line.removeprefix("  ") for line in text.split("\n")[1:-1])
    (tmp_path / "fabric.yaml").write_text(shown)
    assert [app.name for app in load.load(Path("fabric.yaml"), "prod").apps] == ["web"]


def test_the_settings_that_were_typed_are_read(team: Path) -> None:
    """From a clone, `--settings fabric.yaml` meant the clone's own file, wherever it was typed."""
    other = team / "other"
    other.mkdir()
    (other / "fabric.yaml").write_text(SETTINGS.replace("prod:", "stage:"))
    (team / "named.yaml").write_text(SETTINGS)
    for folder, typed, said in (
        (other, "fabric.yaml", "known: stage"),
        (team, "fabric.yaml", "known: prod"),
        (team, "other/fabric.yaml", "known: stage"),
        (other, "../fabric.yaml", "known: prod"),
    ):
        words = ("status", "--env", "x", "--settings", typed)
        refused = run(folder, "-m", "invoke", *words)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert (f"Settings: {typed}\n" in refused.stderr) == (typed != "fabric.yaml")


def test_a_file_from_a_folder_above_is_named(team: Path) -> None:
    (team / "below").mkdir()
    refused = run(team / "below", "-m", "invoke", "status", "--env", "x")
    assert refused.stderr.startswith("Settings: ../fabric.yaml\n")


def test_the_wheel_has_all_that_is_read_when_a_command_runs(tmp_path: Path) -> None:
    words = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    programs = {str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/**/*.sh")}
    templates = {f"deploy/templates/{path.name}" for path in ROOT.glob("templates/*")}
    page = {f"deploy/page/page.{suffix}" for suffix in ("html", "css")}
    assert {*programs, *templates, *page, "deploy/py.typed"} <= set(
        zipfile.ZipFile(wheel).namelist()
    )
    assert programs
    assert templates


def test_the_requirements_are_those_of_the_project() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "requirements.py"))["written"]()
    assert set(written) == {f"requirements{name}.txt" for name in ("", "-dev", "-docs")}
    for name, text in written.items():
        assert (ROOT / name).read_text() == text, f"run scripts/requirements.py: {name} is stale"


DEPENDENCIES: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "dependencies"
]
CODE = [*(ROOT / "changeover").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]
BROUGHT = {"botocore": "boto3"}
"""Distributions that come with a dependency, which says in which versions they fit."""


known_distributions = functools.cache(metadata.packages_distributions)


def distributions(paths: Iterable[Path]) -> set[str]:
    """The distributions, by their names on PyPI, of what files import and Python does not have."""
    tops = {name.partition(".")[0] for path in paths for name in imports(path)}
    foreign = tops - sys.stdlib_module_names - {"changeover", "deploy"}
    known = known_distributions()
    return {known.get(top, [top])[0].lower() for top in foreign}


def undeclared(paths: Iterable[Path]) -> set[str]:
    """What files import of distributions that are no dependencies of ours."""
    declared = {re.split(r"[^\w.-]", each)[0] for each in DEPENDENCIES}
    return {each for each in distributions(paths) if BROUGHT.get(each, each) not in declared}


def test_all_that_the_code_imports_is_a_dependency() -> None:
    assert undeclared(CODE) == set()
    assert all(re.search(r">=", each) for each in DEPENDENCIES)


def test_every_dependency_is_imported() -> None:
    """One that is not would be installed, and locked, and trusted, for nothing."""
    imported = {BROUGHT.get(each, each) for each in distributions(CODE)}
    assert imported == {re.split(r"[^\w.-]", each)[0] for each in DEPENDENCIES}


def test_what_a_dependency_brings_is_required_by_it() -> None:
    for brought, by in BROUGHT.items():
        required = metadata.requires(by) or []
        assert brought in {re.split(r"[^\w.-]", each)[0] for each in required}


def test_control_an_import_that_is_no_dependency_is_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "import json, boto3, hypothesis\nfrom ruamel.yaml import YAML\n"
        "def later():\n    from jsonschema.exceptions import ValidationError\n    import absent\n"
    )
    assert undeclared([file]) == {"hypothesis", "jsonschema", "absent"}


def test_the_settings_schema_is_printed_as_it_is(team: Path) -> None:
    shown = run(team, "-c", CHANGEOVER, "schema")
    assert shown.returncode == 0
    assert shown.stdout == SCHEMA.read_text()


@pytest.mark.parametrize("script", ["lock", "oldest"])
def test_uv_is_run_without_this_machines_configuration(script: str, tmp_path: Path) -> None:
    text = (ROOT / "scripts" / script).read_text()
    assert "scripts/uv " in text
    assert not re.search(r"^\s*uv ", text, re.MULTILINE)
    (tmp_path / "uv").write_text('#!/bin/sh\necho "$@"; env\n')
    (tmp_path / "uv").chmod(0o755)
    ended = subprocess.run(
        [ROOT / "scripts" / "uv", "pip", "list"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "UV_INDEX_URL": "x", "PIP_INDEX_URL": "y"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.startswith("--no-config pip list\n")
    assert "INDEX_URL" not in ended.stdout


def test_what_makes_a_virtual_environment_installs_what_that_needs_first() -> None:
    rules = (ROOT / "Makefile").read_text().split("\n\n")
    makers = [rule for rule in rules if "-m venv" in rule]
    assert len(makers) == 2
    for rule in makers:
        first = next(line for line in rule.splitlines() if line.startswith("\t"))
        assert first == "\t@scripts/debian-packages python"
