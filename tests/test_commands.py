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

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {
    "survey_host": commands.survey_host(),
    "survey_app": commands.survey_app("web", 5000, "web@5000.service", "web", None, None),
    "survey_app, all": commands.survey_app(
        "web", 5000, "web@5000.service", "web", "old.service", "/etc/web env"
    ),
    "listeners": commands.listeners("web", 5000),
    "prepare": commands.prepare("web", "web"),
    "receive_release": commands.receive_release("web", "1.0.0-a", "web", "0" * 64),
    "verify_unit": commands.verify_unit("web@5000.service"),
    "record_out": commands.record_out("web", 5000, '{"by": "it\'s me"}'),
    "record_deployed": commands.record_deployed("web", 5000, "{}"),
    "forget_out": commands.forget_out("web", 5000),
    "stop_unit": commands.stop_unit("web@5000.service"),
    "retire_unit": commands.retire_unit("old.service"),
    "revive_unit": commands.revive_unit("old.service"),
    "switch_release": commands.switch_release("web", 5000, "1.0.0-a", "web"),
    "install_unit": commands.install_unit("web", "web@5000.service", "1.0.0-a"),
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


def test_a_switch_is_by_rename_and_only_to_a_release_that_is_there(tmp_path: Path) -> None:
    home = tmp_path / "srv/web"
    for name in ("releases/1.0.0-a", "releases/2.0.0-b", "slots"):
        (home / name).mkdir(parents=True)
    for release in ("1.0.0-a", "2.0.0-b"):
        script = moved(commands.switch_release("web", 5000, release, "root"), tmp_path)
        assert run(script).returncode == 0
        assert (home / "slots/5000").readlink().as_posix() == f"../releases/{release}"
    script = moved(commands.switch_release("web", 5000, "3.0.0-c", "root"), tmp_path)
    assert run(script).returncode != 0
    assert (home / "slots/5000").resolve().name == "2.0.0-b"
    assert [entry.name for entry in (home / "slots").iterdir()] == ["5000"]


def archive() -> tuple[bytes, str]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("web")
        entry.size, entry.mode = 3, 0o750
        tar.addfile(entry, io.BytesIO(b"run"))
    return file.getvalue(), hashlib.sha256(file.getvalue()).hexdigest()


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
    assert run(moved(commands.record_deployed("web", 5000, "{}"), tmp_path)).returncode == 0
    assert [entry.name for entry in records.iterdir()] == ["5000.deployed"]
    for _ in range(2):
        assert run(moved(commands.forget_out("web", 5000), tmp_path)).returncode == 0


def test_the_survey_reads_links_records_and_releases(tmp_path: Path) -> None:
    home = tmp_path / "srv/web"
    for name in ("releases/1.0.0-a", "slots", "records"):
        (home / name).mkdir(parents=True)
    (home / "slots/5000").symlink_to("../releases/1.0.0-a")
    (home / "records/5000.deployed").write_text('{"release": "1.0.0-a"}\n')
    script = commands.survey_app("web", 5000, "web@5000.service", "nobody", None, "/none")
    lines = run(moved(script, tmp_path)).stdout.decode().splitlines()
    assert {
        "web.link=../releases/1.0.0-a",
        "web.release=1.0.0-a",
        'web.deployed={"release": "1.0.0-a"}',
        "web.environment_file=",
    } <= set(lines)
    assert not any(line.startswith("web.out=") for line in lines)


def test_probes_print_the_code_or_zeros_where_nobody_answers() -> None:
    for build in (commands.probe_with_python, commands.probe_with_curl):
        answer = run(build(1, "/health", "example.com", 1)).stdout.decode().strip()
        assert answer in {"000", ""}
