"""Which CI system runs a deploy, who started it, and where its run is shown."""

from __future__ import annotations

import pytest

from deploy import ci_system
from deploy.ci_system import run_address
from deploy.events.event import RunBegan
from deploy.hosts import records
from deploy.hosts.lock.holder import Holder
from deploy.run import as_events
from deploy.settings.scope import Scope

GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ana"}


@pytest.mark.parametrize(
    ("environ", "is_ci"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"CI": "1"}, True),
        ({"CI": "false"}, False),
        ({"CI": "0"}, False),
        ({"CI": ""}, False),
        ({"TF_BUILD": "True"}, True),
        ({"JENKINS_URL": "https://jenkins.example"}, True),
    ],
)
def test_a_ci_system_is_recognized_by_its_variables(environ: dict[str, str], is_ci: bool) -> None:
    assert ci_system.is_ci(environ) is is_ci


PEOPLE = {
    "a person at a keyboard": ({"GITHUB_ACTOR": "ana"}, ""),
    "GitHub": (GITHUB, "ana (GitHub Actions)"),
    "GitHub, run again by another": (
        GITHUB | {"GITHUB_TRIGGERING_ACTOR": "ben"},
        "ben (GitHub Actions)",
    ),
    "GitLab": ({"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ana"}, "ana (GitLab)"),
    "Azure": ({"TF_BUILD": "True", "BUILD_REQUESTEDFOR": "Ana B"}, "Ana B (Azure Pipelines)"),
    "Buildkite": ({"BUILDKITE": "true", "BUILDKITE_BUILD_CREATOR": "Ana"}, "Ana (Buildkite)"),
    "Buildkite, unblocked": (
        {"BUILDKITE": "true", "BUILDKITE_BUILD_CREATOR": "Ana", "BUILDKITE_UNBLOCKER": "Ben"},
        "Ben (Buildkite)",
    ),
    "CircleCI": ({"CIRCLECI": "true", "CIRCLE_USERNAME": "ana"}, "ana (CircleCI)"),
    "Jenkins": ({"JENKINS_URL": "x", "BUILD_USER_ID": "ana"}, "ana (Jenkins)"),
    "Bitbucket": (
        {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_STEP_TRIGGERER_UUID": "{a-b}"},
        "{a-b} (Bitbucket)",
    ),
    "no name": ({"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": " "}, ""),
    "a system that names nobody": ({"TRAVIS": "true"}, ""),
    "an unknown system": ({"CI": "true", "GITHUB_ACTOR": "ana"}, ""),
    "a name that acts": (
        {"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "a\x1b[1A\n::x::"},
        r"a\x1b[1A\x0a::x:: (GitLab)",
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_the_person_who_started_the_run_is_named(name: str) -> None:
    environ, expected = PEOPLE[name]
    assert ci_system.person(environ) == expected
    if expected:
        assert records.author(environ) == expected


def test_a_name_of_any_length_fits_a_record_and_a_lock() -> None:
    by = records.author(GITHUB | {"GITHUB_ACTOR": "\u00fc" * 5000})
    assert len(by) < 150
    assert records.Record.parse(records.Record("1.0.0-" + "a" * 12, "b" * 12, by=by).as_line())
    assert Holder.parse(Holder.of_this_process(by, "deploy", 30).as_line())


def test_outside_of_ci_the_user_and_the_workstation_are_named() -> None:
    assert "@" in records.author({})


def test_the_first_event_of_a_run_names_person_and_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = GITHUB | {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "5",
    }
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    began = as_events.run_began(Scope("prod"), "0" * 32)
    assert isinstance(began, RunBegan)
    assert began.by == "ana (GitHub Actions)"
    assert began.address == "https://github.com/a/b/actions/runs/5"


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({}, ""),
        (
            {
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "5",
            },
            "https://github.com/a/b/actions/runs/5",
        ),
        ({"CI_JOB_URL": "https://gitlab.example/j/1"}, "https://gitlab.example/j/1"),
        ({"BUILD_URL": "https://jenkins.example/1"}, "https://jenkins.example/1"),
        (
            {
                "BITBUCKET_GIT_HTTP_ORIGIN": "https://bitbucket.org/a/b",
                "BITBUCKET_BUILD_NUMBER": "9",
            },
            "https://bitbucket.org/a/b/pipelines/results/9",
        ),
        (
            {
                "BUILD_BUILDID": "7",
                "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/",
                "SYSTEM_TEAMPROJECT": "p",
            },
            "https://dev.azure.com/o/p/_build/results?buildId=7",
        ),
    ],
)
def test_a_ci_run_is_named(environ: dict[str, str], address: str) -> None:
    assert run_address(environ) == address
