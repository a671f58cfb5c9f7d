"""Runs of other commands, and of a user's own part: with what their plans change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
from builders import NEW, OLD, UNHEALTHY
from plan import test_surge
from recovery import test_undo
from screen import plan_cases

from deploy.aws.targets import GONE
from deploy.events.event import HostSaid
from deploy.events.recovery import RecoveryBegan
from deploy.events.text import as_line, parse
from deploy.events.user import HoldBegan, HoldEnded, HookEnded
from deploy.hosts.records import Record
from deploy.plan import assembly, exclusion
from deploy.preview import comparison
from deploy.recovery import repair, rollback
from deploy.recovery.restarts import restart
from deploy.run import as_events
from deploy.run.report import Failure, Outcome
from deploy.settings.scope import Scope
from page.sample_runs import Narration, rolled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.events.event import Entry
    from deploy.plan.plan import Plan

GO_ON, END = "inv promote --env prod", "inv abort --env prod"
LONG_NAME = "checkout-service-production-eu-west-1a-i-0123456789abcdef0.eu-west-1.compute.internal"


def deploy_of(count: int, **settings: Any) -> Plan:
    """A rolling deploy of an app with files and a unit that differ."""
    hosts = plan_cases.fleet(count)
    plan, _ = plan_cases.planned(hosts, text=plan_cases.LATER, **settings)
    return comparison.compared(plan, plan_cases.shelves(hosts))


def deployed(count: int = 4, batch: object = 1) -> tuple[Entry, ...]:
    """All goes well, and the difference is known."""
    narration = Narration(deploy_of(count, batch=batch))
    end = rolled(narration) + 1.4
    names = tuple(host.name for host in narration.plan.hosts)
    return narration.entries(end, runs={"web": {NEW: names}})


def failed(count: int = 8, host: str = "host-2") -> tuple[Entry, ...]:
    """One host's new release does not answer, and the difference is known."""
    narration = Narration(deploy_of(count), {host: "ProveRelease"})
    end = rolled(narration) + 1.4
    names = tuple(each.name for each in narration.plan.hosts)
    runs = {"web": {OLD: names[1:], NEW: names[:1]}}
    return narration.entries(end, "inv deploy --env prod --package 2.0.0", runs=runs)


def surge_failure(count: int = 12) -> tuple[Entry, ...]:
    """The canary is well; of those that follow it, one release does not answer."""
    plan = test_surge.made(*(test_surge.host(number) for number in range(1, count + 1)))
    narration = Narration(replace(plan, environment="prod"), {"host-5": "ProveRelease"})
    end = rolled(narration)
    last = max(second for second, _ in narration.happened)
    return narration.entries(max(end, last) + 1.4, "inv deploy --env prod --package 2.0.0")


def rolled_back(count: int = 40) -> tuple[Entry, ...]:
    """To the release before, ten hosts at a time."""
    plan, _, on_hosts = plan_cases.rolled_back(count, batch=10)
    narration = Narration(comparison.compared(plan, on_hosts), verb="rollback")
    return narration.entries(rolled(narration) + 1.4)


def restarted(count: int = 4) -> tuple[Entry, ...]:
    """The same release, started again."""
    environment = builders.environment(plan_cases.WEB)
    seen = builders.survey(plan_cases.fleet(count), **plan_cases.QUIET)
    plan = restart.make(environment, seen, scope=Scope("lab", "restart"))
    on_hosts = plan_cases.shelves(plan_cases.fleet(count))
    narration = Narration(comparison.compared(plan, on_hosts), verb="restart")
    return narration.entries(rolled(narration) + 1.4)


def repaired() -> tuple[Entry, ...]:
    """Two of four hosts were left out of service by a deploy that was killed."""
    slots = [plan_cases.slot(out="{}") if n < 3 else plan_cases.slot() for n in range(1, 5)]
    hosts = [builders.facts(n, {"web": one}) for n, one in enumerate(slots, start=1)]
    gone = dict.fromkeys(("host-1", "host-2"), GONE)
    seen = builders.survey(hosts, gone, **plan_cases.QUIET)
    narration = Narration(repair.make(builders.environment(), seen), verb="repair")
    return narration.entries(rolled(narration) + 1.4)


def adopted() -> tuple[Entry, ...]:
    """A release takes the place of a unit that Changeover did not make."""
    hosts = plan_cases.fleet(4, web=test_undo.untouched())
    plan, _ = plan_cases.planned(hosts, plan_cases.LEGACY)
    narration = Narration(comparison.expected(plan))
    return narration.entries(rolled(narration) + 1.4)


def undone() -> tuple[Entry, ...]:
    """And the unit gets its place back."""
    seen = test_undo.seen(*(test_undo.adopted() for _ in range(4)))
    plan = comparison.expected(rollback.make(test_undo.environment(), seen))
    narration = Narration(plan, verb="rollback")
    return narration.entries(rolled(narration) + 1.4)


