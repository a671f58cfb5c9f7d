"""Whether what serves now passes the question that a new release will have to pass.

A question that a healthy service does not pass is a wrong question. Found out later, after a drain,
it would fail the previous release too, and leave the host out of service.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.errors import DeployError
from deploy.hosts.ssh.remote import MOST_AT_ONCE
from deploy.survey.check import WorkerCheck
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.check import Host
    from deploy.survey.facts import Survey
    from deploy.survey.question import Asked

TRIES, PAUSE_SECONDS = 3, 0.5


def unanswered(
    survey: Survey, apps: Iterable[App], remotes: Mapping[str, Asked]
) -> dict[str, tuple[str, ...]]:
    """Ask every app that AWS calls healthy, on every host, up to three times.

    Returns, by host name, what did not pass, with the question and the answer.
    """
    served = [app for app in apps if not app.is_worker]
    due = [on for app in served for on in survey.everywhere(app) if _serves(on)]
    found: dict[str, tuple[str, ...]] = {}
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        for on, problem in zip(due, pool.map(lambda on: _problem(on, remotes), due), strict=True):
            if problem:
                found[on.host.name] = (*found.get(on.host.name, ()), problem)
    return found


def failing_workers(
    survey: Survey, apps: Iterable[App], remotes: Mapping[str, Host]
) -> tuple[str, ...]:
    """What to say of workers that run and do not pass their own command now, one line each.

    That is no reason to refuse a release: it may be what brings the command, or repairs the worker.
    """
    due = [
        on
        for app in apps
        if app.is_worker and app.health.command
        for on in survey.everywhere(app)
        if on.slot.unit_state.active == "active"
    ]
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        found = pool.map(lambda on: _failing(on, remotes[on.host.name]), due)
        return tuple(text for text in found if text)


def _failing(on: AppOnHost, host: Host) -> str:
    try:
        answer = WorkerCheck.of(on).ask(host, on.app.port)
    except DeployError as error:
        return str(error)
    if answer.is_expected:
        return ""
    return f"{on.host}: {on.unit_name} runs, and does not pass its check now: {answer.text}"


def _serves(on: AppOnHost) -> bool:
    return on.is_healthy and (on.slot.unit_state.is_running or bool(on.previous_unit))


def _problem(on: AppOnHost, remotes: Mapping[str, Asked]) -> str:
    """Why the slot in use does not pass; empty where it does."""
    questions, text = Questions.of(on), ""
    for number in range(TRIES):
        if number:
            CLOCK.sleep(PAUSE_SECONDS)
        try:
            answer = questions.ask(remotes[on.host.name], on.app.port)
        except DeployError as error:
            text = str(error)
            continue
        if answer.is_expected:
            return ""
        text = answer.text
        if len(questions.each) > 1:
            text += f" on port {answer.place}"
    unit, names = on.previous_unit or on.unit_name, [group.name for group in on.groups]
    groups = f"{' and '.join(names)} call{'s' if len(names) == 1 else ''} it"
    return (
        f"{on.host}: {unit} serves and {groups} healthy, but it does not pass "
        f"what a new release would have to: {questions.shown(on.app.port)} brought {text}; let "
        f"`health:` of {on.app.name} ask what the load balancer's check asks"
    )
