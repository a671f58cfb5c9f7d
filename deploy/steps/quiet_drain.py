"""Whether a drain may end when the host is quiet: what speaks against it, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import Survey


def full_seconds(at: SlotOnHost, environment: Environment) -> float:
    """How long a slot's targets drain where that does not end earlier."""
    return max([environment.propagation_seconds, *(each.delay_seconds for each in at.groups)])


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
