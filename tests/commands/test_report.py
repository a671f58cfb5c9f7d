"""`inv report`, from what is typed to the file and the exit code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from page import sample_runs

from deploy.commands import report as pages
from deploy.errors import BadInput
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.session.arguments import CommandOptions
from lab import terminal

ROOT = Path(__file__).parents[2]
SETTINGS = """\
deploy:
  apps:
    web: {package: web.*.zip, ports: [5000], target_group: web, command: ./web}
  environments:
    prod: {hosts: [web-1]}
    lab: {hosts: [web-1], runs: elsewhere}
    broken: {from: missing.yaml}
"""
NAME = "20261129T110000Z-0123abcd"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run of prod, and a later one of lab."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fabric.yaml").write_text(SETTINGS)
    sample_runs.written(
        tmp_path / ".changeover" / "runs" / NAME / "events.jsonl", sample_runs.failure()
    )
    later = tmp_path / "elsewhere" / "20261129T120000Z-9f000000"
    sample_runs.written(later / "events.jsonl", sample_runs.rolling())
    return tmp_path


def written(run: str | None = None, file: str | None = None, output: str | None = None) -> ExitCode:
    return pages.report(CommandOptions(""), run, file, output, no_open=True)


def test_without_an_id_it_is_the_last_run_of_all_environments(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written() is ExitCode.DONE
    page = project / "elsewhere" / "20261129T120000Z-9f000000" / "events.html"
    assert capsys.readouterr().out == f"The run's page is {page}\n"
    assert "web 2.0.0 is everywhere." in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600, "it quotes journals"
    assert sorted(each.name for each in page.parent.iterdir()) == ["events.html", "events.jsonl"]


def test_the_beginning_of_an_id_names_a_run_and_output_a_place(project: Path) -> None:
    assert written("0123", output="page.html") is ExitCode.DONE
    assert "What failed" in (project / "page.html").read_text()
    assert written("0123", output="page.html") is ExitCode.DONE, "again, over the first"


def test_a_file_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = sample_runs.written(tmp_path / "ci" / "events.jsonl", sample_runs.rolling())
    assert written(file=str(file)) is ExitCode.DONE
    assert (tmp_path / "ci" / "events.html").exists()


def damaged(tmp_path: Path, number: int, text: str) -> str:
    file = sample_runs.written(tmp_path / "events.jsonl", sample_runs.rolling())
    lines = file.read_text().splitlines(keepends=True)
    lines[number - 1] = text + "\n"
    file.write_text("".join(lines))
    return str(file)


@pytest.mark.parametrize(
    ("number", "text", "problem"),
    [
        (1, "", "line 1: this is no event: "),
        (1, "GIF89a", "line 1: this is no event: "),
        (1, '{"a": 1}', "line 1: this is no event: 'at' is missing"),
        (3, "[" * 100_000, "line 3: this is no event: "),
        (3, '{"at": "2026-11-29T11:00:00Z", "event": "rain"}', "line 3: .* is no event"),
        (7, '{"at": "2026-11-29T11:00:00Z", "event": "host_said", "host": 1, "text": "x"}',
         "line 7: host_said.host: "),
        (7, '{"at": "0001-01-01T00:00:00", "event": "lock_taken"}', "line 7: this is no event: "),
        (7, '{"at": "\x1b[31mEVIL", "event": "lock_taken"}', "line 7: this is no event: "),
        (1, '{"at": "2026-11-29T11:00:00Z", "event": "lock_taken"}',
         "line 1: begins with lock_taken, and a run's events begin with run_began"),
    ],
)  # fmt: skip
def test_a_broken_or_foreign_file_is_refused_with_its_line(
    tmp_path: Path, number: int, text: str, problem: str
) -> None:
    with pytest.raises(BadInput, match=f"^{tmp_path}/events.jsonl, {problem}") as raised:
        written(file=damaged(tmp_path, number, text))
    assert raised.value.exit_code == 2
    assert "\x1b" not in str(raised.value)
    assert not (tmp_path / "events.html").exists()


def test_a_later_format_is_named(tmp_path: Path) -> None:
    file = damaged(tmp_path, 1, (
        '{"at": "2026-11-29T11:00:00Z", "event": "run_began", "version": 9, "tool": "7.1"}'
    ))  # fmt: skip
    with pytest.raises(BadInput, match=r"a later version of Changeover wrote this \(7.1"):
        written(file=file)


def test_what_cannot_be_read_or_written_is_refused_by_name(tmp_path: Path, project: Path) -> None:
    kept = project / ".changeover" / "runs" / NAME / "events.jsonl"
    for file, problem in (
        (str(tmp_path / "none.jsonl"), "none.jsonl: does not exist"),
        (str(tmp_path), f"{tmp_path}: is no file"),
        ("/dev/zero", "/dev/zero: is no file"),
    ):
        with pytest.raises(BadInput, match=problem):
            written(file=file)
    with pytest.raises(BadInput, match="--file names a run's events, and so does its id"):
        written("0123", file=str(kept))
    for output in (str(tmp_path), str(kept)):
        with pytest.raises(BadInput, match="give a file for the page"):
            written("0123", output=output)
    with pytest.raises(BadInput, match="cannot be written: No such file or directory; --output"):
        written("0123", output=str(tmp_path / "no" / "page.html"))
    assert len(kept.read_text().splitlines()) > 40, "the events are left alone"


ODD = (
    "/",
    "",
    ".",
    "..",
    "dir/",
    "loop",
    "loop/x",
    "~unknown-user/x",
    "a" * 300,
    "x\0y",
    "\udcff/x",
)


@pytest.mark.parametrize("path", ODD, ids=ascii)
@pytest.mark.parametrize("option", ["file", "output"])
def test_odd_paths_are_refused_under_both_options(project: Path, option: str, path: str) -> None:
    (project / "dir").mkdir()
    (project / "loop").symlink_to("loop")
    run = "0123" if option == "output" else None
    with pytest.raises(BadInput):
        written(run, **{option: path})
    assert not list(project.glob("**/*.html"))


def test_a_file_of_another_size_than_a_runs_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sample_runs.written(tmp_path / "events.jsonl", sample_runs.rolling())
    monkeypatch.setattr(pages, "MOST_BYTES", 100)
    with pytest.raises(BadInput, match="has more than 100 bytes"):
        written(file=str(file))


@pytest.mark.parametrize(
    ("is_terminal", "no_open", "environ", "opens"),
    [
        (True, False, {"DISPLAY": ":0"}, True),
        (True, False, {"WAYLAND_DISPLAY": "wayland-0"}, True),
        (True, True, {"DISPLAY": ":0"}, False),
        (False, False, {"DISPLAY": ":0"}, False),
        (True, False, {}, False),
    ],
)
def test_the_page_is_opened_on_a_desktops_terminal_alone(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
    no_open: bool,
    environ: dict[str, str],
    opens: bool,
) -> None:
    for name in pages.DESKTOPS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    class Terminal(Screen):
        def __init__(self) -> None:
            super().__init__()
            self.is_terminal = is_terminal

    monkeypatch.setattr(pages, "Screen", Terminal)
    monkeypatch.setattr(sys, "platform", "linux")
    opened: list[str] = []
    pages.report(CommandOptions(""), "0123", None, "page.html", no_open, opened.append)
    assert opened == ([(project / "page.html").as_uri()] if opens else [])


def test_a_desktop_is_known_by_its_variables_or_its_system() -> None:
    assert pages.has_desktop({}, "darwin")
    assert not pages.has_desktop({"DISPLAY": ""}, "linux")


def inv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_id_is_typed_without_an_option(project: Path) -> None:
    (project / "tasks.py").write_text("from changeover import *\n")
    for words in (["0123"], ["--no-open", "0123"], ["--run", "0123"], ["--run=0123"]):
        ended = inv("report", *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert f"{NAME}/events.html" in ended.stdout
    refused = inv("report", "0123", "again")
    assert refused.returncode == 2
    assert "'again' is no option of inv report" in refused.stderr
    missing = inv("report", "abc")
    assert missing.returncode == 2
    assert missing.stderr.startswith("no run has an id that begins with abc; the last ones: ")


def test_on_a_terminal_the_message_fits_and_nothing_else_is_shown(project: Path) -> None:
    program = (
        "import sys; from deploy.session.arguments import CommandOptions\n"
        "from deploy.commands.report import report\n"
        "report(CommandOptions(''), None, sys.argv[1], sys.argv[2], False)"
    )
    events = project / ".changeover" / "runs" / NAME / "events.jsonl"
    page = project / "page.html"
    nowhere = dict.fromkeys(pages.DESKTOPS, "")
    with terminal.Session(program, str(events), str(page), environ=nowhere) as session:
        session.wait(60)
        shown = session.output
    assert "".join(shown.split("\r\n")) == f"The run's page is {page}"


def test_a_run_that_json_printed_is_a_file_too(tmp_path: Path) -> None:
    file = sample_runs.written(tmp_path / "out.jsonl", sample_runs.rolling())
    assert json.loads(file.read_text().splitlines()[0])["event"] == "run_began"
    assert written(file=str(file)) is ExitCode.DONE
    assert (tmp_path / "out.html").exists()
