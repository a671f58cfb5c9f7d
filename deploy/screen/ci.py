"""Whether a CI system runs this: there no table is drawn and nothing is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


# What CI systems set in each step; `0`, `false` or nothing counts as not set.
CI_VARIABLES = (
    "CI",
    "GITHUB_ACTIONS",
    "TF_BUILD",
    "BUILDKITE",
    "JENKINS_URL",
    "GITLAB_CI",
    "CIRCLECI",
    "TEAMCITY_VERSION",
    "TRAVIS",
    "CODEBUILD_BUILD_ID",
    "BITBUCKET_BUILD_NUMBER",
)


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether a CI system runs this."""
    return any(environ.get(name, "").lower() not in {"", "0", "false"} for name in CI_VARIABLES)
