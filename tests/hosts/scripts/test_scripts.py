"""What is typed on hosts: quoted, locked, and understood by a POSIX shell."""

from __future__ import annotations

import base64
import fcntl
import getpass
import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import run

from deploy import values
from deploy.hosts.marks import Mark
from deploy.hosts.probe.request import Request
from deploy.hosts.records import Record
from deploy.hosts.scripts import (
    base,
    connections,
    history,
    journals,
    probe,
    read,
    service,
    upload,
)
from deploy.hosts.scripts.journals import Wanted
from deploy.hosts.scripts.script import Facts, source, text_of
from deploy.hosts.ssh import framing
from deploy.survey import unit_state
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.script import Script
    from deploy.survey.slot import Slot

SCRIPTS: dict[str, str | Script[Any]] = {
    "survey_host": text_of(read.survey_host("lab")),
    "survey_app": read.survey_app("web", "web", None, None).text,
    "survey_slots": text_of(read.survey_slots([("web", 5000, "web@5000.service")])),
    "survey_app, all": read.survey_app("web", "web", "old.service", "/etc/web env").text,
    "survey_previous": read.survey_previous("web", "old.service").text,
    "survey_variables": text_of((read.survey_variables("web", "/etc/web env", (5000,), ["A"]),)),
    "survey_ties": text_of((read.survey_ties([("web.replaces", "old.service")]),)),
    "runtime": service.runtime("web", "web@5000.service", 5000),
    "connections": connections.established([80, 5000]),
    "prepare": upload.prepare("web", "web"),
    "find_contents": read.find_contents("web", "1.0.0-aaaaaaaaaaaa"),
    "receive_release": upload.receive_release("web", "1.0.0-aaaaaaaaaaaa", "web", 0, "0" * 64),
    "discard_part": upload.discard_part("web", "1.0.0-aaaaaaaaaaaa"),
    "stage_units": upload.stage_units([("web@5000.service", 9)], [("/srv/web/a b", 8)]),
    "record_out": history.record_out("web", 5000, '{"by": "it\'s me"}'),
    "record_deployed": history.record_deployed("web", 5000, "{}", "1.0.0-aaaaaaaaaaaa"),
    "forget_out": history.forget_out("web", 5000),
    "stop_unit": service.stop_unit("web@5000.service"),
    "retire_unit": service.retire_unit("old.service"),
    "revive_unit": service.revive_unit("old.service", "web@5000.service"),
    "switch_release": service.switch_release(
        "web",
        5000,
        "1.0.0-aaaaaaaaaaaa",
        "web",
        ("w.service", "d" * 12),
        ("w.service", "v.service"),
    ),
    "mark_bad": history.mark_bad("web", "1.0.0-aaaaaaaaaaaa", "it's bad"),
    "remove_releases": upload.remove_releases("web", ("1.0.0-aaaaaaaaaaaa", "1.1.0-bbbbbbbbbbbb")),
    "start_unit": service.start_unit("web@5000.service"),
    "show_unit": service.show_unit("web@5000.service"),
    "journal": service.journal("web@5000.service", 5),
    "journals": journals.last(
        Wanted(("web@5000.service",), ("old.service",), 5.0, "it's", "1.0.0"), 10
    ),
    "journals, followed": journals.following(Wanted(("web@5000.service",)), "", 5),
    "record_run": history.record_run("lab", "20261129T150405Z-0", "{}"),
    "show_runs": history.show_runs("lab"),
    "curl": probe.probe_with_curl(Request("127.0.0.1", 5000, "/?a=b&c='d'", "example.com"), 5),
    "python": probe.probe_with_python(Request("127.0.0.1", 5000, "/health", "example.com"), 5),
}


def moved(script: str | Script[Any], root: Path) -> str:
    """The script with its paths under another root, so that it can be tried here."""
    text = script if isinstance(script, str) else script.text
    return text.replace("/srv/", f"{root}/srv/")


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_is_good_shell_alone_under_the_lock_and_in_its_frame(
    script: str | Script[Any], shell: str
) -> None:
    given = script if isinstance(script, str) else script.text
    for built in (given, base.locked("web", given)):
        sent = framing.framed(built, framing.new_mark()).partition(b"\n")[2]
        for text in (built.encode(), sent):
            checked = subprocess.run([shell, "-n"], input=text, check=False, capture_output=True)
            assert (checked.returncode, checked.stderr) == (0, b"")


