"""The steps in place of a recovery's step that failed too. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.recovery import failed_host, shared_target
from deploy.recovery.recovery import Recovery
from deploy.steps.records import ForgetOut, MarkBad, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.steps.unit import RetireUnit, StartUnit
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from deploy.plan.host_plan import HostPlan
    from deploy.settings.app import App
    from deploy.steps.base import Step


def instead(host_plan: HostPlan, failed: Step, *, is_bad: bool) -> Recovery | None:
    """Replacement steps when a recovery step itself fails.

    A note that cannot be cleared, and a record of what it went back to, keep no host out: that is
    reported, and repair does it. What ends an old slot comes when the new one serves. A step of the
    host plan itself, of an app that was proven and being registered, takes that app back as if the
    host plan had stopped there: of two apps, the second may be bad too. None: the others are done
    all the same, since a mark that cannot be made is no reason to stay out.
    """
    if isinstance(failed, MarkBad):
        return None
    name, is_note = failed.app.name, isinstance(failed, ForgetOut)
    if special := _of_worker(failed) or _of_shared(host_plan, failed):
        return special
    is_surged = name in host_plan.surged
    whole = failed_host.steps_of(host_plan, name)
    place = next((place for place, step in enumerate(whole) if step is failed), None)
    if place is None or is_note or failed_host.is_deployed(failed):
        # Of an app that surges the other slot serves: what is left here is reported and repaired.
        is_own = any(step is failed for step in host_plan.all_steps)
        serves = is_own or name in host_plan.served or (is_note and not is_surged)
        return Recovery((), (), serves=serves, leaves=is_surged)
    if host_plan.apart:
        mine = whole[: place + 1]
        return failed_host.of_app(
            host_plan, name, mine, is_failed=True, still_runs=False, is_bad=is_bad
        )
    if is_surged:
        found = failed_host.withdrawn(host_plan, whole[: place + 1], is_bad=is_bad)
        return Recovery((), found, serves=name in host_plan.served)
    return failed_host.restored(host_plan, whole[: place + 1], is_bad=is_bad)


def because(recovery: Recovery, error: Exception) -> Recovery:
    """A recovery whose marks say what failed."""

    def said(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(
            replace(each, why=str(error)) if isinstance(each, MarkBad) else each for each in steps
        )

    return replace(recovery, at_once=said(recovery.at_once), then=said(recovery.then))


def _of_worker(failed: Step) -> Recovery | None:
    """A worker would go on to take work with what is not proven: it ends."""
    if not (failed.app.settings.is_worker and isinstance(failed, StartUnit | ProveRelease)):
        return None
    ended = RetireUnit(failed.host, failed.app, failed.app.unit_name)
    return Recovery((), (ended,), serves=False)


def _of_shared(host_plan: HostPlan, failed: Step) -> Recovery | None:
    """A target that apps share may be in by now: it goes out, and stays there for a repair."""
    is_shared = shared_target.is_shared(host_plan, _bundle(host_plan, failed.app.settings))
    if not is_shared or isinstance(failed, ForgetOut | RecordDeployed):
        return None
    is_in = isinstance(failed, RegisterTarget | WaitHealthy)
    out = [DeregisterTarget(failed.host, failed.app, was_healthy=False)] if is_in else []
    return Recovery((), tuple(out), serves=False)


def _bundle(host_plan: HostPlan, app: App) -> tuple[App, ...]:
    """The apps of the host plan that share an app's target, itself among them."""
    apps = {step.app.name: step.app.settings for step in host_plan.all_steps} | {app.name: app}
    return tuple(each for each in apps.values() if each is app or each.shares_target_with(app))
