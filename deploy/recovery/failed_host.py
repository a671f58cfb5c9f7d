"""Where a lane stops, what is done so that every app of its host ends whole. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.steps.records import ForgetOut, MarkBad, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitDrained, WaitHealthy
from deploy.steps.unit import RetireUnit, ReviveUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease, ProveRevived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.hosts.records import Record
    from deploy.plan.host_plan import Lane
    from deploy.settings.app import App
    from deploy.steps.base import Step


@dataclass(frozen=True)
class WayOut:
    """The steps that lead out of a lane that stopped, and whether they leave all its apps in.

    at_once: to be done first, since they put back in what never stopped to run; leaves: whether
    a slot beside the one that serves is left as it is, with what runs there.
    """

    at_once: tuple[Step, ...]
    then: tuple[Step, ...]
    serves: bool
    leaves: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return (*self.at_once, *self.then)


def way_out(
    lane: Lane, failed: Step, *, still_runs: bool = False, is_bad: bool = True, begun: int = 0
) -> WayOut:
    """What is done for a lane that stops at a step.

    An app whose old release was not touched goes back in, and is seen to be as healthy as it
    was; one that did not serve before does not serve now; one that was already proven goes in;
    the one that failed is put back on the release that was deployed before, or gives its place
    back to the unit that it replaced; where there is neither, it stays out. An app that surges
    serves on in its old slot; its new slot is withdrawn.
    `still_runs`: the lane was stopped by the operator, so no app of it counts as failed;
    `is_bad`: the release is to blame, if it had been started; `begun`: so many steps were begun,
    where a step failed after it had been done.
    """
    began = lane.steps[: max(begun, lane.steps.index(failed) + 1)]
    ways = [
        _way(
            lane,
            name,
            [step for step in began if step.app.name == name],
            is_failed=failed.app.name == name,
            still_runs=still_runs,
            is_bad=is_bad,
        )
        for name in dict.fromkeys(step.app.name for step in lane.steps)
    ]
    return WayOut(
        tuple(step for way in ways for step in way.at_once),
        tuple(step for way in ways for step in way.then),
        all(way.serves for way in ways),
        any(way.leaves for way in ways),
    )


def _way(
    lane: Lane, name: str, mine: Sequence[Step], *, is_failed: bool, still_runs: bool, is_bad: bool
) -> WayOut:
    """One app's way; mine: its steps that were begun."""
    has_failed = is_failed and not still_runs and not is_deployed(mine[-1])
    # The note goes last: where only that failed, the app serves, and it is cleared another time.
    is_well = not is_failed or isinstance(mine[-1], ForgetOut)
    if lane.apart and is_well and not still_runs:
        return WayOut((), tuple(_of(lane, name)[len(mine) :]), serves=True)
    if name in lane.surged and (has_failed or still_runs or not _has(mine, ProveRelease)):
        serves = still_runs or not is_failed or name in lane.served
        found = _withdrawn(lane, mine, is_bad=is_bad and has_failed)
        is_left_over = has_failed and not _has(_of(lane, name), SwitchRelease)
        return WayOut((), found, serves=serves, leaves=is_left_over)
    if _has(mine, ReviveUnit):
        # A repair that could not bring the unit of before back: nothing else is left to try.
        return WayOut((), (), serves=not has_failed)
    if not {type(step) for step in mine} & {StopUnit, RetireUnit, SwitchRelease}:
        return _untouched(lane, name, mine, is_failed=is_failed)
    if not has_failed and _has(mine, ProveRelease):
        onward = (*_of(lane, name)[len(mine) :], *_after(lane, name))
        return WayOut((), onward, serves=True)
    return _restored(lane, mine, is_bad=is_bad)


def instead(lane: Lane, failed: Step, *, is_bad: bool) -> WayOut | None:
    """Replacement steps when a recovery step itself fails.

    A note that cannot be cleared keeps no host out: it is reported, and repair clears it. What ends
    an old slot comes when the new one serves. A step of the lane itself, of an app that was
    proven and on its way in, leads that app back as if the lane had stopped there: of two apps,
    the second may be bad too. None: the others are done all the same, since a mark that cannot
    be made is no reason to stay out.
    """
    if isinstance(failed, MarkBad):
        return None
    name, is_note = failed.app.name, isinstance(failed, ForgetOut)
    is_surged = name in lane.surged
    whole = _of(lane, name)
    place = next((place for place, step in enumerate(whole) if step is failed), None)
    if place is None or is_note or is_deployed(failed):
        # Of an app that surges the other slot serves: what is left of this one is told, and mended.
        is_own = any(step is failed for step in lane.all_steps)
        serves = is_own or name in lane.served or (is_note and not is_surged)
        return WayOut((), (), serves=serves, leaves=is_surged)
    if lane.apart:
        mine = whole[: place + 1]
        return _way(lane, name, mine, is_failed=True, still_runs=False, is_bad=is_bad)
    if is_surged:
        found = _withdrawn(lane, whole[: place + 1], is_bad=is_bad)
        return WayOut((), found, serves=name in lane.served)
    return _restored(lane, whole[: place + 1], is_bad=is_bad)


