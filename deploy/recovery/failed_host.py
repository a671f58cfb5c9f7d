"""The recovery of a host whose plan stopped at a step: each of its apps is restored. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from deploy.recovery import shared_target
from deploy.recovery.recovery import Recovery
from deploy.steps.answers import ProveRevived
from deploy.steps.drain import WaitDrained
from deploy.steps.records import ForgetOut, MarkBad, NoteOut, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget
from deploy.steps.unit import RetireUnit, ReviveUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.plan.host_plan import HostPlan
    from deploy.settings.app import App
    from deploy.steps.base import Step

PROOFS = (ProveRelease, ProveRevived)
"""The steps that prove what was started: a release, or the previous unit."""
SWITCHES = (SwitchRelease, ReviveUnit)


def recovery_of(
    host_plan: HostPlan,
    failed: Step,
    *,
    still_runs: bool = False,
    is_bad: bool = True,
    begun: int = 0,
) -> Recovery:
    """Return the recovery for a host plan that stops at a step.

    An app whose old release was not touched goes back in, and is seen to be as healthy as it
    was; one that did not serve before does not serve now; one that was already proven goes in;
    the one that failed is put back on the release that was deployed before, or gives its place
    back to the unit that it replaced; where there is neither, it stays out. An app that surges
    serves on in its old slot; its new slot is withdrawn.
    `still_runs`: the host plan was stopped by the operator, so no app of it counts as failed;
    `is_bad`: the release is to blame, if it had been started; `begun`: so many steps were begun,
    where a step failed after it had been done.
    """
    began = host_plan.steps[: max(begun, host_plan.steps.index(failed) + 1)]
    apps = {step.app.name: step.app.settings for step in host_plan.steps}
    parts: list[Recovery] = []
    for bundle in shared_target.bundles(apps.values()):
        mine = [step for step in began if step.app.settings in bundle]
        is_shared = shared_target.is_shared(host_plan, bundle)
        if is_shared and host_plan.apart:
            parts.append(shared_target.onward(host_plan, bundle, mine, failed))
            continue
        if is_shared and shared_target.is_touched(mine):
            parts.append(_of_bundle(host_plan, bundle, mine, failed, is_bad=is_bad))
            continue
        parts += [
            of_app(
                host_plan,
                app.name,
                [step for step in mine if step.app.name == app.name],
                is_failed=failed.app.name == app.name,
                still_runs=still_runs,
                is_bad=is_bad,
            )
            for app in bundle
        ]
    return Recovery.joined(parts)


def _of_bundle(
    host_plan: HostPlan, bundle: Sequence[App], began: Sequence[Step], failed: Step, *, is_bad: bool
) -> Recovery:
    """The recovery of apps that share a target; began: their steps that were begun."""

    def put_back(name: str, may_mark: bool) -> Sequence[Step] | None:
        mine = [step for step in began if step.app.name == name]
        return _put_back(host_plan, mine, is_bad=is_bad and may_mark)

    return shared_target.recovery(host_plan, bundle, began, failed, put_back)


def of_app(
    host_plan: HostPlan,
    name: str,
    mine: Sequence[Step],
    *,
    is_failed: bool,
    still_runs: bool,
    is_bad: bool,
) -> Recovery:
    """One app's recovery; mine: its steps that were begun."""
    has_failed = is_failed and not still_runs and not is_deployed(mine[-1])
    # The note goes last: where only that failed, the app serves, and it is cleared another time.
    is_well = not is_failed or isinstance(mine[-1], ForgetOut)
    if host_plan.apart and is_well and not still_runs:
        return Recovery((), tuple(steps_of(host_plan, name)[len(mine) :]), serves=True)
    if name in host_plan.surged and (has_failed or still_runs or not _has(mine, PROOFS)):
        serves = still_runs or not is_failed or name in host_plan.served
        found = withdrawn(host_plan, mine, is_bad=is_bad and has_failed)
        is_left_over = has_failed and not _has(steps_of(host_plan, name), SWITCHES)
        return Recovery((), found, serves=serves, leaves=is_left_over)
    whole = steps_of(host_plan, name)
    is_ended = ends(whole) or (whole[0].app.settings.is_worker and not _has(whole, PROOFS))
    is_last_resort = _has(mine, ReviveUnit) and host_plan.back_to(name) is None
    if is_last_resort or is_ended:
        # A repair that could not bring the previous unit back, or end what was never proven:
        # nothing else is left to try.
        return Recovery((), (), serves=not has_failed)
    if not shared_target.is_touched(mine):
        return _untouched(host_plan, name, mine, is_failed=is_failed)
    if not has_failed and _has(mine, PROOFS):
        onward = (*steps_of(host_plan, name)[len(mine) :], *_after(host_plan, name))
        return Recovery((), onward, serves=True)
    return restored(host_plan, mine, is_bad=is_bad)


def is_deployed(step: Step) -> TypeGuard[RecordDeployed]:
    """Whether the step is but the record: the release is proven, and in service."""
    return isinstance(step, RecordDeployed)


def ends(steps: Sequence[Step]) -> bool:
    """Whether these steps of an app on a host end what never served, so that nothing is in then."""
    return _has(steps, RetireUnit) and not any(step.is_entry for step in steps)


def steps_of(host_plan: HostPlan, app: str) -> list[Step]:
    """The host plan's steps of an app, by its name, without those after it."""
    return [step for step in host_plan.steps if step.app.name == app]


