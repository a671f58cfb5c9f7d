"""How far a run is stands beside its lock: within bounds, for its own holder alone, as text."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from lockhosts import FolderHost

from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.lock.progress import (
    MOST_BYTES,
    MOST_HOSTS,
    HostNow,
    Progress,
    believed,
)
from deploy.hosts.scripts import lock
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from pathlib import Path

TOKEN, OTHER, RUN = "a" * 32, "b" * 32, "c" * 32
FAR = Progress(
    TOKEN,
    beat=7,
    run=RUN,
    what="web 1.0.0 → 2.0.0",
    note="",
    batch=2,
    batches=6,
    ended=3,
    hosts=12,
    serving=11,
    size=12,
    minimum=10,
    seconds=130.0,
    seconds_left=240.5,
    at_work=(HostNow("web-4", "draining", "drain 40 s"),),
)
HOLDER = replace(Holder.of_this_process("ana", "deploy", 30), token=TOKEN)
LONG = HostNow("web-" + "9" * 500, "draining" * 20, "waits “" + "ü" * 900)


def line_of(**changed: object) -> str:
    """A holder's line with some fields as they should not be."""
    body = json.loads(FAR.as_line()) | changed
    return json.dumps({key: value for key, value in body.items() if value is not Ellipsis})


def test_what_is_written_is_read() -> None:
    assert Progress.parse(FAR.as_line(), TOKEN) == FAR
    assert "token" not in FAR.public()


@pytest.mark.parametrize(
    "far",
    [
        replace(FAR, at_work=(LONG,) * 40, failed=(LONG,) * 40),
        replace(FAR, what="→" * 5000, note="\x1b[31m\n" * 900),
        replace(FAR, what="\U0001f600" * 300, note="\U0001f600" * 300, at_work=(LONG,) * 12),
    ],
)
def test_however_much_is_going_on_the_line_stays_small_and_counts_what_it_leaves_out(
    far: Progress,
) -> None:
    line = far.as_line()
    assert len(line) <= MOST_BYTES
    assert line.isascii()
    assert line.isprintable()
    lock.beat_lock("lab", TOKEN, HOLDER.as_line(), line)  # raises for a line that no host may get
    shown = Progress.parse(line, TOKEN)
    assert shown
    assert len(shown.at_work) <= MOST_HOSTS
    assert len(shown.at_work) + shown.more_at_work == len(far.at_work)
    assert len(shown.failed) + shown.more_failed == len(far.failed)


