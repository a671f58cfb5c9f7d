"""Which CI system runs this process, who triggered its run, and where that run is shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_OF_A_NAME = 100
RUN_ADDRESSES = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")


class CiSystem(NamedTuple):
    """A CI system, by the variables that it sets in each step.

    Attributes:
        name: What people call it.
        variable: The one by which it is recognized; `0`, `false` or nothing counts as not set.
        people: Those with the person who triggered the run; the first that is set counts.
    """

    name: str
    variable: str
    people: tuple[str, ...] = ()


GITHUB = CiSystem("GitHub Actions", "GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"))
GITLAB = CiSystem("GitLab", "GITLAB_CI", ("GITLAB_USER_LOGIN",))
AZURE = CiSystem("Azure Pipelines", "TF_BUILD", ("BUILD_REQUESTEDFOR",))
SYSTEMS = (
    GITHUB,
    GITLAB,
    AZURE,
    # A deploy often waits behind a block step: who unblocked it started it.
    CiSystem("Buildkite", "BUILDKITE", ("BUILDKITE_UNBLOCKER", "BUILDKITE_BUILD_CREATOR")),
    CiSystem("CircleCI", "CIRCLECI", ("CIRCLE_USERNAME",)),
    CiSystem("Bitbucket", "BITBUCKET_BUILD_NUMBER", ("BITBUCKET_STEP_TRIGGERER_UUID",)),
    # Its plug-in "build user vars" sets them.
    CiSystem("Jenkins", "JENKINS_URL", ("BUILD_USER_ID", "BUILD_USER")),
    CiSystem("CodeBuild", "CODEBUILD_BUILD_ID", ("CODEBUILD_INITIATOR",)),
    CiSystem("TeamCity", "TEAMCITY_VERSION"),
    CiSystem("Travis CI", "TRAVIS"),
)
VARIABLES = ("CI", *(each.variable for each in SYSTEMS))
"""By which a CI system is recognized; most set `CI` beside their own."""


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether a CI system runs this: there no table is drawn and nothing is asked."""
    return any(_is_set(environ, name) for name in VARIABLES)


def running(environ: Mapping[str, str]) -> CiSystem | None:
    """The CI system that runs this; None for one that is not known, and outside of CI."""
    return next((each for each in SYSTEMS if _is_set(environ, each.variable)), None)


def person(environ: Mapping[str, str]) -> str:
    """The person who triggered the run, and the CI system: `ana (GitHub Actions)`; or empty.

    It is written into locks and records, so nothing in it acts, and it is not long.
    """
    system = running(environ)
    names = [environ.get(each, "") for each in system.people] if system else []
    name = next((each for each in names if each.strip()), "")
    return f"{visible(name.strip(), MOST_OF_A_NAME)} ({system.name})" if system and name else ""


def run_address(environ: Mapping[str, str]) -> str:
    """The address of the CI run that this process is part of; empty where none is known."""
    if "GITHUB_RUN_ID" in environ:
        words = (environ.get(key, "") for key in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
        return "/".join((*words, "actions/runs", environ["GITHUB_RUN_ID"]))
    if "BUILD_BUILDID" in environ:  # Azure Pipelines
        base = environ.get("SYSTEM_COLLECTIONURI", "") + environ.get("SYSTEM_TEAMPROJECT", "")
        return f"{base}/_build/results?buildId={environ['BUILD_BUILDID']}"
    if origin := environ.get("BITBUCKET_GIT_HTTP_ORIGIN"):
        return f"{origin}/pipelines/results/{environ.get('BITBUCKET_BUILD_NUMBER', '')}"
    return next((environ[key] for key in RUN_ADDRESSES if environ.get(key)), "")


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() not in {"", "0", "false"}
