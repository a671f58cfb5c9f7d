"""What a run came to is said in the words of its command: deployed, restarted, rolled back."""

from __future__ import annotations

import pytest

from deploy.events.event import Entry, RunBegan, RunEnded
from deploy.events.planned import PlanMade, PlannedBatch
from deploy.run.report import MEANINGS, WELL, ExitCode, Outcome
from deploy.screen.run import report
from deploy.screen.run.header import lines as header
from deploy.screen.run.line import plain
from deploy.screen.run.state import RunState
from deploy.screen.run.story import Story

RELEASE = "2.0.0-0123456789ab"
VERBS = {
    "deploy": "Deploy",
    "rollback": "Roll back",
    "restart": "Restart",
    "repair": "Repair",
    "observe": "Observe",
}


def entries(
    verb: str, outcomes: dict[str, str], code: ExitCode = ExitCode.DONE, batches: int = 1
) -> list[Entry]:
    began = RunBegan(1, "0" * 32, "0.1.0", verb, "prod", "ana@one", f"inv {verb} --env prod")
    plan = PlanMade(
        VERBS[verb],
        "",
        {"web": RELEASE},
        tuple(outcomes),
        (),
        (PlannedBatch(()),) * batches,
        before={"web": RELEASE},
    )
    ended = RunEnded(int(code), MEANINGS[code], 60.0, outcomes)
    return [Entry(0.0, began), Entry(1.0, plan), Entry(2.0, ended)]


def told(entries: list[Entry]) -> list[str]:
    story = Story()
    for entry in entries:
        story(entry)
    return [plain(line) for line in report.lines(story)]


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("deploy", f"web {RELEASE} is everywhere, 1:00 min"),
        ("rollback", f"rolled back: web {RELEASE} is everywhere, 1:00 min"),
        ("restart", f"web {RELEASE} restarted on 4 of 4 hosts, 1:00 min"),
        ("repair", "prod is as it was last deployed, 1:00 min"),
        ("observe", f"web {RELEASE} serves as before, 1:00 min"),
    ],
)
def test_the_verdict_of_a_success(verb: str, said: str) -> None:
    outcomes = dict.fromkeys(("a", "b", "c", "d"), str(Outcome.wanted(VERBS[verb])))
    lines = told(entries(verb, outcomes))
    assert lines[-1] == f"{said} (Changeover 0.1.0)"


def test_a_restart_counts_the_hosts_that_it_restarted() -> None:
    outcomes = {"a": str(Outcome.RESTARTED), "b": str(Outcome.GONE)}
    lines = told(entries("restart", outcomes))
    assert lines[-1].startswith(f"web {RELEASE} restarted on 1 of 2 hosts, ")
    assert "b: gone: its instance was terminated or is being terminated" in lines


def test_a_restart_that_failed_says_which_hosts_were_restarted() -> None:
    outcomes = {"a": str(Outcome.RESTARTED), "b": str(Outcome.OUT)}
    lines = told(entries("restart", outcomes, ExitCode.OUT_OF_SERVICE))
    assert "a: restarted" in lines
    assert "b: out of service" in lines


def test_a_rollback_without_anything_to_do_rolled_nothing_back() -> None:
    outcomes = {"a": str(Outcome.CURRENT)}
    lines = told(entries("rollback", outcomes, batches=0))
    assert lines[-1].startswith(f"web {RELEASE} is everywhere already, ")


def test_the_header_has_the_command_and_not_a_change_of_releases() -> None:
    state = RunState()
    for entry in entries("restart", {"a": "restarted"})[:-1]:
        state(entry)
    assert plain(header(state, 80, 3.0)[0]).startswith("restart web 2.0.0  ")


@pytest.mark.parametrize("outcome", sorted(WELL))
def test_no_word_of_a_success_is_an_alarm(outcome: Outcome) -> None:
    assert report.COLOURS[outcome] == ""


def test_only_a_deploy_says_that_it_deployed() -> None:
    words = {verb: str(Outcome.wanted(title)) for verb, title in VERBS.items()}
    assert words == {
        "deploy": "deployed",
        "rollback": "rolled back",
        "restart": "restarted",
        "repair": "repaired",
        "observe": "observed, and in service",
    }
