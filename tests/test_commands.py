"""What is typed on hosts: quoted, locked, and understood by a POSIX shell."""

from __future__ import annotations

import hashlib
import io
import shlex
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import commands
from deploy.records import Record

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {
    "survey_host": commands.survey_host("lab"),
    "survey_app": commands.survey_app("web", "web", None, None),
    "survey_slot": commands.survey_slot("web", 5000, "web@5000.service"),
    "survey_app, all": commands.survey_app("web", "web", "old.service", "/etc/web env"),
    "listeners": commands.listeners("web", 5000),
    "connections": commands.connections(5000),
    "prepare": commands.prepare("web", "web"),
    "receive_release": commands.receive_release("web", "1.0.0-a", "web", "0" * 64),
    "verify_unit": commands.verify_unit("web@5000.service"),
    "record_out": commands.record_out("web", 5000, '{"by": "it\'s me"}'),
    "record_deployed": commands.record_deployed("web", 5000, "{}", "1.0.0-a"),
    "forget_out": commands.forget_out("web", 5000),
    "stop_unit": commands.stop_unit("web@5000.service"),
    "retire_unit": commands.retire_unit("old.service"),
    "revive_unit": commands.revive_unit("old.service"),
    "switch_release": commands.switch_release("web", 5000, "1.0.0-a", "web", ("w.service", "d")),
    "keep_unit": commands.keep_unit("/srv/web/records/units/a b"),
    "mark_bad": commands.mark_bad("web", "1.0.0-a", "it's bad"),
    "remove_releases": commands.remove_releases("web", ("1.0.0-a", "1.1.0-b")),
    "start_unit": commands.start_unit("web@5000.service"),
    "show_unit": commands.show_unit("web@5000.service"),
    "journal": commands.journal("web@5000.service", 5),
    "curl": commands.probe_with_curl(5000, "/health?a=b&c='d'", "example.com", 5),
    "python": commands.probe_with_python(5000, "/health", "example.com", 5),
}