def taken_back() -> tuple[Entry, ...]:
    """The third host fails, and by `on_failure: rollback` the first two go back too."""
    hosts = plan_cases.fleet(4)
    first = Narration(deploy_of(4), {"host-3": "ProveRelease"})
    now = rolled(first) + 2.0
    past = Record(OLD, builders.unit(text=plan_cases.TEXT).digest)
    now_on = [replace(each, slots={"web": _after(past)}) for each in hosts[:2]]
    seen = builders.survey(now_on, **plan_cases.QUIET)
    wanted = {"web": {each.host.name: past for each in now_on}}
    environment = builders.environment()
    plan = comparison.expected(rollback.take_back(environment, seen, wanted))
    back = Narration(plan, happened=first.happened)
    back.say(now, as_events.plan_made(plan, seen.groups))
    for number, part in enumerate(plan.batches, start=1):
        now = back.batch(now + 0.3, number, part)
    first.outcomes |= dict.fromkeys(("host-1", "host-2"), Outcome.BACK)
    return first.entries(now + 1.4, "inv deploy --env prod --package 2.0.0")


def _after(past: Record) -> Any:
    text = plan_cases.LATER
    digest = builders.unit(text=text).digest
    return plan_cases.slot(
        release=NEW,
        text=text,
        releases=(OLD, NEW),
        history=(past, Record(NEW, digest)),
        kept=frozenset({past.kept, Record(NEW, digest).kept}),
    )


def held() -> tuple[Entry, ...]:
    """A pause after the canary, with hooks of which one fails, and remarks."""
    narration = Narration(deploy_of(4))
    narration.begin()
    now = max(narration.stage().values())
    output = ("posting to https://chat.example.com", "connect: connection timed out")
    for number, part in enumerate(narration.plan.batches, start=1):
        narration.say(now + 0.2, HookEnded("pre-batch", "", 0.2, "", ("tests are green",)))
        now = narration.batch(now + 0.3, number, part)
        error = "exit status 1" if number == 3 else ""
        name = part[0].host.name
        narration.say(now, HookEnded("post-host", name, 1.2, error, output if error else ()))
        narration.say(now, HostSaid(name, "2 requests came while it drained", is_remark=True))
        if number == 1:
            narration.say(now, HoldBegan(1, 600.0, GO_ON, END))
            now += 45
            narration.say(now, HoldEnded("promote", "ben@laptop at 11:02:03 UTC"))
    return narration.entries(now + 1.4)


def cut_in_recovery() -> tuple[Entry, ...]:
    """The workstation lost its power while a host was put back."""
    found = failed(4)
    place = next(n for n, each in enumerate(found) if isinstance(each.event, RecoveryBegan))
    return found[: place + 6]


def left_out() -> tuple[Entry, ...]:
    """Of 12 hosts one cannot be read, two are current and one is sick."""
    current = plan_cases.slot(release=NEW)
    hosts = [
        builders.facts(n, {"web": current if n in {5, 6} else plan_cases.slot()})
        for n in range(1, 13)
    ]
    own = builders.environment(batch=2, rollout={"max_failures": 1})
    seen = builders.survey(hosts, {"host-9": UNHEALTHY})
    lost = hosts[2].host
    rest = tuple(facts for facts in seen.hosts if facts.host != lost)
    seen = replace(seen, hosts=rest, unreachable={lost.name: f"{lost.name}: no answer"})
    fit = exclusion.leave_out(own, seen, {}, Scope("lab"))
    offer = builders.offer(plan_cases.WEB, rest, text=plan_cases.TEXT)
    narration = Narration(comparison.expected(assembly.make(own, (offer,), fit)))
    for host, why in narration.plan.left_out.items():
        narration.outcomes[host.name] = Outcome.LEFT_OUT
        narration.failures.append(Failure(host, "the check before the start", why))
        narration.say(0.1, as_events.failed(narration.failures[-1]))
    for name in ("host-5", "host-6"):
        narration.outcomes[name] = Outcome.CURRENT
    return narration.entries(rolled(narration) + 1.4, "inv deploy --env prod --package 2.0.0")


def long_names() -> tuple[Entry, ...]:
    """Hosts by names that fit in no column."""
    names = {f"host-{n}": LONG_NAME.replace("i-0", f"i-{n}") for n in range(1, 5)}
    return renamed(failed(4), names)


def renamed(entries: Iterable[Entry], names: Mapping[str, str]) -> tuple[Entry, ...]:
    """The same run with other texts in the place of some."""
    found = []
    for entry in entries:
        text = as_line(entry)
        for old, new in names.items():
            text = text.replace(old, new)
        found.append(parse(text, "a sample"))
    return tuple(found)


RUNS = {
    "deployed": deployed,
    "failed": failed,
    "surge-failure": surge_failure,
    "rollback": rolled_back,
    "restart": restarted,
    "repair": repaired,
    "adoption": adopted,
    "undone": undone,
    "taken-back": taken_back,
    "held": held,
    "cut-in-recovery": cut_in_recovery,
    "left-out": left_out,
    "long-names": long_names,
}
