"""Decides whether a drain may end when the host is quiet, or need not begin at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import RemoteError, Unreachable
from deploy.hosts.scripts import connections, service
from deploy.steps.base import OnHost, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import Survey


SAMPLE_SECONDS = 0.5
"""Between two looks at a port's connections."""
MOST_WATCHED_SECONDS = 5.0


def is_idle(at: SlotOnHost) -> bool:
    """Whether no request can be under way in a slot: nothing runs there, and AWS agrees.

    A target that is healthy in a group has something that answers, whatever the host shows: in a
    container, or behind a rule of its packet filter. An address that drains is waited for anyway.
    """
    units = {at.slot.unit_state.active, at.slot.replaces.active}
    has_process = not units <= service.ENDED or bool(at.slot.listeners)
    return not (has_process or at.is_healthy_somewhere or at.drains_by_address)


def unless_idle(at: SlotOnHost, drain: Step) -> Step:
    """A slot's drain, which need not begin where nothing runs there."""
    return DrainIfBusy(at.host, at.app, drain) if is_idle(at) else drain


@dataclass(frozen=True)
class DrainIfBusy(OnHost):
    """Let a slot drain in which nothing ran when this was planned, if something runs there now.

    A host that was starting up may have begun to serve since.

    drain: what is done then.
    """

    phase = Phase.DRAIN

    drain: Step = field(compare=False)

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        return self.drain.longest_seconds(groups)

    def run(self, fleet: Fleet) -> None:
        """Ask the host what runs; a host that does not say counts as busy."""
        script = service.has_ended(self.app.name, self.app.unit_name, self.app.port)
        try:
            has_ended = fleet.remote(self.host).ask(script)
        except (RemoteError, Unreachable):
            has_ended = False
        if not has_ended:
            self.drain.run(fleet)

    def __str__(self) -> str:
        return f"see that nothing runs in {self.app.unit_name}; otherwise {self.drain}"


LOOK_SECONDS, ASK_SECONDS, PAUSE_SECONDS = 1.0, 5.0, 0.5


def had_no_request(fleet: Fleet, drain: OnHost) -> bool:
    """Whether a target that this run registered, and took out again, never had a request.

    It was not registered at all, or AWS found it healthy at no time, while the group had enough
    healthy targets not to send to others. AWS may show that late, so it is waited until load
    balancers have surely heard of the deregistration; then no connection to it may be open.
    An address waits for its delay anyway.
    """
    at = fleet.marks(drain.host, drain.app)
    groups = fleet.groups[drain.app.name]
    if "DEREGISTERED" not in at or any(group.target_type == "ip" for group in groups):
        return False
    if "ASKED" not in at:
        return True
    if not {"REGISTERED", "UNSERVED"} <= at.keys():
        return False
    out, unserved = at["DEREGISTERED"], at["UNSERVED"]
    most_seconds = min(group.interval_seconds for group in groups)
    if not at["REGISTERED"] <= unserved <= out <= unserved + most_seconds:
        return False
    while (left := out + fleet.propagation_seconds - fleet.clock.monotonic()) > 0:
        fleet.tell(drain.host.name, f"never healthy, so it drains for {left:.0f} s more")
        fleet.clock.sleep(min(left, PAUSE_SECONDS))
    look = connections.established(drain.ports, LOOK_SECONDS)
    try:
        return not fleet.remote(drain.host).ask(look, LOOK_SECONDS + ASK_SECONDS)
    except (RemoteError, Unreachable):
        return False


def full_seconds(at: SlotOnHost, environment: Environment) -> float:
    """How long a slot's targets drain where that does not end earlier."""
    heard = environment.propagation_seconds
    watched = heard + watched_seconds(heard)
    return max([watched, *(each.delay_seconds for each in at.groups)])


def watched_seconds(propagation_seconds: float) -> float:
    """How long a drained port is watched at least, once load balancers know of the deregistration.

    Two samples, or as long as they need to learn of a deregistration, up to a limit.
    """
    return max(2 * SAMPLE_SECONDS, min(MOST_WATCHED_SECONDS, propagation_seconds))


def refusal(at: SlotOnHost) -> str:
    """Why a slot's drain must be the whole delay; empty where it may end when quiet."""
    return next(_objections(at), "")


def _objections(at: SlotOnHost) -> Iterator[str]:
    app, slot = at.app.settings, at.slot
    if not app.drains_on_sigterm:
        yield "it does not finish its requests on SIGTERM (drains_on_sigterm: false)"
    if app.stop_seconds < app.longest_request_seconds:
        yield (
            f"stop_timeout_seconds of {app.stop_seconds} s is under its longest request "
            f"({app.longest_request_seconds:g} s)"
        )
    if app.target_port is not None:
        yield (
            f"its requests come through port {app.target_port}, and what a proxy has under way "
            "does not show"
        )
    for group in at.groups:
        if group.protocol_version != "HTTP1":
            yield (
                f"target group {group.name} speaks {group.protocol_version}, whose connections "
                "carry many requests at once"
            )
        if group.target_type == "ip":
            yield (
                f"target group {group.name} has targets of type ip, whose addresses cannot come "
                "back before the delay is over"
            )
    if slot.replaces.is_running:
        yield f"it is unknown how {app.replaces}, which it replaces, handles SIGTERM"
    main = slot.unit_state.main_pid
    if main and slot.listeners and main not in {each.pid for each in slot.listeners}:
        yield (
            f"SIGTERM goes to process {main} of {at.unit_name}, and another one listens on port "
            f"{at.app.port}: a wrapper may not pass it on; let it end with `exec`"
        )
    if slot.unit_state.is_running and not slot.listeners:
        yield (
            f"no listener on port {at.app.port} is visible in the host's network namespace while "
            f"{at.unit_name} runs"
        )


def refusals(apps: Iterable[App], survey: Survey) -> list[str]:
    """A sentence for each app and reason for which drains are the whole delay, with its hosts."""
    found: list[str] = []
    for app in (each for each in apps if not each.is_worker):
        hosts: dict[str, list[str]] = {}
        for on in survey.everywhere(app):
            if why := refusal(on):
                hosts.setdefault(why, []).append(on.host.name)
        for why, names in hosts.items():
            where = "" if len(names) == len(survey.hosts) else f" on {', '.join(names)}"
            found.append(f"{app.name}: drains by the whole delay{where}: {why}")
    return found
