"""What a row of the status notes of a host's app, and what AWS alone reports of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.aws.targets import State, weakest
from deploy.screen.fleet import drift
from deploy.survey.app_on_host import is_outside

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey


class TargetSeen(NamedTuple):
    """A slot's target: the target itself, its state, the reason for it, and the slot's port."""

    target: str
    state: str
    reason: str
    port: int


def best(survey: Survey, host: Host, app: App) -> TargetSeen | None:
    """The slot that AWS would send to first, of a host that could not be read.

    None for a worker, which has no target.
    """
    if app.is_worker:
        return None
    slots = [(each.port, survey.memberships(host, each)) for each in app.slots]

    def rank(slot: int) -> tuple[bool, bool]:
        health = [each.health for each in slots[slot][1]]
        is_healthy = all(each.state is State.HEALTHY for each in health)
        return is_healthy, any(each.may_receive for each in health)

    # Of two that are alike, the first.
    port, members = slots[max(range(len(slots)), key=lambda slot: (rank(slot), -slot))]
    health = weakest([each.health for each in members])
    targets = ", ".join(dict.fromkeys(str(each.target) for each in members))
    return TargetSeen(targets, str(health.state), health.reason, port)


def of_host(survey: Survey, on: AppOnHost, unknown: tuple[str, ...]) -> list[str]:
    """What a host that was read shows of an app beside its release and its state.

    unknown: the keys of its answer that were not understood.
    """
    notes = _beside(survey, on)
    if any(each.health.is_shifted for each in on.memberships):
        notes.append("traffic is shifted away from its zone")
    if any(each.health.is_anomalous for each in on.memberships):
        notes.append("AWS sends it fewer requests: its answers are anomalous")
    notes += drift.of_unit(on.slot)
    if unknown:
        notes.append(f"not understood: {', '.join(unknown)}")
    if len(on.memberships) > 1:
        notes += [
            f"{each.group.name}: {each.health}"
            for each in on.memberships
            if each.health.state is not State.HEALTHY
        ]
    return notes


def _beside(survey: Survey, on: AppOnHost) -> list[str]:
    """What runs or serves besides what was deployed here."""
    known = {on.unit_name, on.app.settings.replaces}
    return [
        *([_previous(on)] if on.previous_unit else []),
        *([f"{on.unit_name} was never in service"] if on.is_unproven else []),
        *misplaced(survey, on.host, on.app.settings),
        *(f"{unit} runs, and `ports:` does not list its port" for unit in on.slot.unlisted),
        *(
            f"{each} listens on port {on.app.port}"
            for each in on.slot.listeners
            if each.unit_name not in known
        ),
    ]


def _previous(on: AppOnHost) -> str:
    """What the unit that the app replaces does, where it runs."""
    ours = on.slot.running_release or (on.spare and on.spare.slot.running_release)
    if ours or not on.is_healthy:
        return f"{on.previous_unit} runs"
    return f"{on.previous_unit} serves" + ("" if on.slot.deployed else "; nothing was deployed yet")


def misplaced(survey: Survey, host: Host, app: App) -> list[str]:
    """What of a host gets requests and is no slot of the app, and why it can be no target."""
    own = {host.instance_id, host.private_address or host.address}
    found = [
        f"{target} is {survey.health[group.arn][target]} in {group.name}, and "
        + ("`ports:` does not list that port" if target.id in own else "is not the host's target")
        for group, target in survey.elsewhere(host, app)
    ]
    found += [
        f"{host.instance_id} is in {host.vpc}, and target group {group.name} in {group.vpc}: it "
        "can be no target there"
        for group in survey.groups.get(app.name, ())
        if group.target_type == "instance" and is_outside(group, host)
    ]
    return found