BROKEN: dict[str, str] = {
    "nothing": "",
    "no JSON": "who knows",
    "a list": "[]",
    "of another holder": line_of().replace(TOKEN, OTHER),
    "two tokens": line_of().replace('"beat"', f'"token": "{OTHER}", "beat"'),
    "a later format": line_of(format=2),
    "no format": line_of(format=...),
    "a run that is none": line_of(run="../../etc"),
    "an escape": line_of(what="\x1b[2J"),
    "a text that is a number": line_of(note=3),
    "a long text": line_of(note="x" * 301),
    "a negative number": line_of(batch=-1),
    "a huge number": line_of(ended=10**9),
    "a fraction of a host": line_of(hosts=1.5),
    "a bool": line_of(hosts=True),
    "infinity": line_of(seconds=float("inf")),
    "no number": line_of(seconds=float("nan")),
    "too many hosts": line_of(at_work=[{"host": "a", "state": "b", "doing": "c"}] * 13),
    "a host that is a text": line_of(at_work=["web-1"]),
    "a host without a state": line_of(failed=[{"host": "a", "doing": "c"}]),
    "deep": '{"token": "' + TOKEN + '", "x": ' + "[" * 2000 + "]" * 2000 + "}",
    "long": line_of() + " " * 5000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_progress_is_none_and_raises_nothing(text: str) -> None:
    assert Progress.parse(text, TOKEN) is None


def test_control_a_line_that_is_whole_and_one_with_a_later_field_are_read() -> None:
    assert Progress.parse(line_of(), TOKEN) == FAR
    assert Progress.parse(line_of(mood="good"), TOKEN) == FAR, "a later version may add a field"


def test_one_of_many_hosts_never_speaks_for_the_rest() -> None:
    liar = replace(FAR, beat=99, what="web 1.0.0 → 6.6.6")
    assert believed([liar, FAR, FAR], 3) == FAR
    assert believed([liar, FAR, None], 3) is None
    older = replace(FAR, beat=6)
    assert believed([older, older, FAR, FAR], 4) in {FAR, older}
    assert believed([older] * 3 + [FAR] * 3, 5) == FAR, "the newest of those that enough show"
    assert believed([FAR], 1) == FAR


def test_the_lock_itself_is_as_versions_know_it_that_know_no_progress(tmp_path: Path) -> None:
    host = taken(tmp_path)
    assert host.ask(lock.beat_lock("lab", TOKEN, HOLDER.as_line(), FAR.as_line())) == 0
    assert Holder.parse(host.file.read_text().strip()) == HOLDER
    assert Progress.parse(host.file.with_suffix(".progress").read_text().strip(), TOKEN) == FAR


def taken(folder: Path) -> FolderHost:
    """A host whose lock is held."""
    (folder / "changeover").mkdir(parents=True)
    host = FolderHost(folder)
    assert host.ask(lock.take_lock("lab", TOKEN, HOLDER.as_line())).exit_code == 0
    return host


def test_it_is_never_written_beside_the_lock_of_another(tmp_path: Path) -> None:
    host = taken(tmp_path)
    late = replace(Holder.of_this_process("bob", "deploy", 30), token=OTHER)
    far = replace(FAR, token=OTHER)
    assert host.ask(lock.beat_lock("lab", OTHER, late.as_line(), far.as_line())) != 0
    assert not host.file.with_suffix(".progress").exists()


def test_it_goes_with_the_lock(tmp_path: Path) -> None:
    for number, end in enumerate((lock.drop_lock("lab", TOKEN), lock.break_lock("lab", TOKEN, ""))):
        host = taken(tmp_path / str(number))
        host.ask(lock.beat_lock("lab", TOKEN, HOLDER.as_line(), FAR.as_line()))
        host.ask(end)
        assert not list(host.file.parent.glob("lab.progress*"))


def test_p7_root_alone_reads_it_since_it_may_say_what_failed(tmp_path: Path) -> None:
    host = taken(tmp_path)
    host.ask(lock.beat_lock("lab", TOKEN, HOLDER.as_line(), FAR.as_line()))
    assert host.file.with_suffix(".progress").stat().st_mode & 0o077 == 0


def test_where_it_cannot_be_written_the_lock_beats_on(tmp_path: Path) -> None:
    host = taken(tmp_path)
    host.file.with_suffix(".progress.new").mkdir()
    later = replace(HOLDER, beat=1)
    assert host.ask(lock.beat_lock("lab", TOKEN, later.as_line(), FAR.as_line())) == 0
    assert Holder.parse(host.file.read_text().strip()) == later


@pytest.mark.parametrize("fails", [False, True])
def test_each_heartbeat_writes_it_and_one_without_it_is_a_heartbeat_too(
    tmp_path: Path, *, fails: bool
) -> None:
    hosts = {name: FolderHost(tmp_path / name) for name in ("host-1", "host-2", "host-3")}
    for each in hosts.values():
        each.file.parent.mkdir(parents=True)
    holder = Holder.of_this_process("ana@one", "deploy", 1)

    def line(beat: int) -> str:
        if fails:
            raise RuntimeError("a view of ours stumbled")
        return replace(FAR, token=holder.token, beat=beat).as_line()

    with Lease(Scope("lab"), cast("Any", hosts), holder) as lease:
        lease.take(0, lambda _: None)
        lease.heartbeat.progress = line
        end = time.monotonic() + 20
        while not all(is_beating(each, with_progress=not fails) for each in hosts.values()):
            assert time.monotonic() < end
            time.sleep(0.05)
        lease.confirm()


def is_beating(host: FolderHost, *, with_progress: bool) -> bool:
    """Whether a host's lock has grown, with the progress of that heartbeat or without any."""
    held = Holder.parse(host.file.read_text().strip())
    assert held
    file = host.file.with_suffix(".progress")
    if not with_progress:
        assert not file.exists()
        return held.beat >= 2
    far = Progress.parse(file.read_text().strip(), held.token) if file.exists() else None
    return held.beat >= 2 and far is not None and abs(far.beat - held.beat) <= 1


def test_a_survey_has_it_and_the_age_of_the_lock(tmp_path: Path) -> None:
    host = taken(tmp_path)
    host.ask(lock.beat_lock("lab", TOKEN, HOLDER.as_line(), FAR.as_line()))
    subprocess.run(["touch", "-d", "95 seconds ago", str(host.file)], check=True)
    facts = 'text() { printf \'%s:%s\\n\' "$1" "$(cat)"; }; fact() { echo "$1=$2"; }\n'
    printed = subprocess.run(
        ["sh", "-euc", facts + host.moved(lock.survey_lock("lab").text)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert printed[0].startswith(f"lock:{lock.head(TOKEN)}")
    assert printed[1] in {"lock_age=95", "lock_age=96", "lock_age=97"}
    assert printed[2] == f"progress:{FAR.as_line()}"