def _after(host_plan: HostPlan, app: str) -> list[Step]:
    return [step for step in host_plan.after if step.app.name == app]


def _has(steps: Sequence[Step], kinds: type | tuple[type, ...]) -> bool:
    return any(isinstance(step, kinds) for step in steps)


def _untouched(
    host_plan: HostPlan, name: str, mine: Sequence[Step], *, is_failed: bool
) -> Recovery:
    """The recovery of an app that still runs as it did: in again, if it was."""
    whole = steps_of(host_plan, name)
    out = next((step for step in mine if isinstance(step, DeregisterTarget)), None)
    if _has(mine, NoteOut):
        return Recovery((), (ForgetOut(host_plan.host, whole[0].app),), serves=True)
    if out:
        register, *see = shared_target.back_in(host_plan.host, whole[0].app)
        if not out.was_healthy:  # a note of an earlier command stays: what that failed at is open
            see = [] if out.is_noted else see[1:]
        return Recovery((register,), tuple(see), serves=True)
    served = any(isinstance(step, DeregisterTarget) and step.was_healthy for step in whole)
    # A host plan that registers nothing repairs a target that is in service already.
    is_in = not whole[0].app.settings.is_worker and not _has(whole, RegisterTarget)
    return Recovery((), (), serves=served or is_in or not is_failed)


def restored(host_plan: HostPlan, mine: Sequence[Step], *, is_bad: bool) -> Recovery:
    """The app's recovery from a release that failed to what ran before it.

    mine: its steps up to the one that failed.
    """
    app, host = mine[0].app, host_plan.host
    kinds = {type(step) for step in mine}
    found: list[Step] = []
    if RegisterTarget in kinds:
        found.append(DeregisterTarget(host, app, was_healthy=False))
        # The whole delay: a bad release is not trusted to finish on SIGTERM.
        seconds = host_plan.drains[app.name]
        found.append(WaitDrained(host, app, seconds, heeds_stop=False, stops_service=False))
    back = _put_back(host_plan, mine, is_bad=is_bad)
    if back is None:
        found += _marked(host_plan, mine, is_bad=is_bad)
        # It never served, and systemd would start it again for ever, also after a boot.
        found.append(RetireUnit(host, app, app.unit_name))
        if app.settings.is_worker:  # of a target that was in, the note says that it is out
            found.append(ForgetOut(host, app))
        return Recovery((), tuple(found), serves=False)
    entry = shared_target.back_in(host, app, host_plan.older.get(app.name))
    return Recovery((), (*found, *back, *entry), serves=True)


def withdrawn(host_plan: HostPlan, mine: Sequence[Step], *, is_bad: bool) -> tuple[Step, ...]:
    """The new slot of an app that surges is ended again; the old one was never touched."""
    found: list[Step] = []
    if _has(mine, RegisterTarget):
        app = mine[-1].app
        host, seconds = host_plan.host, host_plan.drains[app.name]
        drain = WaitDrained(host, app, seconds, heeds_stop=False, stops_service=False)
        found += [DeregisterTarget(host, app, was_healthy=False), drain]
    found += _marked(host_plan, mine, is_bad=is_bad)
    switched = next((step for step in mine if isinstance(step, SWITCHES)), None)
    if switched:
        app = switched.app
        unit = switched.unit_name if isinstance(switched, ReviveUnit) else app.unit_name
        found.append(RetireUnit(host_plan.host, app, unit))
        found.append(ForgetOut(host_plan.host, app))
    return tuple(found)


def _marked(host_plan: HostPlan, mine: Sequence[Step], *, is_bad: bool) -> list[Step]:
    """The mark of a release that was started and is to blame.

    Where only the unit is new, it is a setting that failed, and no release.
    """
    started = next((step for step in mine if isinstance(step, StartUnit)), None)
    if not (is_bad and started):
        return []
    name = started.app.name
    proof = next(step for step in steps_of(host_plan, name) if isinstance(step, ProveRelease))
    good = host_plan.back_to(name)
    if good is not None and good.release == proof.release:
        return []
    units = [step.unit_digest for step in mine if isinstance(step, SwitchRelease)]
    return [MarkBad(host_plan.host, started.app, proof.release, "".join(units[-1:]))]


def _put_back(
    host_plan: HostPlan, mine: Sequence[Step], *, is_bad: bool
) -> tuple[Step, ...] | None:
    """The mark, and the steps to what an app ran before; None where there is nothing."""
    app, host = mine[0].app, host_plan.host
    marked = _marked(host_plan, mine, is_bad=is_bad)
    proof = next(step for step in steps_of(host_plan, app.name) if isinstance(step, PROOFS))
    retired = next((step for step in mine if isinstance(step, RetireUnit)), None)
    good = host_plan.back_to(app.name)
    if good is None and retired is None:
        return None
    if good is None or good.is_previous:
        unit = good.release if good else retired.unit_name if retired else ""
        asked = proof.questions
        return (*marked, ReviveUnit(host, app, unit), ProveRevived(host, app, unit, asked))
    revived = [step for step in mine if isinstance(step, ReviveUnit)]
    return (
        *marked,
        *(RetireUnit(host, app, step.unit_name) for step in revived),
        StopUnit(host, app),
        SwitchRelease(host, app, good.release, good.unit_digest),
        StartUnit(host, app),
        ProveRelease(host, app, good.release, proof.questions.of_old()),
    )
