"""Where a lane stops, what is done so that every app of its host ends whole. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.enrolment import DeregisterTarget, RegisterTarget, WaitDrained, WaitHealthy
from deploy.proof import ProveRelease, ProveRevived
from deploy.recording import ForgetOut, MarkBad, RecordDeployed
from deploy.switching import RetireUnit, ReviveUnit, StartUnit, StopUnit, SwitchRelease

if TYPE_CHECKING:
    from deploy.lanes import Lane
    from deploy.records import Record
    from deploy.settings import App
    from deploy.steps import Step


@dataclass(frozen=True)
class WayOut:
    """The steps that lead out of a lane that stopped, and whether they leave all its apps in.

    at_once: to be done first, since they put back in what never stopped to run.
    """

    at_once: tuple[Step, ...]
    then: tuple[Step, ...]
    serves: bool

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return (*self.at_once, *self.then)


def way_out(lane: Lane, failed: Step, *, still_runs: bool = False, is_bad: bool = True) -> WayOut:
    """What is done for a lane that stops at a step.

    An app whose old release was not touched goes back in, and is seen to be as healthy as it
    was; one that did not serve before does not serve now; one that was already proven goes in;
    the one that failed is put back on the release that was deployed before, or gives its place
    back to the unit that it replaced; where there is neither, it stays out.
    `still_runs`: the lane was stopped by the operator, so no app of it counts as failed;
    `is_bad`: the release is to blame, if it had been started.
    """
    began = lane.steps[: lane.steps.index(failed) + 1]
    first: list[Step] = []
    then: list[Step] = []
    serves = True
    for name in dict.fromkeys(step.app.name for step in lane.steps):
        mine = [step for step in began if step.app.name == name]
        whole = [step for step in lane.steps if step.app.name == name]
        kinds = {type(step) for step in mine}
        has_failed = failed.app.name == name and not still_runs and not is_deployed(failed)
        if not kinds & {StopUnit, RetireUnit, SwitchRelease}:
            out = [step for step in mine if isinstance(step, DeregisterTarget)]
            if out:
                back = _back_in(lane, whole[0].app)
                first.append(back[0])
                then += back[1:] if out[0].was_healthy else back[2:]
            elif failed.app.name == name:
                serves = False
        elif not has_failed and ProveRelease in kinds:
            then += whole[len(mine) :]
        else:
            steps = _restored(lane, mine, whole, is_bad=is_bad)
            serves = serves and bool(steps) and RegisterTarget in {type(step) for step in steps}
            then += steps
    return WayOut(tuple(first), tuple(then), serves)


def is_deployed(failed: Step) -> bool:
    """Whether the failed step is only the record: the release is proven, and in service."""
    return isinstance(failed, RecordDeployed)


def _back_in(lane: Lane, app: App) -> tuple[Step, ...]:
    return (
        RegisterTarget(lane.host, app),
        WaitHealthy(lane.host, app),
        ForgetOut(lane.host, app),
    )


def _restored(lane: Lane, mine: list[Step], whole: list[Step], *, is_bad: bool) -> list[Step]:
    """The app's way from a release that failed to what ran before it."""
    app, host = whole[0].app, lane.host
    kinds = {type(step) for step in mine}
    found: list[Step] = []
    retired = next((step for step in mine if isinstance(step, RetireUnit)), None)
    good = lane.good.get(app.name)
    if RegisterTarget in kinds:
        found.append(DeregisterTarget(host, app, was_healthy=False))
        drain = next((step for step in whole if isinstance(step, WaitDrained)), None)
        if drain and (retired or good):
            found.append(drain)
    proof = next(step for step in whole if isinstance(step, ProveRelease))
    # Where only the unit is new, it is a setting that failed, and no release.
    is_new = good is None or good.release != proof.release
    if StartUnit in kinds and is_bad and is_new:
        found.append(MarkBad(host, app, proof.release))
    if retired:
        found.append(ReviveUnit(host, app, retired.unit))
        found.append(ProveRevived(host, app, retired.unit, proof.path, proof.expect))
        return [*found, *_back_in(lane, app)]
    if good:
        return [*found, *_put_back(lane, app, good, proof), *_back_in(lane, app)]
    return found


def _put_back(lane: Lane, app: App, good: Record, proof: ProveRelease) -> tuple[Step, ...]:
    host = lane.host
    return (
        StopUnit(host, app),
        SwitchRelease(host, app, good.release, good.unit),
        StartUnit(host, app),
        ProveRelease(host, app, good.release, proof.path, proof.expect),
    )
