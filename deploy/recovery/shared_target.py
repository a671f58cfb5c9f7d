"""Apps behind one proxy share a target, which returns when all of them are restored. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.recovery.recovery import Recovery
from deploy.steps.base import Phase
from deploy.steps.drain import WaitDrained
from deploy.steps.records import ForgetOut, RecordDeployed, RecordReturned
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.steps.unit import RetireUnit, ReviveUnit, StopUnit, SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deploy.aws.inventory import Host
    from deploy.hosts.records import Record
    from deploy.plan.host_plan import HostPlan
    from deploy.settings.app import App, AppInSlot
    from deploy.steps.base import Step

TOUCHING = (StopUnit, RetireUnit, ReviveUnit, SwitchRelease)


def back_in(host: Host, app: AppInSlot, older: Record | None = None) -> tuple[Step, ...]:
    """The steps from a release that is proven to one that serves, with nothing left to do.

    older: its record, where that is older than what was deployed last: it is that now.
    """
    last = _noted(host, app, older)
    if app.settings.is_worker:
        return (last,)
    return (RegisterTarget(host, app), WaitHealthy(host, app), last)


def bundles(apps: Iterable[App]) -> list[tuple[App, ...]]:
    """The apps, those together that share a target."""
    found: list[list[App]] = []
    for app in apps:
        mine = next((each for each in found if each[0].shares_target_with(app)), None)
        if mine is None:
            found.append([app])
        else:
            mine.append(app)
    return [tuple(each) for each in found]


def is_shared(host_plan: HostPlan, bundle: Sequence[App]) -> bool:
    """Whether others are behind the proxy of these apps, in the host plan or beside it."""
    names = {app.name for app in bundle}
    return len(names) > 1 or any(
        step.asks_proxy for step in host_plan.steps if step.app.name in names
    )


def is_touched(steps: Iterable[Step]) -> bool:
    """Whether one of these steps changes what runs."""
    return any(isinstance(step, TOUCHING) for step in steps)


def recovery(
    host_plan: HostPlan,
    bundle: Sequence[App],
    began: Sequence[Step],
    failed: Step,
    put_back: Callable[[str, bool], Sequence[Step] | None],
) -> Recovery:
    """Return the recovery of a host plan that stops after it touched one of the apps.

    The one that failed goes back; where their common target failed, all that were switched do, and
    none of them is to blame alone. The target is entered when all serve that served before; where
    one cannot, it stays out, with the notes on the host, for a repair.

    Args:
        host_plan: The host plan.
        bundle: The apps, of which there are others beside the plan where it has but one.
        began: All steps that were begun.
        failed: The last of them.
        put_back: By an app's name, the steps to what it ran before, with a mark of the release
            where that is wanted; None where there is nothing to go back to.
    """
    host, names = host_plan.host, [app.name for app in bundle]
    mine = [step for step in began if step.app.name in names]
    touched = {s.app.name for s in mine if is_touched([s])}
    proofs = [s for s in mine if s.phase is Phase.PROVE and not s.asks_proxy]
    proven = {s.app.name for s in proofs if s is not failed}
    is_of_target = failed.is_entry and not isinstance(failed, RecordDeployed | ForgetOut)
    is_of_target = is_of_target and failed.app.name in names
    back = touched if is_of_target else touched - proven
    serves = all(name in touched or _served(host_plan, name) for name in names)
    found: list[Step] = []
    entered = next((step.app for step in mine if isinstance(step, RegisterTarget)), None)
    if entered and back:
        seconds = host_plan.drains[entered.name]
        found.append(DeregisterTarget(host, entered, was_healthy=False))
        found.append(WaitDrained(host, entered, seconds, heeds_stop=False, stops_service=False))
    left = list(names)
    for name in (each for each in names if each in back):
        steps = put_back(name, not is_of_target)
        found += steps or ()
        if steps is None and name in host_plan.new:  # the others served without it
            app = next(step.app for step in mine if step.app.name == name)
            found += [RetireUnit(host, app, app.unit_name), ForgetOut(host, app)]
            left.remove(name)
        elif steps is None:
            serves = False
    if not (serves and left):
        return Recovery((), tuple(found), serves=False)
    return Recovery((), (*found, *_entry(host_plan, left, back)), serves=True)


def onward(
    host_plan: HostPlan, bundle: Sequence[App], began: Sequence[Step], failed: Step
) -> Recovery:
    """The same of a repair: the rest is done where it was another app that failed.

    Where it was one of these, the target stays out: nothing is left to try.
    """
    has_failed = failed.app.settings in bundle and not isinstance(failed, ForgetOut)
    whole = [step for step in host_plan.steps if step.app.settings in bundle]
    return Recovery((), () if has_failed else tuple(whole[len(began) :]), serves=not has_failed)


def _served(host_plan: HostPlan, name: str) -> bool:
    """Whether an app that is not touched serves, or never did on this host."""
    own = [step for step in host_plan.steps if step.app.name == name]
    was_out = any(isinstance(step, DeregisterTarget) and step.was_healthy for step in own)
    return was_out or name in host_plan.new


def _entry(host_plan: HostPlan, names: Sequence[str], back: set[str]) -> list[Step]:
    """The proxy is asked, the target goes in, and what each app runs is written down."""
    own = [step for step in host_plan.steps if step.app.name in names]
    asked = [step for step in own if step.asks_proxy][:1]
    enter = back_in(host_plan.host, own[0].app)[:-1]
    return [*asked, *enter, *(_last(host_plan, own, name, is_back=name in back) for name in names)]


def _last(host_plan: HostPlan, own: Sequence[Step], name: str, *, is_back: bool) -> Step:
    """The record of an app, or where it went back what its entry ends with."""
    mine = [step for step in own if step.app.name == name]
    records = [step for step in mine if isinstance(step, RecordDeployed)]
    if records and not is_back:
        return records[0]
    older = host_plan.older.get(name) if is_back else None
    return _noted(host_plan.host, mine[0].app, older)


def _noted(host: Host, app: AppInSlot, older: Record | None) -> Step:
    """What an app's entry ends with that went back: its note goes, an older release is recorded."""
    if older is None:
        return ForgetOut(host, app)
    return RecordReturned(host, app, older.release, older.unit_digest)


def after(todo: Iterable[Step], failed: Step, other: Recovery) -> list[Step]:
    """What is left to do where a recovery's step failed, and another comes in its app's place.

    Where that does not serve, the target that others share with it stays out.
    """
    others = [step for step in todo if step.app.name != failed.app.name]
    kept = others if other.serves else stays_out(others, failed.app.settings)
    return [*kept, *other.steps]


def stays_out(steps: Iterable[Step], app: App) -> list[Step]:
    """The steps without those that enter the target that others share with this app."""
    return [
        step for step in steps if not (step.is_entry and step.app.settings.shares_target_with(app))
    ]
