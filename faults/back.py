"""Going back under load: by command, and by policy after a late failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.ground import BATCH, HOSTS
from faults.releases import spoilt
from lab.count import Count

if TYPE_CHECKING:
    from faults.ground import Ground, Trial


def rollbacks(ground: Ground) -> None:
    """The count of healthy targets never falls under the policy: the fleet minus the batch."""
    before = ground.good
    version = ground.build()
    ground.project.deploy(version)
    with ground.trial("inv rollback", on=before) as trial:
        with Count(ground.lab) as count:
            trial.ended(ground.project.inv("rollback", "--env", "lab"), 0)
        _judge(trial, count, HOSTS - BATCH)
    ground.set({}, {"rollout": {"batch": 1, "on_failure": "rollback"}})
    version = ground.build()
    with ground.trial("on_failure: rollback, the last host fails") as trial:
        with Count(ground.lab) as count, spoilt(ground, version, index=HOSTS - 1):
            trial.ended(ground.project.deploy(version), 1)
        _judge(trial, count, HOSTS - 1)
    ground.set({}, {"rollout": {"batch": BATCH}})


def _judge(trial: Trial, count: Count, least: int) -> None:
    trial.said = f"never under {count.least} healthy of {HOSTS}"
    trial.expect(count.least >= least, f"fewer than the policy says: {count.why}")
