"""A release that does not start is found out before the first drain, and blamed on no release."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import ConnectionLost, Unfit
from deploy.hosts.probe.request import Reply, Request
from deploy.plan import assembly
from deploy.recovery import repair
from deploy.steps.fleet import Fleet, Stopped
from deploy.steps.rehearsal import EndRehearsal, RehearseRelease
from deploy.survey.check import WorkerCheck, of_rehearsal
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")
WEB = builders.app("web", 5000, rehearse="start", start_timeout_seconds=2, prove_seconds=0.5)
UNITS = ((20001, "one"), (20002, "two"))


@dataclass
class PaperHost:
    """A host that starts a trial on a port; it answers a code, or its unit is in a state."""

    port: str = "20002"
    code: int | None = 200
    state: str = "active"
    journal: str = "web: started"
    error: Exception | None = None
    did: list[str] = field(default_factory=list)

    def send(self, app: str, script: Script[T], source: Any, timeout_seconds: float) -> T:
        del app, timeout_seconds
        self.did.append(f"{script} <{source.read().decode()}>")
        if self.error:
            raise self.error
        return script.parse(CommandResult("", 0, f"{self.port}\n", ""))

    def change(self, app: str, script: Script[T], timeout_seconds: float = 0) -> T:
        del app, timeout_seconds
        self.did.append(str(script))
        return script.parse(CommandResult("", 0, "", ""))

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        del timeout_seconds
        self.did += [str(script)] if "journal" in str(script) else []
        shown = [f"show.ActiveState={self.state}", "show.LoadState=loaded", "show.Result=exit-code"]
        shown += ["show.InvocationID=0123456789abcdef0123456789abcdef"]
        return script.parse(CommandResult("", 0, self.journal, "", facts=tuple(shown)))

    def probe(self, request: Request, seconds: float) -> Reply | None:
        del seconds
        self.did.append(f"asked {request.port}")
        return None if self.code is None else Reply(self.code)


def run(host: PaperHost, *, stop: bool = False, **group: Any) -> list[str]:
    facts = builders.facts(1, {"web": builders.slot()})
    on = builders.survey([facts], apps=[WEB], **group).on(builders.host(), WEB)
    said: list[str] = []
    fleet = Fleet(
        remotes={"host-1": cast("Any", host)},
        groups={},
        registrar=cast("Any", None),
        poller=cast("Any", None),
        tell=lambda _, text: said.append(text),
    )
    if stop:
        fleet.stop.set()
    step = RehearseRelease(on.host, on.app, builders.NEW, UNITS, of_rehearsal(on))
    step.run(fleet)
    return said


def test_it_is_asked_on_the_port_that_was_free_and_ended() -> None:
    host = PaperHost()
    run(host)
    assert host.did == [
        "start_trial changeover-start.web.service 20001 3 20002 3 <onetwo>",
        "asked 20002",
        "end_trial changeover-start.web.service",
    ]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (PaperHost(code=503), "answer 503, not 200 for 2 s"),
        (PaperHost(code=None, state="failed"), "it ended (result: exit-code)"),
        (PaperHost(port=""), "no port is free for it"),
    ],
    ids=["sick", "ended", "no port"],
)
def test_one_that_does_not_start_is_unfit_with_its_journal(host: PaperHost, said: str) -> None:
    host.journal = "web: it failed"
    with pytest.raises(Unfit) as caught:
        run(host)
    assert said in str(caught.value)
    assert host.did[-1].startswith("end_trial")
    if host.port:
        assert "  | web: it failed" in str(caught.value)
        assert "journal_of 0123456789abcdef0123456789abcdef 0 400" in host.did, (
            "of this start alone"
        )


@pytest.mark.parametrize(
    "line",
    ["[Errno 98] Address already in use", "EADDRINUSE: :::9000", "Port 9000 was already in use."],
)
def test_a_port_of_its_own_that_is_taken_is_said(line: str) -> None:
    stack = "\n".join(f"   at Some.Method{number}()" for number in range(40))
    host = PaperHost(code=None, state="failed", journal=f"{line}\n{stack}")
    assert run(host)[-1] == f"| not rehearsed, a port of its own is in use: {line}"


def test_one_that_is_asked_nothing_must_stay_up() -> None:
    """Its check has a port of its own, which the service that runs would answer."""
    run(PaperHost(), health_port="9000")
    with pytest.raises(Unfit, match="it ended"):
        run(PaperHost(state="failed"), health_port="9000")


def test_whatever_happens_it_is_ended() -> None:
    for host, stop in (
        (PaperHost(error=ConnectionLost("gone")), False),
        (PaperHost(code=503), True),
    ):
        with pytest.raises((ConnectionLost, Stopped)):
            run(host, stop=stop)
        assert host.did[-1].startswith("end_trial")


@pytest.mark.parametrize(
    ("app", "group", "kind"),
    [
        (WEB, {}, Questions),
        (WEB, {"health_port": "9000"}, WorkerCheck),
        (builders.app("web", 5000, target_port=80), {}, Questions),
    ],
    ids=["its own port", "a port that the other holds", "behind a proxy"],
)
def test_what_is_asked_is_answered_by_the_trial_and_not_by_what_serves(
    app: Any, group: dict[str, Any], kind: type
) -> None:
    facts = builders.facts(1, {app.name: builders.slot()})
    seen = builders.survey([facts], apps=[app], **group)
    found = of_rehearsal(seen.on(builders.host(), app))
    assert isinstance(found, kind)
    if isinstance(found, Questions):
        assert {question.port for question in found.each} == {None}


@pytest.mark.parametrize(
    ("settings", "rollout", "expected"),
    [({}, {}, ["host-1"]), ({"rehearse": "exec"}, {}, [])],
    ids=["start", "exec"],
)
def test_the_hosts_of_the_first_batch_try_it(
    settings: dict[str, Any], rollout: dict[str, Any], expected: list[str]
) -> None:
    app = builders.app("web", 5000, **({"rehearse": "start"} | settings))
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    offer = builders.offer(app, hosts)
    if app.rehearse == "start":
        offer.starts.update({facts.host.name: UNITS for facts in hosts})
    environment = builders.environment(app, rollout=rollout)
    plan = assembly.make(environment, (offer,), builders.survey(hosts, apps=[app]))
    assert [s.host.name for s in plan.steps if isinstance(s, RehearseRelease)] == expected


def test_repair_ends_what_was_left() -> None:
    left = builders.slot(has_rehearsal=True)
    seen = builders.survey([builders.facts(1, {"web": left})], apps=[WEB])
    plan = repair.make(builders.environment(WEB), seen)
    assert [type(step) for step in plan.steps] == [EndRehearsal]


def test_what_is_left_of_another_deploy_is_ended_before_anything_is_staged() -> None:
    left = builders.slot(has_rehearsal=True)
    facts = builders.facts(1, {"web": left})
    app = builders.app()
    seen = builders.survey([facts], apps=[app])
    plan = assembly.make(
        builders.environment(app), (builders.offer(app, [facts]),), seen, allow_downtime=True
    )
    assert isinstance(plan.steps[0], EndRehearsal)


def test_without_memory_for_two_it_is_said_and_not_started() -> None:
    used = builders.slot(memory_kb=900_000)
    facts = builders.facts(1, {"web": used}, free_memory_kb=100_000)
    offer = builders.offer(WEB, [facts])
    offer.starts["host-1"] = UNITS
    plan = assembly.make(
        builders.environment(WEB),
        (offer,),
        builders.survey([facts], apps=[WEB]),
        allow_downtime=True,
    )
    assert "host-1: web is not started before: no memory for two" in plan.warnings
    assert not [step for step in plan.steps if isinstance(step, RehearseRelease)]
