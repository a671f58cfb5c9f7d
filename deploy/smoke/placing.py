"""(plan) → the plan whose first batch passes smoke tests through the load balancer. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe.request import Request
from deploy.smoke.through_balancer import PassSmokeTests
from deploy.smoke.verdict import SmokeRequest
from deploy.steps.records import RecordDeployed
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.steps.base import Step
    from deploy.survey.question import Questions


def placed(plan: Plan) -> Plan:
    """Return the plan with a step more, before an app is recorded, on its first hosts.

    Those are the first batch that takes the app's new release; of a window, its first hosts. An app
    whose target group speaks gRPC has none: a warning says that it is asked on the hosts only.
    """
    for app in plan.apps.values():
        if app.smoke_through and app.smoke:
            plan = _of_app(plan, app)
    return plan


def _of_app(plan: Plan, app: App) -> Plan:
    for number, batch in enumerate(plan.batches, start=1):
        proofs = {each.host.name: proof for each in batch if (proof := _proof(each, app))}
        if not proofs:
            continue
        asked = next(iter(proofs.values())).smoke
        if asked and asked.each[0].version is ProtocolVersion.GRPC:
            note = (
                f"the smoke tests of {app.name} are asked on the hosts only: its target group "
                "speaks gRPC, and `smoke_through` asks over HTTP/1.1"
            )
            return replace(plan, warnings=(*plan.warnings, note))
        first = list(proofs)[: plan.at_a_time(number) or None]
        changed = tuple(
            _with_step(each, proofs[each.host.name], len(first))
            if each.host.name in first
            else each
            for each in batch
        )
        batches = (*plan.batches[: number - 1], changed, *plan.batches[number:])
        return replace(plan, batches=batches)
    return plan


def _proof(host_plan: HostPlan, app: App) -> ProveRelease | None:
    """The step that proves the app's new release on a host, with its smoke tests."""
    found = (step for step in host_plan.steps if isinstance(step, ProveRelease))
    return next((step for step in found if step.app.settings == app and step.smoke), None)


def _with_step(host_plan: HostPlan, proof: ProveRelease, at_once: int) -> HostPlan:
    steps: list[Step] = []
    for step in host_plan.steps:
        if isinstance(step, RecordDeployed) and step.app == proof.app:
            steps.append(_asked(proof, at_once))
        steps.append(step)
    return replace(host_plan, steps=tuple(steps))


def _asked(proof: ProveRelease, at_once: int) -> PassSmokeTests:
    through = proof.app.settings.smoke_through
    if through is None or proof.smoke is None:
        raise ValueError(f"{proof.app.name} has no smoke tests through the load balancer")
    tests = _tests(proof.app.settings, proof.smoke)
    return PassSmokeTests(proof.host, proof.app, proof.release, through.url, tests, at_once)


def _tests(app: App, asked: Questions) -> tuple[SmokeRequest, ...]:
    """The tests as users ask them; asked: the same of the host, which know the codes."""
    through = app.smoke_through
    if through is None:
        return ()
    return tuple(
        SmokeRequest(
            request=Request(
                address=through.address,
                port=through.port,
                path=own.path,
                host_header=own.host or through.authority,
                is_tls=through.is_tls,
            ),
            url=f"{through.url}{own.path}",
            expect=question.expect,
            timeout_seconds=own.timeout_seconds,
            is_new=own.new,
            header=through.release_header or "",
        )
        for own, question in zip(app.smoke, asked.each, strict=True)
    )
