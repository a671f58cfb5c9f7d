"""The moments of a run: its batches, pauses, failures, hooks, and where it took another turn."""

from __future__ import annotations

from deploy.events.event import BatchBegan, Entry, Event, LockTaken, RunBegan, RunEnded, StopAsked
from deploy.events.planned import PlanMade, PlannedBatch
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HoldEnded, HookEnded
from deploy.page.lanes import Look, Mark
from deploy.page.timeline import timeline

BEGAN = RunBegan(1, "0" * 32, "0.1.0", "deploy", "prod", "ana@one", "inv deploy --env prod")
ENDED = RunEnded(0, "done", 9.0, {})
PLAN = PlanMade("Deploy", "Deploy web 2", {"web": "2"}, ("h1",), (), ())


def moments(*events: Event) -> tuple[Mark, ...]:
    """The moments of events at second 1, 2, and so on, of a run that ended."""
    entries = [Entry(1000.0 + at, event) for at, event in enumerate((BEGAN, *events, ENDED))]
    return timeline(entries).moments


def test_batches_and_turns() -> None:
    found = moments(
        BatchBegan(1, 2, ("h1", "h2")), StopAsked(15), StopAsked(99), LockTaken(), PLAN, PLAN
    )
    assert [(each.at, each.name, each.look) for each in found] == [
        (1.0, "batch 1", Look.BATCH),
        (2.0, "stop", Look.TURN),
        (3.0, "stop", Look.TURN),
        (4.0, "taken over", Look.TURN),
        (6.0, "rollback", Look.TURN),
    ]
    assert found[0].text == "batch 1 of 2 begins: h1, h2"
    assert "(SIGTERM)" in found[1].text
    assert "(signal 99)" in found[2].text


def test_a_batch_says_what_stays_in_service_and_one_of_the_rollback_is_named() -> None:
    batch = PlannedBatch((), {"web-prod": 2}, in_service={"web-prod": 3})
    plan = PlanMade("Deploy", "x", {}, (), (), (batch,), targets={"web-prod": 4})
    first, turn, back = moments(plan, BatchBegan(1, 1, ("h1",)), plan, BatchBegan(1, 1, ("h1",)))
    assert first.text == "batch 1 of 1 begins: h1; in service 3 of 4 (minimum 2)"
    assert turn.name == "rollback"
    assert (back.name, back.text.split(";")[0]) == (
        "rollback 1",
        "rollback, batch 1 of 1 begins: h1",
    )


def test_a_pause_lasts_until_a_person_decides() -> None:
    pause, decided = moments(HoldBegan(1, 600.0, "go", "end"), HoldEnded("promote", "ben"))
    assert (pause.look, pause.at, pause.until) == (Look.PAUSE, 1.0, 2.0)
    assert (
        pause.text
        == "Paused after batch 1 for 10 minutes at most: `go` lets it go on, `end` ends it."
    )
    assert (decided.name, decided.text) == ("promoted", "promote: ben")
    _, over = moments(HoldBegan(1, 0.0, "go", "end"), HoldEnded())
    assert over.name == "pause over"


def test_a_pause_that_goes_on_lasts_to_the_last_event() -> None:
    entries = [Entry(1000.0, BEGAN), Entry(1005.0, HoldBegan(1, 0, "a", "b")), Entry(1065.0, PLAN)]
    pause, last = timeline(entries).moments
    assert pause.until == 65.0
    assert (last.name, last.at) == ("last event", 65.0)


def test_hooks_are_listed_and_one_that_failed_is_marked_with_its_output() -> None:
    well, failed = moments(
        HookEnded("pre-batch", "", 0.5, "", ("tests are green",)),
        HookEnded("post-host", "h1", 1.0, "exit status 1", ("no route",)),
    )
    assert (well.look, well.details) == (Look.HOOK, ("tests are green",))
    assert well.text == "hook pre-batch ended well, in 0.5 s"
    assert (failed.look, failed.details) == (Look.HOOK_FAILED, ("no route",))
    assert failed.text == "hook post-host for h1 failed: exit status 1 (after 1.0 s)"
    entries = [Entry(1000.0, BEGAN), Entry(1001.0, HookEnded("pre-batch", "", 1.0))]
    assert [each.name for each in timeline(entries).marks] == ["last event"], "not on the axis"


def test_a_failure_is_marked_when_its_recovery_begins() -> None:
    (failed,) = moments(RecoveryBegan("h1", "prove 2", "503", goal="it goes back to 1"))
    assert (failed.name, failed.look) == ("h1 failed", Look.FAILURE)
    assert failed.text == "h1: prove 2 failed; it goes back to 1"


def test_a_run_that_was_cut_off_has_a_last_event_and_one_that_ended_has_none() -> None:
    (last,) = timeline([Entry(1000.0, BEGAN)]).moments
    assert last.name == "last event"
    assert moments() == ()
