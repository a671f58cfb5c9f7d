"""The product's own client meets the errors by which AWS throttles: it waits, or says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import builders
import pytest
from paper_account import running

from deploy.aws import instances
from deploy.aws.api.account import Account
from deploy.aws.target_groups import Balancer
from deploy.errors import ApiError, BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import paper_account

TRIES = 6
TAGS = {"Environment": "lab"}


@pytest.fixture(scope="module")
def api() -> Iterator[paper_account.Account]:
    with running() as account:
        yield account


@pytest.fixture
def paper(api: paper_account.Account) -> paper_account.Account:
    api.reset()
    return api


@pytest.fixture
def product(paper: paper_account.Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """What a session opens: with the real retries of boto3."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lab")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "lab")
    aws = {"region": "eu-west-1", "endpoint_url": paper.api.url}
    return Account(builders.environment(aws=aws))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Acts that are done in place of the next pauses between two tries; none is waited for."""
    acts: list[Callable[[], object]] = []

    def sleep(seconds: float) -> None:
        assert seconds >= 0
        if acts:
            acts.pop(0)()

    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=sleep))
    return acts


def use_up(paper: paper_account.Account) -> None:
    """Make so many calls to EC2 that the next one is throttled, as others in the account do."""
    paper.knobs.update({"throttle": True})
    others = paper.client("ec2")
    for _ in range(100):
        others.describe_instances()
    paper.calls.clear()


def test_hosts_are_found_once_ec2_throttles_no_more(
    paper: paper_account.Account, product: Account, pauses: list[Callable[[], object]]
) -> None:
    use_up(paper)
    pauses += [lambda: None, lambda: paper.knobs.update({"throttle": False})]
    assert len(instances.tagged(product, TAGS)) == 2
    assert paper.calls.counts() == {"DescribeInstances": 3}


def test_an_ec2_that_goes_on_to_throttle_is_named_and_may_pass(
    paper: paper_account.Account, product: Account, pauses: list[Callable[[], object]]
) -> None:
    use_up(paper)
    assert not pauses
    with pytest.raises(ApiError, match=r"ec2.describe_instances.*RequestLimitExceeded") as error:
        instances.tagged(product, TAGS)
    assert error.value.may_pass
    assert paper.calls.counts() == {"DescribeInstances": TRIES}


def test_credentials_are_verified_once_sts_throttles_no_more(
    paper: paper_account.Account, product: Account, pauses: list[Callable[[], object]]
) -> None:
    paper.knobs.update({"api_error": "Throttling"})
    pauses += [lambda: paper.knobs.update({"api_error": None})]
    assert product.verify().startswith("arn:aws:")
    assert paper.calls.counts() == {"GetCallerIdentity": 2}


def test_an_sts_that_goes_on_to_throttle_blames_no_credentials(
    paper: paper_account.Account, product: Account, pauses: list[Callable[[], object]]
) -> None:
    assert not pauses
    paper.knobs.update({"api_error": "Throttling"})
    with pytest.raises(BadInput, match=r"Throttling.*your network") as error:
        product.verify()
    assert "~/.aws" not in str(error.value)
    assert paper.calls.counts() == {"GetCallerIdentity": TRIES}


def test_health_is_read_once_elb_throttles_no_more(
    paper: paper_account.Account, product: Account, pauses: list[Callable[[], object]]
) -> None:
    group = Balancer(product).group("web-lab")
    paper.knobs.update({"api_error": "ThrottlingException"})
    pauses += [lambda: paper.knobs.update({"api_error": None})]
    assert len(Balancer(product).health(group)) == 2
