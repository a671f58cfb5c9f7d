"""The machines behind a target group, and the tags that select exactly these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders
import pytest
from paper_account import running

from deploy.aws.api.account import Account
from deploy.aws.targets import Health, State, Target
from deploy.errors import BadInput
from deploy.starter import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paper_account import Account as Paper

HEALTHY = Health(State.HEALTHY)


@pytest.fixture(scope="module")
def paper() -> Iterator[Paper]:
    with running() as account:
        yield account


@pytest.fixture
def account(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lab")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "lab")
    aws = {"region": "eu-west-1", "endpoint_url": paper.api.url}
    return Account(builders.environment(aws=aws))


def health(*ids: str, port: int = 5000) -> dict[Target, Health]:
    return {Target(id_, port): HEALTHY for id_ in ids}


def test_the_tags_are_those_that_select_the_targets_and_no_other(
    account: Account, paper: Paper
) -> None:
    ids = [*paper.instances.values()]
    found = fleet.read(account, builders.group(), health(*ids))
    assert {each.id for each in found.machines} == set(ids)
    assert found.tags == {"Environment": "lab"}
    assert found.ports == (5000,)
    assert fleet.read(account, builders.group(), health(ids[0])).tags == {}, "both carry it"


def test_a_group_of_addresses_leads_to_the_same_machines(account: Account, paper: Paper) -> None:
    group = builders.group(target_type="ip")
    found = fleet.read(account, group, health("10.88.0.11", "10.88.0.12", port=5001))
    assert {each.id for each in found.machines} == set(paper.instances.values())
    assert found.ports == (5001,)


def test_a_target_that_drains_says_nothing_about_the_port(account: Account, paper: Paper) -> None:
    ids = [*paper.instances.values()]
    drains = {Target(id_, 5000): Health(State.DRAINING) for id_ in ids}
    group = builders.group()
    assert fleet.read(account, group, drains | health(*ids, port=8080)).ports == (8080,)
    assert fleet.read(account, group, drains).ports == (5000,), "there is no other"


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ((), "has no targets"),
        (("i-00000000000000000",), "is the target i-00000000000000000; deregister it"),
    ],
)
def test_a_group_whose_hosts_are_not_known_is_refused(
    account: Account, targets: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        fleet.read(account, builders.group(), health(*targets))
