"""Checks that the serving release passes the health check that the new one must pass.

A question that a healthy service does not pass is a wrong question. Found out later, after a drain,
it would fail the previous release too, and leave the host out of service.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.aws.targets import ProtocolVersion, State
from deploy.clock import CLOCK
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.scripts import probe
from deploy.survey.check import WorkerCheck
from deploy.survey.question import Question, Questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.check import Host
    from deploy.survey.facts import Survey
    from deploy.survey.question import Answer, Prober

TRIES, PAUSE_SECONDS = 3, 0.5
FORWARDS_SECONDS = 5.0
OVER = {ProtocolVersion.HTTP2: "HTTP/2", ProtocolVersion.HTTP1: "HTTP/1.1"}


@dataclass(frozen=True)
class Verdict:
    """The hosts' answers to the health checks of the new release.

    Attributes:
        problems: By host name, what did not pass or cannot be asked, with question and answer.
        notes: For each target group of version HTTP2, which protocol answered, one line each.
    """

    problems: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


@dataclass
class _Outcome:
    """Why an app on a host does not pass, and how it answered each group's question."""

    problem: str = ""
    versions: dict[str, ProtocolVersion] = field(default_factory=dict)


def verdict(survey: Survey, apps: Iterable[App], remotes: Mapping[str, Prober]) -> Verdict:
    """Ask every app that a group calls healthy, on every host, what that group asks.

    Each is asked up to three times. Where nothing serves yet, it is only seen whether a question
    over HTTP/2 or gRPC could be asked at all.
    """
    due = [on for app in apps if not app.is_worker for on in survey.everywhere(app)]
    passed = set[str]()
    sick: list[tuple[AppOnHost, str]] = []
    problems: dict[str, tuple[str, ...]] = {}
    over: dict[str, dict[str, list[str]]] = {}
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        outcomes = pool.map(lambda on: _outcome(on, remotes[on.host.name]), due)
        for on, outcome in zip(due, outcomes, strict=True):
            if outcome.problem:
                sick.append((on, outcome.problem))
            elif serves(on):
                passed.add(on.app.name)
            for group, version in outcome.versions.items():
                over.setdefault(group, {}).setdefault(OVER[version], []).append(on.host.name)
    notes = [_note(*each) for each in over.items()]
    for on, problem in sick:
        # Behind a shared proxy AWS's word is about another app. A question that this app passes
        # on other hosts is right, and it is the app that is sick here.
        if survey.partners.get(on.app.name) and on.app.name in passed:
            notes.append(f"{on.host}: {on.app.name} does not answer as on other hosts: {problem}")
        else:
            problems[on.host.name] = (*problems.get(on.host.name, ()), problem)
    return Verdict(problems, tuple(notes))


def _note(group: str, hosts: Mapping[str, Iterable[str]]) -> str:
    """hosts: their names, by the protocol that they answered over."""
    ways = [f"over {way} on {', '.join(names)}" for way, names in hosts.items()]
    if len(hosts) == 1:
        ways = [f"over {way}" for way in hosts]
    return f"target group {group} speaks HTTP/2: what serves answers its question {', '.join(ways)}"


def failing_workers(
    survey: Survey, apps: Iterable[App], remotes: Mapping[str, Host]
) -> tuple[str, ...]:
    """Return a line for each worker that runs and does not pass its own check command now.

    That is no reason to refuse a release: it may be what brings the command, or repairs the worker.
    """
    due = [
        on
        for app in apps
        if app.is_worker and app.health.command
        for on in survey.everywhere(app)
        if on.slot.unit_state.active == "active"
    ]
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
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


def serves(on: AppOnHost) -> bool:
    """Whether an app is known to serve on a host: a group calls it healthy, and it runs."""
    runs = on.slot.unit_state.is_running or bool(on.previous_unit)
    return on.is_healthy_somewhere and runs


def _outcome(on: AppOnHost, host: Prober) -> _Outcome:
    try:
        if problem := _unaskable(on, host):
            return _Outcome(problem)
    except DeployError as error:
        return _Outcome(str(error))
    if not serves(on):
        return _Outcome()
    # A group that finds it unhealthy says nothing about its own question.
    healthy = (each for each in on.memberships if each.health.state is State.HEALTHY)
    return _asked(replace(on, memberships=tuple(healthy)), host)


def _unaskable(on: AppOnHost, host: Prober) -> str:
    """Why the host cannot be asked a question over HTTP/2 or gRPC; empty where it can be.

    That an old release answers HTTP/1.1 too does not show that the new one will.
    """
    for each in on.memberships:
        version = each.group.protocol_version
        if version is not ProtocolVersion.HTTP1:
            question = Question.of(on, each)
            place = (question.address, question.port or on.app.port)
            if not host.forwards(place, FORWARDS_SECONDS):
                return f"{probe.unaskable(on.host.name, version)} (target group {each.group.name})"
    return ""


def _asked(on: AppOnHost, host: Prober) -> _Outcome:
    """Ask the slot in use what the groups ask that it has here."""
    questions, text = Questions.of(on), ""
    for number in range(TRIES):
        if number:
            CLOCK.sleep(PAUSE_SECONDS)
        try:
            answers = dict(questions.answers(host, on.app.port))
        except DeployError as error:
            text = str(error)
            continue
        answer = list(answers.values())[-1]
        if answer.is_expected:
            return _Outcome(versions=_versions(on, answers))
        text = answer.text
        if len(questions.each) > 1:
            text += f" on port {answer.place}"
    unit, names = on.previous_unit or on.unit_name, [group.name for group in on.groups]
    groups = f"{' and '.join(names)} call{'s' if len(names) == 1 else ''} it"
    return _Outcome(
        f"{on.host}: {unit} serves and {groups} healthy, but it does not pass "
        f"what a new release would have to: {questions.shown(on.app.port)} brought {text}; let "
        f"`health:` of {on.app.name} ask what the load balancer's check asks"
    )


def _versions(on: AppOnHost, answers: Mapping[Question, Answer]) -> dict[str, ProtocolVersion]:
    """How each group of version HTTP2 was answered, by its name."""
    found: dict[str, ProtocolVersion] = {}
    for each in on.memberships:
        answer = answers.get(Question.of(on, each))  # behind a proxy, it is asked otherwise
        is_http2 = each.group.protocol_version is ProtocolVersion.HTTP2
        if answer and answer.version and is_http2:
            found[each.group.name] = answer.version
    return found
