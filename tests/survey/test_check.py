"""A worker is proven by its unit, and by its own command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import ConnectionLost, RemoteError
from deploy.survey import check, serving
from deploy.survey.check import WorkerCheck
from deploy.survey.question import Answer, Questions
from deploy.survey.slot import UnitState

if TYPE_CHECKING:
    from deploy.hosts.probe.request import Reply, Request
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")
COMMAND = {"command": "./jobs --check 'a b' pa$word", "timeout_seconds": 2.5}


@dataclass
class PaperHost:
    """A host whose unit is in a state, and whose commands print what they are given."""

    state: str = "active"
    said: str = "0"
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        del timeout_seconds
        self.asked.append(str(script))
        if self.error:
            raise self.error
        if script.name == "check":
            return script.parse(CommandResult("", 0, self.said, ""))
        shown = (f"show.ActiveState={self.state}", "show.LoadState=loaded")
        return script.parse(CommandResult("", 0, "", "", facts=shown))

    def probe(self, request: Request, seconds: float) -> Reply | None:
        raise AssertionError(f"a worker has no port: {request}, {seconds}")

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        raise AssertionError(f"a worker has no port: {place}, {seconds}")


def of(**settings: Any) -> WorkerCheck:
    app = builders.worker(**settings)
    on = builders.survey([builders.facts(1, {"jobs": builders.slot()})], apps=[app]).on(
        builders.host(), app
    )
    found = check.of(on)
    assert isinstance(found, WorkerCheck)
    return found


def test_an_app_in_a_group_is_asked_what_the_group_asks() -> None:
    app = builders.app()
    seen = builders.survey()
    assert isinstance(check.of(seen.on(builders.host(), app)), Questions)


@pytest.mark.parametrize(
    ("health", "host", "expected"),
    [
        ({}, PaperHost(), Answer("", "state active", is_expected=True)),
        ({}, PaperHost("activating"), Answer("", "state activating", is_expected=False)),
        (COMMAND, PaperHost(said="fine\n0"), Answer("", "exit code 0", is_expected=True)),
        (
            COMMAND,
            PaperHost(said="a queue\nis down\n\n3\n"),
            Answer(
                "",
                "exit code 3, not 0, of `./jobs --check 'a b' pa$word` (is down)",
                is_expected=False,
            ),
        ),
        (
            COMMAND,
            PaperHost(said="working\n124"),
            Answer(
                "",
                "no end of `./jobs --check 'a b' pa$word` within 2.5 s (working)",
                is_expected=False,
            ),
        ),
        (COMMAND, PaperHost("failed"), Answer("", "state failed", is_expected=False)),
    ],
)
def test_what_a_worker_must_pass(health: dict[str, Any], host: PaperHost, expected: Answer) -> None:
    assert of(health=health).ask(host, 0) == expected


def test_a_command_runs_as_the_service_does_and_keeps_secrets_out_of_its_words() -> None:
    host = PaperHost()
    settings = {
        "health": COMMAND,
        "environment": {"MODE": "fast"},
        "environment_file": "/etc/jobs.env",
        "sandbox": {"ProtectHome": False},
        "user": "svc",
    }
    of(**settings).ask(host, 0)
    (ran,) = [each for each in host.asked if each.startswith("run_check")]
    for part in (
        "--property=User=svc",
        "--property=Group=web",
        "--property=BindReadOnlyPaths=/srv/jobs/slots/0:/srv/jobs/current",
        "--property=RuntimeMaxSec=6",
        "--property=EnvironmentFile=/etc/jobs.env",
        "--property=ProtectSystem=full",
        "--setenv=MODE=fast",
        "./jobs --check 'a b' 'pa$$word'",
    ):
        assert part in ran
    assert "ProtectHome" not in ran


@pytest.mark.parametrize("said", ["217", "Failed to start transient service unit: no bus\n1"])
def test_what_systemd_cannot_run_is_no_fault_of_the_release(said: str) -> None:
    with pytest.raises(RemoteError, match=r"systemd could not run `./jobs") as caught:
        of(health=COMMAND).ask(PaperHost(said=said), 0)
    assert not caught.value.blames_release


def test_a_command_may_take_all_the_time_of_the_settings() -> None:
    host = PaperHost()
    of(health=COMMAND | {"timeout_seconds": 100}).ask(host, 0)
    assert "run_check 300 100 " in host.asked[-1]
    of(health=COMMAND | {"timeout_seconds": 100}).ask(host, 0, 7.0)
    assert "run_check 300 7 " in host.asked[-1]


def test_an_answer_that_is_none_of_the_programs_fails() -> None:
    host = PaperHost(said="")
    assert not of(health=COMMAND).ask(host, 0).is_expected


def test_the_unit_that_a_worker_replaces_has_no_command() -> None:
    found = of(health=COMMAND).of_previous("old.service")
    assert (found.unit_name, found.command) == ("old.service", None)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (PaperHost(), ()),
        (
            PaperHost(said="1"),
            (
                "host-1: jobs@0.service runs, and does not pass its check now: exit code 1, not 0, "
                "of `./jobs --check 'a b' pa$word`",
            ),
        ),
        (PaperHost(error=ConnectionLost("host-1: gone")), ("host-1: gone",)),
    ],
)
def test_a_worker_that_fails_its_check_now_is_named_and_not_refused(
    host: PaperHost, said: tuple[str, ...]
) -> None:
    app = builders.worker(health=COMMAND)
    seen = builders.survey([builders.facts(1, {"jobs": builders.slot()})], apps=[app])
    assert serving.failing_workers(seen, [app], {"host-1": host}) == said
    assert serving.verdict(seen, [app], {"host-1": host}) == serving.Verdict({})


def test_a_worker_that_does_not_run_is_not_asked() -> None:
    app = builders.worker(health=COMMAND)
    facts = builders.facts(1, {"jobs": builders.slot(unit_state=UnitState())})
    seen, host = builders.survey([facts], apps=[app]), PaperHost()
    assert serving.failing_workers(seen, [app], {"host-1": host}) == ()
    assert host.asked == []