def run(script: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", script], input=stdin, capture_output=True, check=False)


def moved(script: str, root: Path) -> str:
    """The script with its paths under another root, so that it can be tried here."""
    return script.replace("/srv/", f"{root}/srv/")


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_is_good_shell_through_both_wrappers(script: str) -> None:
    for wrapped in (script, commands.as_root(script), commands.locked("web", script)):
        checked = subprocess.run(["sh", "-n"], input=wrapped.encode(), check=False)
        assert checked.returncode == 0


def test_changes_wait_for_the_apps_lock_as_root() -> None:
    words = shlex.split(commands.locked("web", "echo 'a b'", wait_seconds=7))
    assert words[:4] == ["sudo", "-n", "sh", "-c"]
    inner = shlex.split(words[4])
    assert inner[:7] == ["exec", "flock", "-w", "7", "-E", "75", "/run/changeover-web.lock"]
    assert inner[7:] == ["sh", "-c", "echo 'a b'"]


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoting_survives_any_text(text: str) -> None:
    words = shlex.split(commands.as_root(f"printf %s {shlex.quote(text)}"))
    assert shlex.split(words[-1])[-1] == text


def home_of(root: Path, *releases: str) -> Path:
    """An app's folder with these releases, and for each a kept unit that tells its name."""
    home = root / "srv/web"
    for name in ("slots", "records/units", *(f"releases/{release}" for release in releases)):
        (home / name).mkdir(parents=True)
    for release in releases:
        (home / f"records/units/{release}.d.web@5000.service").write_text(release)
    return home


def switch(root: Path, release: str) -> subprocess.CompletedProcess[bytes]:
    unit = ("web@5000.service", "d")
    script = commands.switch_release("web", 5000, release, "root", unit)
    return run(moved(script, root).replace("/etc/systemd/system", str(root)))


def test_link_and_unit_are_switched_together_and_only_to_what_is_there(tmp_path: Path) -> None:
    home = home_of(tmp_path, "1.0.0-a", "2.0.0-b", "2.0.0-c")
    for release in ("1.0.0-a", "2.0.0-b"):
        assert switch(tmp_path, release).returncode == 0
        assert (home / "slots/5000").readlink().as_posix() == f"../releases/{release}"
        assert (tmp_path / "web@5000.service").read_text() == release
    (home / "records/units/2.0.0-c.d.web@5000.service").unlink()
    for release in ("3.0.0-c", "2.0.0-c"):
        assert switch(tmp_path, release).returncode != 0
        assert (home / "slots/5000").resolve().name == "2.0.0-b"
        assert (tmp_path / "web@5000.service").read_text() == "2.0.0-b"
    assert [entry.name for entry in (home / "slots").iterdir()] == ["5000"]


def test_a_release_that_a_slot_points_to_is_never_removed(tmp_path: Path) -> None:
    home = home_of(tmp_path, "1.0.0-a", "1.0.0-ab", "2.0.0-b")
    (home / "releases/.3.0.0-c.part").mkdir()
    assert switch(tmp_path, "2.0.0-b").returncode == 0
    script = commands.remove_releases("web", ("1.0.0-a", "2.0.0-b"))
    assert run(moved(script, tmp_path)).returncode == 0
    assert sorted(entry.name for entry in (home / "releases").iterdir()) == ["1.0.0-ab", "2.0.0-b"]
    assert len(list((home / "records/units").iterdir())) == 2


def archive() -> tuple[bytes, str]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("web")
        entry.size, entry.mode = 3, 0o750
        tar.addfile(entry, io.BytesIO(b"run"))
    return file.getvalue(), hashlib.blake2b(file.getvalue()).hexdigest()


def receive(root: Path, sent: bytes, digest: str) -> subprocess.CompletedProcess[bytes]:
    """The receiving script, tried here: its chown needs root and a user of the host."""
    script = moved(commands.receive_release("web", "1.0.0-a", "web", digest), root)
    return run(script.replace("chown ", "true "), sent)


def test_a_release_is_published_whole_and_twice_equals_once(tmp_path: Path) -> None:
    releases = tmp_path / "srv/web/releases"
    releases.mkdir(parents=True)
    sent, digest = archive()
    for _ in range(2):
        assert receive(tmp_path, sent, digest).returncode == 0
        assert [entry.name for entry in releases.iterdir()] == ["1.0.0-a"]
        assert (releases / "1.0.0-a/web").read_bytes() == b"run"


def test_a_release_cut_short_leaves_nothing(tmp_path: Path) -> None:
    releases = tmp_path / "srv/web/releases"
    releases.mkdir(parents=True)
    sent, digest = archive()
    assert receive(tmp_path, sent[:-5], digest).returncode != 0
    assert list(releases.iterdir()) == []


def test_the_note_that_a_target_is_out_falls_with_the_record(tmp_path: Path) -> None:
    records = tmp_path / "srv/web/records"
    note = '{"by": "it\'s $HOME `me`"}'
    assert run(moved(commands.record_out("web", 5000, note), tmp_path)).returncode == 0
    assert (records / "5000.out").read_text() == f"{note}\n"
    assert run(moved(commands.mark_bad("web", "1.0.0-a", "sick"), tmp_path)).returncode == 0
    for number in range(commands.HISTORY + 2):
        record = Record("1.0.0-a", "u", str(number)).as_line()
        script = commands.record_deployed("web", 5000, record, "1.0.0-a")
        assert run(moved(script, tmp_path)).returncode == 0
    assert [entry.name for entry in records.iterdir() if entry.is_file()] == ["history"]
    assert not list((records / "bad").iterdir())
    lines = (records / "history").read_text().splitlines()
    assert len(lines) == commands.HISTORY
    assert Record.parse(lines[-1]) == Record("1.0.0-a", "u", str(commands.HISTORY + 1))
    for _ in range(2):
        assert run(moved(commands.forget_out("web", 5000), tmp_path)).returncode == 0


def test_the_survey_reads_links_records_and_releases(tmp_path: Path) -> None:
    home = tmp_path / "srv/web"
    for name in ("releases/1.0.0-a", "slots", "records"):
        (home / name).mkdir(parents=True)
    (home / "slots/5000").symlink_to("../releases/1.0.0-a")
    (home / "records/history").write_text('{"release": "1.0.0-a"}\n')
    (home / "records/bad").mkdir()
    (home / "records/bad/0.9.0-b").write_text("sick")
    script = commands.survey_app("web", "nobody", None, "/none")
    script += "\n" + commands.survey_slot("web", 5000, "web@5000.service")
    lines = run(moved(script, tmp_path)).stdout.decode().splitlines()
    assert {
        "web.5000.link=../releases/1.0.0-a",
        "web.release=1.0.0-a",
        'web.history={"release": "1.0.0-a"}',
        "web.bad=0.9.0-b",
        "web.environment_file=",
    } <= set(lines)
    assert not any(line.startswith("web.5000.out=") for line in lines)


def test_probes_print_the_code_or_zeros_where_nobody_answers() -> None:
    for build in (commands.probe_with_python, commands.probe_with_curl):
        answer = run(build(1, "/health", "example.com", 1)).stdout.decode().strip()
        assert answer in {"000", ""}
