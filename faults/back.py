"""Going back under load: by command, and by policy after a late failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.ground import HOSTS
from faults.releases import spoilt
from lab.count import Count

if TYPE_CHECKING:
    from faults.ground import Ground


def rollbacks(ground: Ground) -> None:
    """The count of healthy targets never falls under the policy: the fleet minus the batch."""
    before = ground.good
    version = ground.build()
    ground.project.deploy(version)
    with ground.trial("inv rollback", on=before) as trial, Count(ground.lab) as count:
        trial.ended(ground.project.inv("rollback", "--env", "lab"), 0)
        trial.said = f"never under {count.least} healthy of {HOSTS}"
        trial.expect(count.least >= HOSTS - 2, "fewer in service than the policy says")
    ground.set({}, {"rollout": {"batch": 1, "on_failure": "rollback"}})
    version = ground.build()
    with (
        ground.trial("on_failure: rollback, the last host fails") as trial,
        Count(ground.lab) as count,
    ):
        with spoilt(ground, version, index=HOSTS - 1):
            trial.ended(ground.project.deploy(version), 1)
        trial.said = f"never under {count.least} healthy of {HOSTS}"
        trial.expect(count.least >= HOSTS - 1, "fewer in service than the policy says")
    ground.set({}, {"rollout": {"batch": 2}})
