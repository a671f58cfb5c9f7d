"""The fixtures of commands that run on a fleet on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import loopback
import pytest
from loopback import Project
from paper_account import running

from deploy.hosts import ownership
from lab.targets import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paper_account import Account


@pytest.fixture(scope="module")
def running_account() -> Iterator[Account]:
    with running(loopback.SUBNET, loopback.instances()) as account:
        yield account


@pytest.fixture
def account(running_account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account whose targets are all registered and healthy, and the keys to it."""
    running_account.reset()
    for _ in range(2):
        running_account.check(Outcome(status=200))
    running_account.calls.clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lab")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "lab")
    return running_account


@pytest.fixture
def project(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    # The folders' files are those of the user that runs the tests, not root's.
    monkeypatch.setattr(ownership, "refuse_wrong", lambda *_: None)
    with Project(tmp_path, account) as made:
        yield made