def is_deployed(step: Step) -> bool:
    """Whether the step is but the record: the release is proven, and in service."""
    return isinstance(step, RecordDeployed)


def _of(lane: Lane, app: str) -> list[Step]:
    return [step for step in lane.steps if step.app.name == app]


def _after(lane: Lane, app: str) -> list[Step]:
    return [step for step in lane.after if step.app.name == app]


def _has(steps: Sequence[Step], kind: type) -> bool:
    return any(isinstance(step, kind) for step in steps)


def _untouched(lane: Lane, name: str, mine: Sequence[Step], *, is_failed: bool) -> WayOut:
    """The way of an app that still runs as it did: in again, if it was."""
    whole = _of(lane, name)
    out = next((step for step in mine if isinstance(step, DeregisterTarget)), None)
    if out:
        register, *see = _back_in(lane, whole[0].app)
        return WayOut((register,), tuple(see if out.was_healthy else see[1:]), serves=True)
    served = any(isinstance(step, DeregisterTarget) and step.was_healthy for step in whole)
    # A lane that puts nothing in mends a target that is in already.
    is_in = not _has(whole, RegisterTarget)
    return WayOut((), (), serves=served or is_in or not is_failed)


def _back_in(lane: Lane, app: App) -> tuple[Step, ...]:
    return (
        RegisterTarget(lane.host, app),
        WaitHealthy(lane.host, app),
        ForgetOut(lane.host, app),
    )


def _restored(lane: Lane, mine: Sequence[Step], *, is_bad: bool) -> WayOut:
    """The app's way from a release that failed to what ran before it.

    mine: its steps up to the one that failed.
    """
    app, host = mine[0].app, lane.host
    kinds = {type(step) for step in mine}
    found: list[Step] = []
    retired = next((step for step in mine if isinstance(step, RetireUnit)), None)
    good = lane.good.get(app.name)
    if RegisterTarget in kinds:
        found.append(DeregisterTarget(host, app, was_healthy=False))
        if retired or good:
            # It may have served, whatever the operator wants meanwhile. For the whole delay, even
            # where drains end when quiet: a bad release is not trusted to finish on SIGTERM.
            found.append(WaitDrained(host, app, lane.drains[app.name], heeds_stop=False))
    found += _marked(lane, mine, is_bad=is_bad)
    proof = next(step for step in _of(lane, app.name) if isinstance(step, ProveRelease))
    if retired:
        found.append(ReviveUnit(host, app, retired.unit))
        found.append(ProveRevived(host, app, retired.unit, proof.path, proof.expect))
    elif good:
        found += _put_back(lane, app, good, proof)
    else:
        return WayOut((), tuple(found), serves=False)
    return WayOut((), (*found, *_back_in(lane, app)), serves=True)


def _withdrawn(lane: Lane, mine: Sequence[Step], *, is_bad: bool) -> tuple[Step, ...]:
    """The new slot of an app that surges is ended again; the old one was never touched."""
    found: list[Step] = []
    if _has(mine, RegisterTarget):
        app = mine[-1].app
        drain = WaitDrained(lane.host, app, lane.drains[app.name], heeds_stop=False)
        found += [DeregisterTarget(lane.host, app, was_healthy=False), drain]
    found += _marked(lane, mine, is_bad=is_bad)
    switched = next((step for step in mine if isinstance(step, SwitchRelease)), None)
    if switched:
        app = switched.app
        found.append(RetireUnit(lane.host, app, app.unit))
        found.append(ForgetOut(lane.host, app))
    return tuple(found)


def _marked(lane: Lane, mine: Sequence[Step], *, is_bad: bool) -> list[Step]:
    """The mark of a release that was started and is to blame.

    Where only the unit is new, it is a setting that failed, and no release.
    """
    started = next((step for step in mine if isinstance(step, StartUnit)), None)
    if not (is_bad and started):
        return []
    name = started.app.name
    proof = next(step for step in _of(lane, name) if isinstance(step, ProveRelease))
    good = lane.good.get(name)
    is_new = good is None or good.release != proof.release
    return [MarkBad(lane.host, started.app, proof.release)] if is_new else []


def _put_back(lane: Lane, app: App, good: Record, proof: ProveRelease) -> tuple[Step, ...]:
    host = lane.host
    return (
        StopUnit(host, app),
        SwitchRelease(host, app, good.release, good.unit),
        StartUnit(host, app),
        ProveRelease(host, app, good.release, proof.path, proof.expect),
    )
