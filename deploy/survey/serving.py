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
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey
    from deploy.survey.question import Asked

TRIES, PAUSE_SECONDS = 3, 0.5


def unanswered(
    survey: Survey, apps: Iterable[App], remotes: Mapping[str, Asked]
) -> dict[str, tuple[str, ...]]:
    """Ask every app that AWS calls healthy, on every host, up to three times.

    Returns, by host name, what did not pass, with the question and the answer.
    """
    due = [on for app in apps for on in survey.everywhere(app) if _serves(on)]
    found: dict[str, tuple[str, ...]] = {}
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        for on, problem in zip(due, pool.map(lambda on: _problem(on, remotes), due), strict=True):
            if problem:
                found[on.host.name] = (*found.get(on.host.name, ()), problem)
    return found


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
