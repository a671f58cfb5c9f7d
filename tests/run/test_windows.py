"""A window of hosts: no barrier, never wider, and no new host after a failure."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from builders import NEW

from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import PATIENCE_SECONDS, Acts, Run, fail, made, old, until_failed

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_window_has_no_barrier_and_is_never_wider(run: Run) -> None:
    third, at_work, most = threading.Event(), set[str](), list[int]()

    def enter(name: str) -> Callable[[object], None]:
        def act(_: object) -> None:
            at_work.add(name)
            most.append(len(at_work))
            if name == "host-3":
                third.set()
            if name == "host-1":
                assert third.wait(PATIENCE_SECONDS), "the third waited for the first"

        return act

    def leave(name: str) -> Callable[[object], None]:
        return lambda _: at_work.discard(name)

    names = [f"host-{number}" for number in range(1, 5)]
    acts: Acts = {f"{name}: deregister": enter(name) for name in names}
    acts |= {f"{name}: record": leave(name) for name in names}
    ran = run(made(old(4), batch=None, rollout={"window": 2}), acts)
    assert ran.report.exit_code is ExitCode.DONE
    assert max(most) == 2


def test_a_failure_in_a_window_starts_no_other(run: Run) -> None:
    begun = threading.Event()

    def fail_beside(execution: Execution) -> None:
        assert begun.wait(PATIENCE_SECONDS)
        fail(execution)

    def begin(execution: Execution) -> None:
        begun.set()
        until_failed("host-1")(execution)

    acts: Acts = {f"host-1: prove {NEW}": fail_beside, f"host-2: prove {NEW}": begin}
    ran = run(made(old(4), batch=None, rollout={"window": 2}), acts)
    assert list(ran.report.outcomes.values()) == [
        Outcome.BACK,
        Outcome.DONE,
        Outcome.WAITING,
        Outcome.WAITING,
    ]
