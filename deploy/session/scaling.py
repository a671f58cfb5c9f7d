"""Asks Auto Scaling which hosts are out of service, and what may replace the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws import scaling_groups
from deploy.clock import CLOCK, Clock
from deploy.errors import BadInput, NotAllowed
from deploy.foreign_text import visible, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.api.account import Account
    from deploy.aws.inventory import Host
    from deploy.aws.scaling_groups import ScalingGroup
    from deploy.settings.environment import Environment


def resting(
    account: Account, hosts: Sequence[Host], clock: Clock = CLOCK
) -> tuple[dict[Host, str], tuple[str, ...]]:
    """Hosts that their group keeps out of service (starting, in standby, warm, ending), and notes.

    They are left out and named. Where AWS does not answer the question, although it was asked for
    a while, a note says so: a status or a repair goes on without, and a host that its group took
    out of the load balancer is refused as taken out by hand.
    """
    members = {host.instance_id: host for host in hosts if host.scaling_group}
    if not members:
        return {}, ()
    try:
        states = scaling_groups.lifecycles(account, members, clock)
    except scaling_groups.UNANSWERED as error:
        return {}, (f"{error}; whether hosts are in standby, or about to end, was not looked at",)
    found = {
        members[id_]: state
        for id_, state in sorted(states.items())
        if id_ in members and state != scaling_groups.IN_SERVICE
    }
    notes = (
        f"{host} is left out: {visible(state)} in the Auto Scaling group "
        f"{visible(host.scaling_group)}"
        for host, state in found.items()
    )
    return found, tuple(notes)


def vetted(
    environment: Environment, account: Account, hosts: Sequence[Host], clock: Clock = CLOCK
) -> tuple[str, ...]:
    """Return sentences about what Auto Scaling may do to these hosts, and what could not be read.

    Raises BadInput for a group that is replacing its instances now, and for one that ends those
    whose release a target group finds unhealthy, unless the settings accept that.
    """
    names = {host.scaling_group for host in hosts if host.scaling_group}
    if not names:
        return ()
    try:
        groups = scaling_groups.read(account, names, clock)
    except NotAllowed as error:
        return (f"{error}; what the Auto Scaling groups do meanwhile was not looked at",)
    problems = [text for group in groups for text in _problems(group)]
    if problems and environment.auto_scaling != "accept-replacement":
        raise BadInput(*problems, "`auto_scaling: accept-replacement` goes on all the same.")
    activity = (text for group in groups if (text := _activity(group)))
    return (*problems, *activity, *(note for group in groups for note in group.notes))


def _problems(group: ScalingGroup) -> list[str]:
    name = f"the Auto Scaling group {visible(group.name)}"
    found: list[str] = []
    if group.is_refreshing:
        found.append(
            f"{name} is replacing its instances now (an instance refresh), with whatever its "
            "launch template starts; wait for its end, or cancel it"
        )
    if group.ends_unhealthy:
        found.append(
            f"{name} has health checks of type ELB: it may terminate a host whose release fails. "
            "Suspend ReplaceUnhealthy for the time of the deploy: aws autoscaling "
            f"suspend-processes --auto-scaling-group-name {word(group.name)} "
            "--scaling-processes ReplaceUnhealthy"
        )
    return found


def _activity(group: ScalingGroup) -> str:
    if not group.active:
        return ""
    processes = ", ".join(group.active)
    return (
        f"the Auto Scaling group {visible(group.name)} may replace or end hosts meanwhile: "
        f"{processes} active"
    )
