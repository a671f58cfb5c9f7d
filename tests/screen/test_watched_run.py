"""A run that others watch: what its heartbeat says of it, and how that is shown elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import builders
import pytest

from deploy.aws.targets import GONE
from deploy.events.event import Entry
from deploy.events.user import HoldBegan, HoldEnded, HookBegan
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.progress import HostNow, Progress
from deploy.hosts.lock.watch import Life
from deploy.screen.fleet import lock_seen
from deploy.screen.fleet.changes_seen import Changes
from deploy.screen.fleet.lock_seen import HolderSeen
from deploy.screen.run.failures import NO_FURTHER
from deploy.screen.run.line import plain
from deploy.screen.status import overview
from deploy.screen.watched import view
from deploy.screen.watched.progress_note import STOPPING, ProgressNote
from screen.paper_run import AT, ERROR, PaperRun, names

if TYPE_CHECKING:
    from deploy.screen.fleet.row import Row
    from deploy.survey.facts import Survey

TOKEN, RUN = "a" * 32, "c" * 32
HOLDER = replace(Holder.of_this_process("ana@laptop", "deploy", 30), token=TOKEN)


def far_of(run: PaperRun, seconds: float) -> Progress:
    """What a heartbeat says at a moment of a run on paper, as another machine reads it."""
    note = ProgressNote(TOKEN, RUN, lambda: AT + seconds)
    for entry in run.entries():
        if entry.at <= AT + seconds:
            note(entry)
    found = Progress.parse(note.line(7), TOKEN)
    assert found
    return found


def seen(far: Progress | None = None, life: Life | None = Life.ALIVE) -> HolderSeen:
    return HolderSeen(HOLDER, ("web-1", "web-2"), is_proven=True, life=life, progress=far)


def shown(far: Progress | None, width: int = 80, most: int = 12, age: float = 0) -> list[str]:
    return [plain(each).rstrip() for each in view.lines(seen(far), width, most, age)]


def test_before_there_is_a_plan_a_heartbeat_says_nothing() -> None:
    assert not ProgressNote(TOKEN, RUN).line(1)


def test_a_heartbeat_says_how_far_the_run_is_as_its_own_screen_does() -> None:
    far = far_of(PaperRun(names(12)), 135)
    assert (far.run, far.beat, far.batches) == (RUN, 7, 6)
    assert "1.0.0 → 2.0.0" in far.what
    assert far.hosts == 12
    assert 0 < far.ended < far.hosts
    assert far.serving < far.size == 12
    assert far.seconds == 135
    assert far.seconds_left > 0
    assert far.at_work
    assert {each.state for each in far.at_work} <= {"draining", "starting", "proving", "out"}


def test_a_failed_host_is_named_with_its_cause() -> None:
    far = far_of(PaperRun(names(12), failing=frozenset({"web-3"})), 145)
    (failed,) = far.failed
    assert (failed.host, failed.state) == ("web-3", "FAILED")
    assert failed.doing


def test_the_cause_is_not_cut_where_a_second_line_has_space_for_it() -> None:
    far = far_of(PaperRun(names(12), failing=frozenset({"web-3"})), 145)
    assert f"  {ERROR}" in shown(far)
    assert any(
        line.startswith("web-3  FAILED") and line.endswith("…") for line in shown(far, most=2)
    )
    assert far.note == NO_FURTHER


def test_a_hook_that_a_batch_waits_for_is_said_to_others_too() -> None:
    run = PaperRun(names(4), gate=HookBegan("pre-batch", "", 60))
    assert far_of(run, 95).note == "waiting for hook pre-batch, at most 1 minute"
    assert not far_of(run, 120).note


def test_a_stop_and_a_pause_are_said() -> None:
    assert far_of(PaperRun(names(12), stop_at=100), 110).note == STOPPING
    note = ProgressNote(TOKEN, RUN, lambda: AT)
    for entry in PaperRun(names(4)).entries()[:4]:
        note(entry)
    note(Entry(AT, HoldBegan(1, 600, "inv promote --env prod", "inv abort --env prod")))
    held = Progress.parse(note.line(1), TOKEN)
    assert held
    assert held.note == "paused after batch 1: inv promote --env prod, or inv abort --env prod"
    note(Entry(AT, HoldEnded("promote", "ana")))
    gone = Progress.parse(note.line(2), TOKEN)
    assert gone
    assert not gone.note


@pytest.mark.parametrize("count", [4, 12, 40])
def test_it_is_drawn_within_80_columns_and_its_lines(count: int) -> None:
    lines = shown(far_of(PaperRun(names(count), batch=max(2, count // 4)), 30), most=6)
    assert all(len(line) <= 80 for line in lines), lines
    assert lines[0].startswith("deploy by ana@laptop since 20")
    assert f"/{count} hosts" in lines[1]
    assert any("about" in line and "left" in line for line in lines[:4])
    assert sum(line.startswith("web-") and "draining" in line for line in lines) <= 6


def test_the_time_runs_on_between_two_heartbeats() -> None:
    far = replace(far_of(PaperRun(names(4)), 30), seconds=60.0, seconds_left=120.0)
    assert "0:01:00" in "".join(shown(far))
    later = "".join(shown(far, age=60))
    assert "0:02:00" in later
    assert "about 1 min left" in later
    assert "left" not in "".join(shown(far, age=600)), "an estimate that is over is not shown"


def test_hosts_that_are_not_listed_are_counted() -> None:
    far = far_of(PaperRun(names(40), batch=30), 30)
    lines = shown(far, most=5)
    assert lines[-1] == "… and 25 more at work or failed"
    assert far.more_at_work == 18


def test_what_hosts_say_is_shown_as_text_and_never_acts() -> None:
    hostile = HostNow("\x1b[2Jweb", "FAILED\n", "::error::x\r")
    far = replace(far_of(PaperRun(names(4)), 30), what="\x1b]0;x\x07", failed=(hostile,))
    said = "\n".join(shown(far)) + str(seen(far))
    assert not any(character in said for character in "\x1b\r\x07")
    changes = Changes().see(seen(far), ())
    assert not any("\x1b" in each.text or "\n" in each.text for each in changes)


# --- what is new from one look to the next


def rows(survey: Survey) -> tuple[Row, ...]:
    return overview(builders.environment(), survey).rows


def test_a_line_is_said_only_when_something_is_new() -> None:
    changes, fleet = Changes(), rows(builders.survey([builders.facts(1), builders.facts(2)]))
    run = PaperRun(names(12))
    first = [each.kind for each in changes.see(seen(far_of(run, 30)), fleet)]
    assert first[:3] == ["holder", "life", "progress"]
    assert set(first[3:]) == {"host"}
    same = replace(far_of(run, 30), beat=8, seconds=33.0, seconds_left=1.0)
    assert changes.see(seen(same), fleet) == []
    later = [each.text for each in changes.see(seen(far_of(run, 135)), fleet)]
    assert any("batch" in text and "12 hosts" in text for text in later)


def test_a_target_is_said_when_it_changes() -> None:
    changes = Changes()
    hosts = [builders.facts(1), builders.facts(2)]
    assert len(changes.see(seen(), rows(builders.survey(hosts)))) == 2, "the holder, and its life"
    (change,) = changes.see(seen(), rows(builders.survey(hosts, {"host-2": GONE})))
    assert change.text == "host-2 web: target unused"
    assert json.loads(json.dumps(change.body))["state"] == "unused"


def test_a_problem_is_said_once_and_again_when_it_is_back() -> None:
    changes = Changes()
    assert [each.text for each in changes.problem("AWS is\naway")] == ["AWS is away"]
    assert changes.problem("AWS is\naway") == []
    changes.see(seen(), ())
    assert len(changes.problem("AWS is\naway")) == 1


def test_another_holder_is_news() -> None:
    changes = Changes()
    changes.see(seen(), ())
    other = seen()._replace(holder=replace(HOLDER, token="b" * 32, author="bob"))
    (holder, life) = changes.see(other, ())
    assert holder.text.startswith("another deploy took the lock over: deploy by bob since ")
    assert life.text == "that deploy is alive"


# --- what a status shows of it


def locked(far: Progress | None, ages: tuple[int | None, ...]) -> HolderSeen:
    """What a survey shows whose hosts say that the last heartbeat is so old."""
    line = far.as_line() if far else ""
    hosts = [
        builders.facts(number, lock=HOLDER.as_line(), progress=line, lock_age=age)
        for number, age in enumerate(ages, start=1)
    ]
    (held,) = lock_seen.of(builders.survey(hosts))
    return held


def test_a_status_says_at_once_what_is_known_of_a_holder() -> None:
    far = far_of(PaperRun(names(12)), 135)
    text = str(locked(far, (3, 4, 9000)))
    assert ", last heartbeat 4 s ago, not yet seen to go on; web 1.0.0 → 2.0.0" in text
    assert "batch " in text
    assert "not yet seen to go on (dead if that stays so for 30 s)" in str(
        locked(None, (95, 95, 95))
    )
    assert locked(far, (None, None, None)).silent_seconds is None


def test_one_host_alone_decides_neither_the_age_nor_the_progress() -> None:
    assert locked(None, (0, 95, 96)).silent_seconds == 95
    hosts = [builders.facts(n, lock=HOLDER.as_line()) for n in (1, 2, 3)]
    lie = far_of(PaperRun(names(12)), 30).as_line()
    (held,) = lock_seen.of(builders.survey([replace(hosts[0], progress=lie), *hosts[1:]]))
    assert held.progress is None


def test_scripts_get_the_progress_without_the_token() -> None:
    body = locked(far_of(PaperRun(names(12)), 135), (1, 1, 1)).as_json()
    assert TOKEN not in json.dumps(body)
    assert (body["silent_seconds"], body["life"]) == (1, None)
    assert isinstance(body["progress"], dict)
    assert body["progress"]["hosts"] == 12


def test_the_version_of_a_holder_is_its_own() -> None:
    """Also where hosts show different beats."""
    older = replace(HOLDER, tool_version="0.0.1")
    hosts = [
        builders.facts(n, lock=replace(older, beat=beat).as_line())
        for n, beat in enumerate((1, 2, 2), start=1)
    ]
    (held,) = lock_seen.of(builders.survey(hosts))
    assert (held.holder.tool_version, held.holder.beat) == ("0.0.1", 2)
