"""How hosts end is said in the words of the command, whichever way they were finished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.events.event import HostEnded
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import Run, made, old, surging

VERBS = {
    "Deploy": Outcome.DONE,
    "Restart": Outcome.RESTARTED,
    "Roll back": Outcome.ROLLED_BACK,
    "Repair": Outcome.REPAIRED,
}


@pytest.mark.parametrize(("verb", "outcome"), VERBS.items())
def test_a_host_of_a_batch_ends_so_and_so_does_one_whose_old_slot_drains_behind_it(
    run: Run, verb: str, outcome: Outcome
) -> None:
    for plan in (made(old(2)), surging(2)):
        ran = run(replace(plan, verb=verb))
        assert ran.report.outcomes == {"host-1": outcome, "host-2": outcome}
        assert ran.report.exit_code is ExitCode.DONE
        ended = {event.outcome for event in ran.events if isinstance(event, HostEnded)}
        assert ended == {str(outcome)}
