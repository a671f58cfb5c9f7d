"""Several problems are one error with all lines; a single one is raised as it is."""

from __future__ import annotations

import pytest

from deploy.checkup.refusals import Refusals
from deploy.errors import ApiError, BadInput, DeployError, NotAllowed


def refused(*errors: DeployError, **hosts: str) -> DeployError | None:
    """What is raised for these errors, noted one after the other, and problems of hosts."""
    refusals = Refusals()
    for error in errors:
        with refusals.noted():
            raise error
    refusals.of_hosts({name: (why,) for name, why in hosts.items()})
    assert bool(refusals) is bool(errors or hosts)
    try:
        refusals.raise_all()
    except DeployError as raised:
        return raised
    return None


def test_nothing_wrong_raises_nothing() -> None:
    assert refused() is None


def test_a_single_error_is_raised_as_it_is() -> None:
    error = ApiError("AWS: Boom", "Boom", may_pass=True)
    assert refused(error) is error
    assert refused(error, ApiError("AWS: Boom", "Boom", may_pass=True)) is error


def test_several_are_bad_input_with_all_lines_and_hosts_last() -> None:
    found = refused(NotAllowed("not allowed"), BadInput("a", "  b"), one="one: x", two="two: x")
    assert type(found) is BadInput
    assert found.args == ("not allowed", "a", "  b", "2 hosts (one, two): x")
    assert found.exit_code == 2


def test_what_is_met_at_each_host_again_is_said_once() -> None:
    """An ssh configuration that cannot be read, for instance."""
    error = BadInput("~/.ssh/config cannot be read")
    assert refused(error, one=str(error), two=str(error)) is error


def test_what_is_no_error_of_ours_ends_the_look() -> None:
    refusals = Refusals()
    with pytest.raises(ValueError, match="a defect"), refusals.noted():
        raise ValueError("a defect")
    assert not refusals
