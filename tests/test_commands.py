"""What is typed on hosts: quoted, locked, and understood by a POSIX shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import commands, questions
from deploy.printed import parse_host
from deploy.records import Record

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = {
    "survey_host": questions.survey_host("lab"),
    "survey_app": questions.survey_app("web", "web", None, None),
    "survey_slot": questions.survey_slot("web", 5000, "web@5000.service"),
    "survey_app, all": questions.survey_app("web", "web", "old.service", "/etc/web env"),
    "listeners": questions.listeners("web", 5000),
    "connections": questions.connections(5000),
    "prepare": commands.prepare("web", "web"),
    "find_contents": questions.find_contents("web", "1.0.0-a"),
    "receive_release": commands.receive_release("web", "1.0.0-a", "web", links=0),
    "discard_part": commands.discard_part("web", "1.0.0-a"),
    "stage_units": commands.stage_units([("web@5000.service", 9)], [("/srv/web/a b", 8)]),
    "record_out": commands.record_out("web", 5000, '{"by": "it\'s me"}'),
    "record_deployed": commands.record_deployed("web", 5000, "{}", "1.0.0-a"),
    "forget_out": commands.forget_out("web", 5000),
    "stop_unit": commands.stop_unit("web@5000.service"),
    "retire_unit": commands.retire_unit("old.service"),
    "revive_unit": commands.revive_unit("old.service"),
    "switch_release": commands.switch_release("web", 5000, "1.0.0-a", "web", ("w.service", "d")),
    "mark_bad": commands.mark_bad("web", "1.0.0-a", "it's bad"),
    "remove_releases": commands.remove_releases("web", ("1.0.0-a", "1.1.0-b")),
    "start_unit": commands.start_unit("web@5000.service"),
    "show_unit": questions.show_unit("web@5000.service"),
    "journal": questions.journal("web@5000.service", 5),
    "curl": questions.probe_with_curl(5000, "/health?a=b&c='d'", "example.com", 5),
    "python": questions.probe_with_python(5000, "/health", "example.com", 5),
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
    inner = shlex.split(words[4].partition("; rc=$?;")[0])
    assert inner[:6] == ["flock", "-w", "7", "-E", "75", "/run/changeover-web.lock"]
    assert inner[6:] == ["sh", "-c", "echo 'a b'"]


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("running", 0, 0),
        ("stopping", 0, 0),
        ("running", 1, 1),
        ("degraded", 1, 1),
        ("maintenance", 3, 3),
        ("stopping", 1, commands.HOST_UNSETTLED),
        ("starting", 5, commands.HOST_UNSETTLED),
        ("", 1, commands.HOST_UNSETTLED),
        ("stopping", commands.LOCK_BUSY, commands.LOCK_BUSY),
        ("stopping", commands.LOCK_LOST, commands.LOCK_LOST),
        ("starting", commands.CONTENT_DIFFERS, commands.CONTENT_DIFFERS),
    ],
)
def test_what_fails_while_a_host_starts_or_stops_is_told_apart(
    state: str, code: int, expected: int, tmp_path: Path
) -> None:
    """`systemctl enable` then says: Transport endpoint is not connected."""
    told = tmp_path / "systemctl"
    told.write_text(f"#!/bin/sh\necho {state}\n")
    told.chmod(0o755)
    script = shlex.split(commands.locked("web", f"exit {code}"))[4]
    script = script.replace("/run/changeover-web.lock", str(tmp_path / "lock"))
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(["sh", "-c", script], env=environ, check=False)
    assert ended.returncode == expected


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_quoting_survives_any_text(text: str) -> None:
    words = shlex.split(commands.as_root(f"printf %s {shlex.quote(text)}"))
    assert shlex.split(words[-1])[-1] == text


ANALYZE = """#!/bin/sh
echo "$@" > {root}/asked
for file; do case $file in *.service) grep -q Retsart "$file" && echo "$file:3: Unknown key"; esac
done; exit {code}
"""


@pytest.mark.parametrize(
    ("second", "code", "ended"),
    [("Restart=no", 0, 0), ("Retsart=no", 0, commands.UNIT_REFUSED), ("Restart=no", 1, 80)],
    ids=["right", "a misspelt key", "an exit code"],
)
def test_units_are_judged_together_and_kept_only_if_all_are_right(
    second: str, code: int, ended: int, tmp_path: Path
) -> None:
    analyze = tmp_path / "systemd-analyze"
    analyze.write_text(ANALYZE.format(root=tmp_path, code=code))
    analyze.chmod(0o755)
    checks = {"web@5000.service": b"Restart=no", "web@5001.service": second.encode()}
    texts = {f"{tmp_path}/kept {port}": f"unit of {port}\n".encode() for port in (5000, 5001)}
    sizes = [[(name, len(text)) for name, text in each.items()] for each in (checks, texts)]
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["sh", "-c", commands.stage_units(sizes[0], sizes[1])],
        input=b"".join((*checks.values(), *texts.values())),
        env=environ,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == ended, ran.stderr
    assert (tmp_path / "asked").read_text().count(".service") == len(checks)
    kept = {str(path): path.read_bytes() for path in tmp_path.glob("kept*")}
    assert kept == ({} if ended else texts)
    if second.startswith("Retsart"):
        assert b"/web@5001.service:3: Unknown key" in ran.stdout


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
    (home / "records/manifests").mkdir()
    for release in ("1.0.0-a", "1.0.0-ab", "2.0.0-b"):
        (home / f"records/manifests/{release}").touch()
    assert switch(tmp_path, "2.0.0-b").returncode == 0
    script = commands.remove_releases("web", ("1.0.0-a", "2.0.0-b"))
    assert run(moved(script, tmp_path)).returncode == 0
    left = ["1.0.0-ab", "2.0.0-b"]
    assert sorted(entry.name for entry in (home / "releases").iterdir()) == left
    assert sorted(entry.name for entry in (home / "records/manifests").iterdir()) == left
    assert len(list((home / "records/units").iterdir())) == 2


def test_a_torn_upload_is_removed_unless_its_release_is_coming(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    (home / "releases").mkdir()
    for coming, left in (("3.0.0-c", [".3.0.0-c.part"]), ("", [])):
        for release in ("3.0.0-c", "4.0.0-d"):
            (home / f"releases/.{release}.part/files").mkdir(parents=True, exist_ok=True)
        script = commands.remove_releases("web", (), coming)
        assert run(moved(script, tmp_path)).returncode == 0
        assert [entry.name for entry in (home / "releases").iterdir()] == left


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
    part = home / "releases/.2.0.0-c.part/files"
    part.mkdir(parents=True)
    (part / "half").write_bytes(bytes(10_000))
    script = questions.survey_app("web", "nobody", None, "/none")
    script += "\n" + questions.survey_slot("web", 5000, "web@5000.service")
    lines = run(moved(script, tmp_path)).stdout.decode().splitlines()
    assert {
        "web.5000.link=../releases/1.0.0-a",
        "web.release=1.0.0-a",
        'web.history={"release": "1.0.0-a"}',
        "web.bad=0.9.0-b",
        "web.environment_file=",
    } <= set(lines)
    assert not any(line.startswith("web.5000.out=") for line in lines)
    torn = parse_host(builders.host(), "\n".join(lines), [builders.app()]).slots["web"].torn
    assert list(torn) == ["2.0.0-c"]
    assert 10 <= torn["2.0.0-c"] < 100, "KiB, folders included"


def test_probes_print_the_code_or_zeros_where_nobody_answers() -> None:
    for build in (questions.probe_with_python, questions.probe_with_curl):
        answer = run(build(1, "/health", "example.com", 1)).stdout.decode().strip()
        assert answer in {"000", ""}
