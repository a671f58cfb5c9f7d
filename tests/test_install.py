"""A project of one's own: its tasks.py, its settings file, and the console command."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from deploy import __version__
from deploy.cli.command import EXAMPLES, SHORT
from deploy.cli.tasks import namespace
from deploy.errors import BadInput
from deploy.settings import load

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
    assert refused.returncode != 0
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
    programs = {f"deploy/hosts/scripts/{path.name}" for path in ROOT.glob("deploy/**/*.sh")}
    templates = {f"deploy/templates/{path.name}" for path in ROOT.glob("templates/*")}
    assert {*programs, *templates, "deploy/py.typed"} <= set(zipfile.ZipFile(wheel).namelist())
    assert programs
    assert templates


def test_the_requirements_are_those_of_the_project() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "requirements.py"))["written"]()
    assert set(written) == {f"requirements{name}.txt" for name in ("", "-dev", "-docs")}
    for name, text in written.items():
        assert (ROOT / name).read_text() == text, f"run scripts/requirements.py: {name} is stale"


def test_all_that_the_code_imports_is_a_dependency() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {re.split(r"[^\w.-]", each)[0] for each in settings["project"]["dependencies"]}
    assert names >= {"boto3", "fabric", "invoke", "paramiko", "jinja2", "rich", "pydantic"}
    assert all(re.search(r">=", each) for each in settings["project"]["dependencies"])
