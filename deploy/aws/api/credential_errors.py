"""Why AWS credentials cannot be obtained, in words that say what to do next. Pure."""

from __future__ import annotations

from json import JSONDecodeError

import botocore.exceptions
from botocore.exceptions import (
    CredentialRetrievalError,
    MissingDependencyException,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    RefreshWithMFAUnsupportedError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from deploy.errors import BadInput, CredentialsRefused
from deploy.foreign_text import visible

LOGIN_ERRORS: tuple[type[Exception], ...] = tuple(
    kind for name, kind in vars(botocore.exceptions).items() if name == "LoginError"
)
"""What `aws login` left cannot be used; an older botocore, which cannot log in so, has no name."""


def in_one_line(error: object, most: int = 1000) -> str:
    """An error's text without line breaks, and with nothing that a terminal would obey."""
    return visible(" ".join(str(error).split()), most)


def first_line(error: object) -> str:
    """An error's first line; a parser's may quote all that it was given."""
    return in_one_line((str(error).splitlines() or [""])[0], 200)


def of_profile(name: str | None) -> str:
    """Whose credentials they are, as a part of a sentence; empty without a profile."""
    return f" for profile {name!r}" if name else ""


def login(name: str | None, command: str = "aws sso login") -> str:
    """What logs in again."""
    return f"`{command}{f' --profile {name}' if name else ''}`"


def of(error: Exception, name: str | None) -> BadInput | None:
    """What keeps credentials from being had; None for another error.

    name: the profile's, where the settings name one. CredentialsRefused where renewed ones help.
    """
    return _unfit(error, name) or _over(error, name)


def _unfit(  # noqa: PLR0911 - a table of errors
    error: Exception, name: str | None
) -> BadInput | None:
    """What has to be set up otherwise."""
    profile = of_profile(name)
    match error:
        case PartialCredentialsError():
            return BadInput(
                f"the AWS credentials{profile} are incomplete: {error.kwargs.get('cred_var')} is "
                f"missing ({error.kwargs.get('provider')}); add it, or remove the rest of them"
            )
        case NoCredentialsError():
            return BadInput(
                f"no AWS credentials{profile}: log in with {login(name)}, set AWS_PROFILE, "
                "or name a profile in fabric.yaml under `aws:`"
            )
        case ProfileNotFound() if not error.kwargs.get("profile", name):
            return BadInput("AWS_PROFILE is set and empty: unset it, or let it name a profile")
        case ProfileNotFound():
            return BadInput(
                f"AWS profile {error.kwargs.get('profile', name)!r} does not exist; "
                "`aws configure list-profiles` shows those that do"
            )
        case NoRegionError():
            return BadInput(
                "no AWS region: set `region:` under `aws:` in fabric.yaml, or AWS_DEFAULT_REGION "
                "(botocore does not read AWS_REGION)"
            )
        case EOFError():
            return BadInput(
                f"AWS credentials{profile} need an MFA code, and there is no terminal to type "
                "it on: get a session first (`aws sts get-session-token`), or use a profile "
                "without MFA"
            )
        case MissingDependencyException():
            return BadInput(
                f"the AWS credentials{profile} cannot be used: {in_one_line(error)} Install that "
                'where Changeover is, or export them: eval "$(aws configure export-credentials '
                f'--format env{f" --profile {name}" if name else ""})"'
            )
        case _:
            return None


def _over(error: Exception, name: str | None) -> CredentialsRefused | None:
    """What has to be renewed."""
    profile = of_profile(name)
    match error:
        case _ if isinstance(error, LOGIN_ERRORS):
            again = login(name, "aws login")
            return CredentialsRefused(
                f"the AWS login{profile} cannot be used: {in_one_line(error)}; run {again}"
            )
        case TokenRetrievalError() | CredentialRetrievalError():
            return CredentialsRefused(
                f"AWS credentials{profile} could not be had: {in_one_line(error)}"
            )
        case RefreshWithMFAUnsupportedError():
            return CredentialsRefused(
                f"the AWS session{profile} is over, and a new one needs an MFA code: run the "
                "same command again, which asks for it"
            )
        case SSOError() | UnauthorizedSSOTokenError():
            return CredentialsRefused(f"the AWS login{profile} is over: run {login(name)}")
        case RuntimeError() if not isinstance(error, RecursionError):
            # Keys of the environment are read once: botocore finds them expired there again.
            return CredentialsRefused(
                f"AWS credentials{profile} could not be renewed: {first_line(error)}; export "
                f"new ones, or use a profile and {login(name)}"
            )
        case _:
            return None


def unforeseen(error: Exception, where: str, name: str | None) -> BadInput:
    """What no call of ours came to, for a reason that botocore has no error of its own for.

    A profile's `credential_process` may be missing, or print something else, and `endpoint_url`
    be no URL.
    """
    said = in_one_line(error)
    if isinstance(error, JSONDecodeError):
        said = f"the profile's `credential_process` printed no JSON ({said})"
    return BadInput(
        f"{where} could not be called{of_profile(name)}: {said}; check `aws:` in "
        "fabric.yaml, the profile in ~/.aws/config, and the variables that begin with AWS_"
    )