TOOLS = {
    "selinuxenabled": "exit $ENABLED",
    "matchpathcon": 'echo "$RULE"',
    "chcon": 'echo chcon "$@"; exit $FAILS',
}
LABELLED: dict[str, tuple[dict[str, str], str]] = {
    "no SELinux": ({"ENABLED": "1"}, ""),
    "the usual policy": ({"RULE": "system_u:object_r:var_t:s0"}, "chcon -t bin_t ./web ./bin/a b"),
    "no policy for it": ({"RULE": "<<none>>"}, "chcon -t bin_t ./web ./bin/a b"),
    "a rule of the host's own": ({"RULE": "system_u:object_r:app_t:s0"}, "chcon -R -t app_t ."),
    "a file system without labels": ({"FAILS": "1"}, "chcon -t bin_t ./web ./bin/a b"),
}


@pytest.mark.parametrize("name", LABELLED)
def test_executables_are_labelled_where_selinux_is_on(name: str, tmp_path: Path) -> None:
    """The tools stand in: no host of the lab has SELinux. A label that fails ends no upload."""
    given, expected = LABELLED[name]
    for tool, body in TOOLS.items():
        (tmp_path / tool).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / tool).chmod(0o755)
    (tmp_path / "list").write_bytes(b"./web\0./bin/a b\0")
    environ = {"ENABLED": "0", "RULE": "", "FAILS": "0"} | given
    environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    script = f"set -eu\n{source('label_files')}\nlabel_files /srv/web/releases/1 {tmp_path}/list"
    ran = run(script, environ=environ)
    assert (ran.exit_code, ran.stdout.strip()) == (0, expected)
    assert ("could not be set" in ran.stderr) is ("FAILS" in given)


LOCKED = """
import fcntl, os, stat, sys
folder = os.stat(sys.argv[1])
print(oct(stat.S_IMODE(folder.st_mode)))
with open(sys.argv[1] + "/web.lock") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("held")
"""


