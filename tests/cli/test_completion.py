"""What can be typed next: commands, options and names, without a network and whatever is broken."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from invoke.parser import Parser
from invoke.program import Program
from screen.paper_run import PaperRun, names

from deploy.cli import completion, known_names
from deploy.cli.tasks import namespace
from deploy.errors import BadInput
from deploy.events import text
from deploy.settings.environment import Environment

SETTINGS = """
deploy:
  apps:
    web: {package: web.*.zip}
    admin: {package: admin.*.zip}
  environments:
    prod: {hosts: [web-1, web-2, "web 3", "fd00::4"], apps: {web: {}}}
    staging: {hosts: {tags: {Role: web}}, runs: kept}
    lab: {from: fleet.yaml}
    "prod eu": {}
"""
COMMANDS = Parser(contexts=namespace.to_contexts()).contexts
CORE = Program(namespace=namespace).initial_context


def offered(line: str) -> tuple[str, ...]:
    return completion.candidates(line, CORE, COMMANDS)


def keep(folder: Path, run: PaperRun, began: str) -> None:
    """Write the events of a run as a deploy keeps them; the paper's own are of prod."""
    file = folder / began / "events.jsonl"
    file.parent.mkdir(parents=True)
    lines = [text.as_line(entry) for entry in run.entries()[:10]]
    file.write_text("".join(f"{line}\n" for line in lines).replace('"prod"', '"staging"'))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fabric.yaml").write_text(SETTINGS)
    (tmp_path / "fleet.yaml").write_text("hosts: [lab-1]\n")
    keep(tmp_path / "kept", PaperRun(names(2)), "20261128T100000Z-0000aaaa")
    keep(tmp_path / "kept", PaperRun(("web-3",)), "20261129T100000Z-0000bbbb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


OFFERED: list[tuple[str, set[str]]] = [
    ("inv deploy --env ", {"prod", "staging", "lab", "prod eu"}),
    ("inv deploy --env=", {"--env=prod", "--env=staging", "--env=lab", "--env=prod eu"}),
    ("inv deploy -e pr", {"prod", "staging", "lab", "prod eu"}),
    ("inv deploy --env 'prod e", {"prod", "staging", "lab", "prod eu"}),
    ("inv deploy --settings fabric.yaml --env ", {"prod", "staging", "lab", "prod eu"}),
    ("changeover rollback --env prod --app ", {"web"}),
    ("/opt/venv/bin/inv deploy --env staging --app ", {"web", "admin"}),
    ("AWS_PROFILE=x inv deploy --env 'prod eu' --app ", {"web", "admin"}),
    ("inv deploy --env prod --hosts ", {"web-1", "web-2", "web 3", "fd00::4"}),
    ("inv deploy --env prod --hosts web-1,w", {"web-1,web-2", "web-1,web 3", "web-1,fd00::4"}),
    ("inv deploy --env prod --skip-host=web-1,", {
        "--skip-host=web-1,web-2", "--skip-host=web-1,web 3", "--skip-host=web-1,fd00::4",
    }),
    ("inv observe --env prod --host web-1,", {"web-1", "web-2", "web 3", "fd00::4"}),
    ("inv status --env prod deploy --env lab --hosts ", {"lab-1"}),
    ("inv deploy --env staging --hosts ", {"web-1", "web-2", "web-3"}),
    ("inv rollback --env staging --to ", {"1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"}),
    ("inv logs --env staging --release ", {"1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"}),
    ("inv history --run ", {"0000aaaa", "0000bbbb"}),
    ("inv rollback --env prod --to ", set()),
    ("inv deploy --env prod --package ", set()),
    ("inv deploy --env nope --hosts ", set()),
    ("inv completion ", {"bash", "zsh", "fish", "--shell", "--help"}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), OFFERED, ids=[line for line, _ in OFFERED])
@pytest.mark.usefixtures("project")
def test_the_names_that_an_option_takes_are_offered(line: str, expected: set[str]) -> None:
    assert set(offered(line)) == expected


@pytest.mark.usefixtures("project")
def test_commands_come_first_and_then_their_options_that_were_not_given() -> None:
    assert set(offered("inv ")) == set(offered("inv depl")) == set(COMMANDS)
    options = set(offered("inv deploy -e prod "))
    assert {"--hosts", "--package", "--dry-run", "--help"} <= options
    assert not {"--env", "-e", "-n"} & options
    assert {"0000aaaa", "--run"} <= set(offered("inv history "))
    assert {"--list", "--help"} <= set(offered("inv --"))


def test_every_option_of_every_command_is_offered_until_it_is_given() -> None:
    for name, context in COMMANDS.items():
        for argument in context.args.values():
            long = f"--{argument.name.replace('_', '-')}"
            assert long in offered(f"inv {name} --"), (name, long)
            value = " x" if argument.takes_value else ""
            assert long not in offered(f"inv {name} {long}{value} --")


def test_every_option_whose_names_are_known_is_one() -> None:
    options = {
        arg.name.replace("_", "-") for each in COMMANDS.values() for arg in each.args.values()
    }
    known = {"env", "app", "hosts", "host", "skip-host", "to", "release", "run", "shell"}
    assert known <= options
    assert Environment.model_fields["runs"].default == known_names.RUNS


def test_a_name_that_would_act_on_a_terminal_is_not_offered(project: Path) -> None:
    (project / "fabric.yaml").write_text(
        'deploy: {environments: {"a\\e[2J": {}, "b\\nc": {}, d: {}}}'
    )
    assert offered("inv deploy --env ") == ("d",)


def ended(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask as the shell does."""
    run = "import sys; sys.argv[0] = 'changeover'; from changeover import main; main()"
    return subprocess.run(
        [sys.executable, "-c", run, "--complete", "--", *words],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


BROKEN = {
    "no YAML": b"deploy: [",
    "another form": b"deploy: {environments: [1], apps: 2}",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "other forms": b"deploy: {environments: {prod: 1, 2: [x], staging: {hosts: [1, {}], from: 3}}}",
    "nested": b"[" * 10_000,
}
LINES = ["--env ", "--env prod --app ", "--env staging --hosts ", "--env prod --to ", "'", '"\\']


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_settings_file_gives_no_error(what: str, tmp_path: Path) -> None:
    (tmp_path / "fabric.yaml").write_bytes(BROKEN[what])
    seen = ended(tmp_path, "changeover deploy --env ")
    assert (seen.returncode, seen.stderr) == (0, "")
    assert set(seen.stdout.split()) <= {"prod", "2", "staging"}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("line", LINES)
def test_what_can_be_read_of_a_broken_file_is_offered(
    what: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fabric.yaml").write_bytes(BROKEN[what])
    monkeypatch.chdir(tmp_path)
    with suppress(BadInput):
        found = set(offered(f"changeover deploy {line}"))
        assert found <= {"prod", "2", "staging", *offered("changeover deploy --")}


def test_where_there_is_no_settings_file_commands_are_offered_alone(tmp_path: Path) -> None:
    assert "deploy" in ended(tmp_path, "changeover ").stdout.split()
    assert ended(tmp_path, "changeover deploy --env ").stdout == ""


def test_broken_events_have_no_names(project: Path) -> None:
    for number, broken in enumerate(
        (b"\xff", b"{", b"[]\n", b'{"environment": "staging"', b"1\n" * 9)
    ):
        file = project / "kept" / f"20261129T12000{number}Z-0000000{number}" / "events.jsonl"
        file.parent.mkdir()
        file.write_bytes(broken)
    pipe = project / "kept" / "20261129T130000Z-00000009" / "events.jsonl"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    body = {"event": "plan_made", "environment": "staging", "hosts": [1, "web-9"], "before": 3}
    file.write_text(json.dumps(body) + "\n")
    assert set(offered("inv deploy --env staging --hosts ")) == {"web-1", "web-2", "web-3", "web-9"}


@pytest.mark.usefixtures("project")
def test_it_loads_no_more_than_the_settings_need() -> None:
    """What reads them fully takes half a second to load."""
    run = "import sys; sys.argv = ['changeover', '--complete', '--', 'changeover deploy --env ']\n"
    run += "from changeover import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    environ = {"PYTHONPATH": str(Path(__file__).parents[2])}
    loaded = subprocess.run(
        [sys.executable, "-c", run], env=environ, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "ruamel.yaml" in loaded
    assert not {"pydantic", "boto3", "paramiko", "fabric", "rich", "jinja2"} & {*loaded}


def test_names_take_at_most_150_ms_beyond_the_list_of_commands(project: Path) -> None:
    """In processor time: of three tries the best, since others use this machine too."""
    plan = PaperRun(names(1000), batch=100)
    keep(project / "kept", plan, "20261129T110000Z-0000cccc")

    def seconds(line: str) -> float:
        def spent() -> float:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime

        before = spent()
        assert ended(project, line).stdout
        return spent() - before

    tries: list[Any] = [
        (seconds("changeover deploy --env staging --hosts "), seconds("changeover deploy --"))
        for _ in range(3)
    ]
    assert min(each for each, _ in tries) - min(each for _, each in tries) < 0.15
