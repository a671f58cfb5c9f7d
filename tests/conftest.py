"""The fast tests see the project and each other's builders from wherever pytest is started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent

for folder in (TESTS.parent, TESTS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

settings.register_profile("project", deadline=None, max_examples=60)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run in CI as elsewhere: a test that is about CI sets its variable itself."""
    from deploy.ci_system import VARIABLES  # noqa: PLC0415 - the path is set above

    for name in (*VARIABLES, "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_cache_of_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A command in a test neither reads nor fills the cache of whoever runs the tests."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / name.lower()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each control as often as CONTROLS says: `CONTROLS=20 pytest -k test_control_`."""
    times = int(os.environ.get("CONTROLS", "1"))
    if times > 1 and metafunc.function.__name__.startswith("test_control_"):
        metafunc.fixturenames.append("turn")
        metafunc.parametrize("turn", range(1, times + 1))