def test_changes_hold_the_apps_lock_in_a_folder_that_only_root_may_enter(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    program = f"{shlex.quote(sys.executable)} -c {shlex.quote(LOCKED)} {locks}"
    script = base.locked("web", program).replace(base.LOCK_FOLDER, str(locks))
    assert run(script).stdout.split() == ["0o700", "held"]


def test_a_change_waits_for_the_lock_and_says_that_it_is_busy(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    script = base.locked("web", "echo done", wait_seconds=0).replace(base.LOCK_FOLDER, str(locks))
    with (locks / "web.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run(script).exit_code == base.LOCK_BUSY
        idle = base.wait_idle("web", 0).text.replace(base.LOCK_FOLDER, str(locks))
        assert run(idle).exit_code == base.LOCK_BUSY
    assert run(script).stdout.split() == ["done"]
    assert run(idle).exit_code == 0


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("running", 0, 0),
        ("stopping", 0, 0),
        ("running", 1, 1),
        ("degraded", 1, 1),
        ("maintenance", 3, 3),
        ("stopping", 1, base.HOST_UNSETTLED),
        ("starting", 5, base.HOST_UNSETTLED),
        ("", 1, base.HOST_UNSETTLED),
        ("stopping", base.LOCK_BUSY, base.LOCK_BUSY),
        ("stopping", base.LOCK_LOST, base.LOCK_LOST),
        ("starting", base.CONTENT_DIFFERS, base.CONTENT_DIFFERS),
    ],
)
def test_what_fails_while_a_host_starts_or_stops_is_told_apart(
    state: str, code: int, expected: int, tmp_path: Path
) -> None:
    """`systemctl enable` then says: Transport endpoint is not connected."""
    told = tmp_path / "systemctl"
    told.write_text(f"#!/bin/sh\necho {state}\n")
    told.chmod(0o755)
    script = base.locked("web", f"exit {code}").replace(base.LOCK_FOLDER, str(tmp_path))
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert run(script, environ=environ).exit_code == expected


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@settings(max_examples=50)
def test_quoting_survives_any_text(text: str) -> None:
    script = f"printf %s {shlex.quote(text)} | base64 -w 0"
    assert base64.b64decode(run(script).stdout) == text.encode()


BAD_NAMES = (
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a b",
    "a\nb",
    "-rf",
    "*",
    "$(id)",
    "x" * 300,
    "é",
    "a\0b",
)


@pytest.mark.parametrize(
    "build",
    [
        base.home,
        base.lock_path,
        lambda bad: base.locked(bad, "true"),
        lambda bad: upload.prepare("web", bad),
        lambda bad: upload.receive_release("web", bad, "web", 0, "0" * 64),
        lambda bad: upload.receive_release("web", "1.0.0-aaaaaaaaaaaa", bad, 0, "0" * 64),
        lambda bad: upload.receive_release("web", "1.0.0-aaaaaaaaaaaa", "web", 0, bad),
        lambda bad: upload.discard_part("web", bad),
        lambda bad: history.record_deployed("web", 5000, "{}", bad),
        lambda bad: history.mark_bad("web", bad, "note"),
        service.stop_unit,
        service.start_unit,
        service.retire_unit,
        lambda bad: service.revive_unit(bad, "web@5000.service"),
        lambda bad: service.revive_unit("web@5000.service", bad),
        lambda bad: service.kept_unit("web", "web@5000.service", bad, "d" * 12),
        lambda bad: service.kept_unit("web", "web@5000.service", "1.0.0-aaaaaaaaaaaa", bad),
        lambda bad: upload.remove_releases("web", (bad,)),
        lambda bad: read.find_contents("web", bad),
        lambda bad: service.runtime(bad, "web@5000.service", 5000),
        lambda bad: read.survey_app(bad, "web", None, None),
        lambda bad: read.survey_previous("web", bad),
        lambda bad: read.survey_ties([("web", bad)]).text,
        lambda bad: read.survey_slots([("web", 5000, bad)]),
        lambda bad: service.journal(bad, 5),
    ],
)
def test_no_builder_takes_a_name_outside_the_grammar(build: Callable[[str], object]) -> None:
    for bad in BAD_NAMES:
        with pytest.raises(values.Malformed):
            build(bad)


ANALYZE = """#!/bin/sh
echo "$@" > {root}/asked
for file; do case $file in *.service) grep -q Retsart "$file" && echo "$file:3: Unknown key"; esac
done; exit {code}
"""


@pytest.mark.parametrize(
    ("second", "code", "ended"),
    [("Restart=no", 0, 0), ("Retsart=no", 0, base.UNIT_REFUSED), ("Restart=no", 1, 80)],
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
    sent = b"".join((*checks.values(), *texts.values()))
    ran = run(upload.stage_units(sizes[0], sizes[1]), sent, environ)
    assert ran.exit_code == ended, ran.stdout
    assert (tmp_path / "asked").read_text().count(".service") == len(checks)
    kept = {str(path): path.read_bytes() for path in tmp_path.glob("kept*")}
    assert kept == ({} if ended else texts)
    if second.startswith("Retsart"):
        assert "/web@5001.service:3: Unknown key" in ran.stdout


def home_of(root: Path, *releases: str) -> Path:
    """An app's folder with these releases, and for each a stored unit that names it."""
    home = root / "srv/web"
    for name in ("slots", "records/units", *(f"releases/{release}" for release in releases)):
        (home / name).mkdir(parents=True)
    for release in releases:
        stored(home, release).write_text(release)
    return home


def stored(home: Path, release: str) -> Path:
    digest = hashlib.sha256(release.encode()).hexdigest()
    return home / f"records/units/{release}.{digest}.web@5000.service"


def switch(root: Path, release: str) -> CommandResult:
    unit = ("web@5000.service", hashlib.sha256(release.encode()).hexdigest())
    script = service.switch_release("web", 5000, release, "root", unit, (unit[0],))
    return run(moved(script, root).replace("/etc/systemd/system", str(root)))


def test_link_and_unit_are_switched_together_and_only_to_what_is_there(tmp_path: Path) -> None:
    home = home_of(tmp_path, "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb", "2.0.0-cccccccccccc")
    for release in ("1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"):
        assert switch(tmp_path, release).exit_code == 0
        assert (home / "slots/5000").readlink().as_posix() == f"../releases/{release}"
        assert (tmp_path / "web@5000.service").read_text() == release
    stored(home, "2.0.0-cccccccccccc").unlink()
    for release in ("3.0.0-cccccccccccc", "2.0.0-cccccccccccc"):
        assert switch(tmp_path, release).exit_code != 0
        assert (home / "slots/5000").resolve().name == "2.0.0-bbbbbbbbbbbb"
        assert (tmp_path / "web@5000.service").read_text() == "2.0.0-bbbbbbbbbbbb"
    assert [entry.name for entry in (home / "slots").iterdir()] == ["5000"]


@pytest.mark.parametrize("text", ["", "1.0.0-aaaaaaaaaaaa\n[Service]\nExecStartPre=+/bin/evil\n"])
def test_a_stored_unit_that_was_changed_is_not_installed(text: str, tmp_path: Path) -> None:
    """Its name carries the digest of its text: a planted one does not match it."""
    home = home_of(tmp_path, "1.0.0-aaaaaaaaaaaa")
    stored(home, "1.0.0-aaaaaaaaaaaa").write_text(text)
    assert switch(tmp_path, "1.0.0-aaaaaaaaaaaa").exit_code == base.UNIT_CHANGED
    assert not (tmp_path / "web@5000.service").exists()
    assert not list((home / "slots").iterdir())


@pytest.mark.parametrize("order", [(5000, 5001), (5001, 5000)])
@pytest.mark.parametrize("width", [12, 64], ids=["format 0", "format 1"])
def test_the_units_of_two_slots_match_one_digest(
    width: int, order: tuple[int, int], tmp_path: Path
) -> None:
    home, release = home_of(tmp_path), "1.0.0-aaaaaaaaaaaa"
    (home / f"releases/{release}").mkdir(parents=True)
    blanks = [f"Port={port}\nEnvironment=CHANGEOVER_UNIT=\n" for port in (5000, 5001)]
    digest = hashlib.sha256("".join(blanks).encode()).hexdigest()[:width]
    for port, blank in zip((5000, 5001), blanks, strict=True):
        file = home / f"records/units/{release}.{digest}.web@{port}.service"
        file.write_text(blank.replace("UNIT=", f"UNIT={digest}"))
    names = [f"web@{port}.service" for port in order]
    for port in (5000, 5001):
        unit = (f"web@{port}.service", digest)
        script = service.switch_release("web", port, release, "root", unit, names)
        ended = run(moved(script, tmp_path).replace("/etc/systemd/system", str(tmp_path)))
        assert ended.exit_code == 0, ended.stdout


def test_a_release_that_a_slot_points_to_is_never_removed(tmp_path: Path) -> None:
    home = home_of(tmp_path, "1.0.0-aaaaaaaaaaaa", "1.0.0-abababababab", "2.0.0-bbbbbbbbbbbb")
    (home / "records/manifests").mkdir()
    for release in ("1.0.0-aaaaaaaaaaaa", "1.0.0-abababababab", "2.0.0-bbbbbbbbbbbb"):
        (home / f"records/manifests/{release}").touch()
    assert switch(tmp_path, "2.0.0-bbbbbbbbbbbb").exit_code == 0
    script = upload.remove_releases("web", ("1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"))
    assert run(moved(script, tmp_path)).exit_code == 0
    left = ["1.0.0-abababababab", "2.0.0-bbbbbbbbbbbb"]
    assert sorted(entry.name for entry in (home / "releases").iterdir()) == left
    assert sorted(entry.name for entry in (home / "records/manifests").iterdir()) == left
    assert len(list((home / "records/units").iterdir())) == 2


def test_a_torn_upload_is_removed_unless_its_release_is_coming(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    (home / "releases").mkdir()
    for coming, left in (("3.0.0-cccccccccccc", [".3.0.0-cccccccccccc.part"]), ("", [])):
        for release in ("3.0.0-cccccccccccc", "4.0.0-dddddddddddd"):
            (home / f"releases/.{release}.part/files").mkdir(parents=True, exist_ok=True)
        script = upload.remove_releases("web", (), coming)
        assert run(moved(script, tmp_path)).exit_code == 0
        assert [entry.name for entry in (home / "releases").iterdir()] == left


def test_the_note_that_a_target_is_out_falls_with_the_record(tmp_path: Path) -> None:
    records = tmp_path / "srv/web/records"
    note = '{"by": "it\'s $HOME `me`"}'
    assert run(moved(history.record_out("web", 5000, note), tmp_path)).exit_code == 0
    assert (records / "5000.out").read_text() == f"{note}\n"
    assert (
        run(moved(history.mark_bad("web", "1.0.0-aaaaaaaaaaaa", "sick"), tmp_path)).exit_code == 0
    )
    for number in range(history.HISTORY + 2):
        record = Record("1.0.0-aaaaaaaaaaaa", "d" * 12, str(number)).as_line()
        script = history.record_deployed("web", 5000, record, "1.0.0-aaaaaaaaaaaa")
        assert run(moved(script, tmp_path)).exit_code == 0
    assert [entry.name for entry in records.iterdir() if entry.is_file()] == ["history"]
    assert not list((records / "bad").iterdir())
    lines = (records / "history").read_text().splitlines()
    assert len(lines) == history.HISTORY
    assert Record.parse(lines[-1]) == Record(
        "1.0.0-aaaaaaaaaaaa", "d" * 12, str(history.HISTORY + 1)
    )
    back = Record("old-web.service", "")
    script = history.record_deployed("web", 5000, back.as_line(), back.release)
    assert run(moved(script, tmp_path)).exit_code == 0
    assert Record.parse((records / "history").read_text().splitlines()[-1]) == back
    for _ in range(2):
        assert run(moved(history.forget_out("web", 5000), tmp_path)).exit_code == 0


def test_the_survey_reads_links_records_and_releases(tmp_path: Path) -> None:
    home = tmp_path / "srv/web"
    for name in ("releases/1.0.0-aaaaaaaaaaaa", "slots", "records/manifests"):
        (home / name).mkdir(parents=True)
    (home / "slots/5000").symlink_to("../releases/1.0.0-aaaaaaaaaaaa")
    record = Record("1.0.0-aaaaaaaaaaaa", "d" * 12, "2026-11-28T06:00:00+00:00", "me@here")
    (home / "records/history").write_text(f"{record.as_line()}\n")
    (home / "records/bad").mkdir()
    (home / "records/bad/0.9.0-bbbbbbbbbbbb").write_text("sick")
    mark = Mark("1.0.0-aaaaaaaaaaaa", "d" * 12, "2026-11-29T06:00:00+00:00", "me@here", why="503")
    (home / "records/bad/1.0.0-aaaaaaaaaaaa").write_text(f"{mark.as_line()}\n")
    (home / "records/manifests/1.0.0-aaaaaaaaaaaa").write_text("")
    part = home / "releases/.2.0.0-cccccccccccc.part/files"
    part.mkdir(parents=True)
    (part / "half").write_bytes(bytes(10_000))
    slot, unknown = surveyed(tmp_path)
    assert (slot.link, slot.releases) == ("1.0.0-aaaaaaaaaaaa", ("1.0.0-aaaaaaaaaaaa",))
    assert slot.history == (record,)
    assert slot.bad == {"0.9.0-bbbbbbbbbbbb", "1.0.0-aaaaaaaaaaaa"}
    assert slot.marks == {"1.0.0-aaaaaaaaaaaa": mark}, "of what lies here"
    empty = hashlib.blake2b(digest_size=32).hexdigest()
    assert slot.manifests == {"1.0.0-aaaaaaaaaaaa": empty}
    assert (slot.has_environment_file, slot.out) == (False, "")
    assert list(slot.partial) == ["2.0.0-cccccccccccc"]
    assert 10 <= slot.partial["2.0.0-cccccccccccc"] < 100, "KiB, folders included"
    assert not unknown


def surveyed(root: Path) -> tuple[Slot, tuple[str, ...]]:
    slots = read.survey_slots([("web", 5000, "web@5000.service")])
    script = text_of((read.survey_app("web", "nobody", None, "/none"), *slots))
    facts = run(moved(script, root)).facts
    found = parse_host(builders.host(), facts, [builders.app()])
    return found.slots["web"], tuple(k for k in found.unknown if ".show." not in k)


HOSTILE = "x\nweb.release=1.0.0-bbbbbbbbbbbb\\n\\c\033]0;title\a"


def test_names_of_files_are_unknown_where_they_are_none_of_ours(tmp_path: Path) -> None:
    home = home_of(tmp_path, "1.0.0-aaaaaaaaaaaa")
    for place in (
        f"releases/{HOSTILE}",
        f"records/bad/{HOSTILE}",
        "records/manifests",
        "releases/x",
    ):
        (home / place).mkdir(parents=True)
    (home / f"records/bad/{HOSTILE}").rmdir()
    (home / f"records/bad/{HOSTILE}").touch()
    (home / f"records/manifests/{HOSTILE}").touch()
    (home / "releases/2.0.0-bbbbbbbbbbbb").symlink_to("/etc")
    (home / "slots/5000").symlink_to(f"../../../../etc/{HOSTILE}")
    (home / "records/5000.out").write_text(HOSTILE)
    slot, unknown = surveyed(tmp_path)
    assert slot.releases == ("1.0.0-aaaaaaaaaaaa",)
    assert (slot.link, slot.bad, slot.manifests, slot.out) == ("", frozenset(), {}, "?")
    assert set(unknown) == {
        "web.release",
        "web.bad",
        "web.mark",
        "web.manifest",
        "web.5000.link",
        "web.5000.out",
    }


def test_probes_print_the_code_or_zeros_where_nobody_answers() -> None:
    for build in (probe.probe_with_python, probe.probe_with_curl):
        answer = run(build(Request("127.0.0.1", 1, "/health", "x"), 1)).stdout.strip()
        assert answer in {"000", ""}


SHELLS = {
    "a wrapper": ("sh -c 'sleep 60; :'", True),
    "one that traps": ("sh -c 'trap : TERM; sleep 60; :'", False),
    "exec": ("sh -c 'exec sleep 60'", False),
    "no child": ("sh -c 'read line'", False),
}


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_that_leaves_its_children_to_be_killed_is_found(tmp_path: Path, name: str) -> None:
    """By the kernel: its program, what it catches, and who is its child."""
    command, is_found = SHELLS[name]
    process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, start_new_session=True)
    try:
        systemctl = tmp_path / "systemctl"
        systemctl.write_text(f"#!/bin/sh\necho LoadState=loaded; echo MainPID={process.pid}\n")
        systemctl.chmod(0o755)
        script = text_of(read.survey_slots([("jobs", 0, "jobs@0.service")]))
        environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

        def shells() -> list[str]:
            return Facts(run(script, environ=environ).facts).every("jobs.0.shell")

        deadline = time.monotonic() + (5 if is_found else 0.5)
        while not shells() and time.monotonic() < deadline:
            time.sleep(0.02)
        (shell,) = shells() or [""]
        assert bool(shell) is is_found
        assert shell in {"", "sh", "bash", "dash"}
    finally:
        os.killpg(process.pid, 9)
        process.communicate()


STOPPING = """#!/bin/sh
case "$1 $4" in
  "show SubState") echo {sub} ;;
  "show ActiveState") [ -f {root}/stopped ] && echo {after} || echo {before} ;;
  "show Result") [ -f {root}/stopped ] && echo {result} || echo success ;;
  stop*|disable*) touch {root}/stopped; exit {code} ;;
esac
"""
"""`systemctl show UNIT -p PROPERTY --value`, before and after a stop."""


@pytest.mark.parametrize(
    ("count", "first", "last", "shown"),
    [
        (0, 2, 3, ""),
        (1, 2, 3, "1"),
        (5, 2, 3, "1 2 3 4 5"),
        (6, 2, 3, "1 2 (1 line left out) 4 5 6"),
        (900, 2, 3, "1 2 (895 lines left out) 898 899 900"),
        (900, 0, 3, "898 899 900"),
    ],
)
def test_a_journal_has_its_first_and_its_last_lines(
    tmp_path: Path, count: int, first: int, last: int, shown: str
) -> None:
    (tmp_path / "journalctl").write_text(f"#!/bin/sh\n[ $1 = --sync ] || seq {count}\n")
    (tmp_path / "journalctl").chmod(0o755)
    script = service.journal_of("0123456789abcdef" * 2, last, first)
    ran = run(script, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert " ".join(script.parse(ran)) == shown


@pytest.mark.parametrize("build", [service.stop_unit, service.retire_unit])
@pytest.mark.parametrize(
    ("before", "sub", "result", "said"),
    [
        ("active", "running", "timeout", "timeout"),
        ("deactivating", "stop-sigterm", "timeout", "timeout"),
        ("active", "running", "oom-kill", "oom-kill"),
        ("active", "running", "success", ""),
        ("active", "running", "exit-code", ""),
        ("failed", "failed", "timeout", ""),
        ("inactive", "dead", "success", ""),
        ("activating", "start", "timeout", "timeout"),
        ("activating", "auto-restart", "signal", ""),  # it had crashed before
        ("activating", "auto-restart-queued", "signal", ""),
    ],
)
def test_p10_a_stop_that_systemd_ended_by_force_says_so(
    tmp_path: Path,
    build: Callable[[str], Script[CommandResult]],
    before: str,
    sub: str,
    result: str,
    said: str,
) -> None:
    """`systemctl stop` ends with 0 then, too."""
    fill_stopping(tmp_path, before=before, sub=sub, after="failed", result=result, code=0)
    script = unit_state.killed(build("web@5000.service"))
    ran = run(script, environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert ran.exit_code == 0
    assert script.parse(ran) == said


@pytest.mark.parametrize("build", [service.stop_unit, service.retire_unit])
def test_a_stop_that_fails_fails(
    tmp_path: Path, build: Callable[[str], Script[CommandResult]]
) -> None:
    fill_stopping(
        tmp_path, before="active", sub="running", after="active", result="success", code=5
    )
    ran = run(build("web@5000.service"), environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert ran.exit_code == 5


def fill_stopping(root: Path, **values: object) -> None:
    (root / "systemctl").write_text(STOPPING.format(root=root, **values))
    (root / "systemctl").chmod(0o755)


SHOWN = """LoadState=loaded
MainPID={pid}
FragmentPath=/etc/systemd/system/web@5000.service

LoadState=not-found
MainPID=0

LoadState=loaded
MainPID=0
"""


@pytest.mark.parametrize("name", ["a b", "x\nweb.release=", "x\n[::]:5001 ", '",pid=x,fd='])
def test_all_slots_are_looked_at_with_one_question_to_systemd_and_one_a_port_to_the_kernel(
    tmp_path: Path, name: str
) -> None:
    """As both print: a blank line between two units, and a process's name as it is."""
    pid = os.getpid()
    first = f'LISTEN 0 9 [::]:5000 [::]:* users:(("{name}",pid={pid},fd=3),("{name}",pid=1,fd=3))'
    other = f'LISTEN 0 9 [::]:5001 [::]:* users:(("{name}",pid={pid},fd=4))'
    asked = f"#!/bin/sh\necho \"$0 $*\" >> '{tmp_path}/asked'\n"
    printed = {
        "systemctl": f"cat <<'END'\n{SHOWN.format(pid=pid).rstrip()}\nEND\n",
        "ss": f"case \"$*\" in\n*:5000) cat <<'END'\n{first}\nEND\n;;\n"
        f"*:5001) cat <<'END'\n{other}\nEND\n;;\nesac\n",
    }
    for program, text in printed.items():
        (tmp_path / program).write_text(asked + text)
        (tmp_path / program).chmod(0o755)
    slots = [("web", 5000), ("web", 5001), ("api", 5100)]
    script = read.survey_slots([(app, port, f"{app}@{port}.service") for app, port in slots])
    ran = run(text_of(script), environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    facts = Facts(ran.facts)
    assert ran.stderr == ""
    assert [facts.first(f"{app}.{port}.show.LoadState") for app, port in slots] == [
        "loaded",
        "not-found",
        "loaded",
    ]
    assert facts.first("web.5000.show.MainPID") == str(pid)
    assert int(facts.first("web.5000.memory_kb")) > 1000
    assert facts.every("web.5001.memory_kb") == facts.every("api.5100.memory_kb") == []
    listening = [line.split()[0] for line in facts.every("web.5000.listener")]
    assert sorted(listening) == sorted({"1", str(pid)})
    (listener,) = facts.every("web.5001.listener")
    assert bytes.fromhex(listener.split()[1]) == Path(f"/proc/{pid}/comm").read_bytes()
    assert facts.every("api.5100.listener") == []
    assert (tmp_path / "asked").read_text().count("\n") == 1 + len(slots)


@pytest.mark.parametrize(
    "login_shell", ["sh", "bash", "dash", "mksh", "zsh", "tcsh", "csh", "fish"]
)
def test_any_login_shell_takes_the_command_as_it_is(login_shell: str) -> None:
    if not shutil.which(login_shell):
        pytest.skip(f"no {login_shell} here")
    text = "printf out; fact key 'a b'; printf \"own ! \\$x 'q'\" >&2; cat; exit 3"
    ran = run(text, stdin=b"payload", shell=login_shell)
    assert (ran.exit_code, ran.stdout.split(), ran.facts) == (3, ["out", "payload"], ("key=a b",))
    assert ran.stderr.strip() == "own ! $x 'q'"


UUTILS = Path("/usr/lib/cargo/bin/coreutils")
"""Where Debian's rust-coreutils has uutils' programs."""
INTO_THE_FOLDER = """#!/bin/sh
[ "$1" = -T ] && shift
exec /bin/mv "$@"
"""
NO_LINKS = """#!/bin/sh
[ "$1" = --version ] && echo 'mv (uutils coreutils) 0.0.30' && exit
[ -L "$3" ] && echo "mv: cannot move '$2' to '$3': Not a directory" >&2 && exit 1
exec /bin/mv "$@"
"""
NO_BITS = """#!/bin/sh
[ "$1" = --version ] && echo 'b2sum 0.0.17' && exit
[ "$1" = -l ] && echo 'error: Found argument -l' >&2 && exit 2
"""


def prepared(folder: Path, *, units: str = "", **programs: str) -> Any:
    """What staging begins with, run for this user with these programs in place of the host's.

    units: the folder that stands for that of the host's units; one of its own by default.
    """
    (folder / "bin").mkdir()
    (folder / "srv").mkdir()
    (folder / "units").mkdir()
    for name, text in programs.items():
        if text.startswith("/"):
            (folder / "bin" / name).symlink_to(text)
        else:
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
    script = moved(upload.prepare("web", getpass.getuser()), folder)
    script = script.replace("/etc/systemd/system", units or f"{folder}/units")
    ran = run(script, environ=os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}"})
    assert not (folder / "srv/web/records/.trial").exists()
    assert not list((folder / "units").iterdir())
    return ran


@pytest.mark.parametrize("umask", [0, 0o077])
def test_folders_and_units_have_the_same_modes_whatever_the_umask(
    umask: int, tmp_path: Path
) -> None:
    """Case 45: a service could not enter its release, or everybody could write to it."""
    home, release = tmp_path / "srv/web", "1.0.0-aaaaaaaaaaaa"
    before = os.umask(umask)
    try:
        assert prepared(tmp_path).exit_code == 0
        (home / "releases" / release).mkdir()
        stored(home, release).write_text(release)
        assert switch(tmp_path, release).exit_code == 0
    finally:
        os.umask(before)
    places = {
        home: 0o755,
        home / "slots": 0o755,
        home / "current": 0o755,
        home / "releases": 0o750,
        home / "records": 0o700,
        home / "records/units": 0o700,
        tmp_path / "web@5000.service": 0o644,
    }
    assert {each: stat.S_IMODE(each.stat().st_mode) for each in places} == places


def test_a_host_whose_programs_are_gnus_is_prepared(tmp_path: Path) -> None:
    assert prepared(tmp_path).exit_code == 0
    folders = sorted(str(each.relative_to(tmp_path)) for each in (tmp_path / "srv").rglob("*"))
    assert folders == [
        "srv/web",
        "srv/web/current",
        "srv/web/records",
        "srv/web/records/units",
        "srv/web/releases",
        "srv/web/slots",
    ]


def test_a_host_whose_units_cannot_be_written_says_so_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    """As on NixOS, whose /etc/systemd/system is read-only; /proc is so for root too."""
    ran = prepared(tmp_path, units="/proc/nowhere")
    assert ran.exit_code == base.UNITS_UNWRITABLE
    assert ".changeover-web.trial" in ran.stdout


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        ({"mv": INTO_THE_FOLDER}, ["mv", "mv (GNU coreutils)"]),
        ({"mv": NO_LINKS}, ["mv", "mv (uutils coreutils) 0.0.30", "mv: cannot move 'link.new'"]),
        ({"b2sum": NO_BITS}, ["b2sum", "b2sum 0.0.17", "error: Found argument -l"]),
        ({"mv": str(UUTILS / "mv")}, ["mv", "mv 0.0.17", "cannot move 'link.new'"]),
    ],
    ids=["into the folder", "no links", "no bits", "uutils"],
)
def test_a_host_that_cannot_switch_by_rename_says_so_before_anything_is_sent(
    programs: dict[str, str], said: list[str], tmp_path: Path
) -> None:
    for text in programs.values():
        if text.startswith("/") and not Path(text).exists():
            pytest.skip("rust-coreutils is not installed")
    ran = prepared(tmp_path, **programs)
    assert ran.exit_code == base.TOOLS_DIFFER
    lines = [line for line in ran.stdout.split("\n") if line]
    for line, start in zip(lines, said, strict=True):
        assert start in line


def test_a_host_says_how_many_files_it_may_make_and_which_ports_it_gives_away() -> None:
    text = text_of(read.survey_host("lab"))
    facts = dict(line.split("=", 1) for line in run(text).facts if "=" in line)
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert facts["given_ports"] == f"{low}-{high}"
    files = os.statvfs("/srv")
    assert ("free_files" in facts) is bool(files.f_files)
    if files.f_files:
        assert int(facts["free_files"]) == pytest.approx(files.f_favail, rel=0.01)


def test_a_file_system_without_a_number_of_files_has_no_limit(tmp_path: Path) -> None:
    """As btrfs, which has 0 of them."""
    for total, left in (("0", "0"), ("-", "-")):
        (tmp_path / "df").write_text(f"#!/bin/sh\necho head\necho '{total} {left}'\n")
        (tmp_path / "df").chmod(0o755)
        text = text_of(read.survey_host("lab"))
        path = f"{tmp_path}:{os.environ['PATH']}"
        ran = run(text, environ=os.environ | {"PATH": path})
        assert not any(line.startswith("free_files") for line in ran.facts)
