"""Fleets whose hosts remember runs: what deploys and rollbacks leave in their records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import builders

from deploy.hosts.records import Kind, Record
from deploy.recovery import rollback
from deploy.settings.scope import Scope
from deploy.steps.records import RecordDeployed
from deploy.steps.unit import SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.plan.plan import Plan
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot

PORTS = {"web": 5000, "api": 5100, "jobs": 5200}


def release(number: int) -> str:
    """A release id whose version is the number."""
    return f"{number}.0.0-" + f"{number:012x}"


def unit(app: str, number: int) -> str:
    return builders.unit(f"{app}@{PORTS[app]}.service", f"[Service]\n# {app} {number}\n").digest


def record(app: str, number: int, run: str = "", kind: Kind = Kind.DEPLOY, at: str = "") -> Record:
    return Record(release(number), unit(app, number), at, "me", run, kind)


def slot(history: Sequence[Record], **more: object) -> Slot:
    """A slot that runs what was recorded last, with all that was ever deployed on the host."""
    last = history[-1]
    rendered = replace(builders.unit(), digest=last.unit_digest)
    given: dict[str, object] = {
        "history": tuple(history),
        "releases": tuple(dict.fromkeys(each.release for each in history)),
        "kept": frozenset(each.kept for each in history),
    }
    return builders.slot(last.release, rendered, **(given | more))


@dataclass
class Fleet:
    """Hosts on paper, by number from 1, with the records of each app; commands change them.

    Attributes:
        hosts: How many.
        names: The apps.
        past: By app and host, its records.
        bad: By app and host, the releases that are marked as failed there.
        formats: Whether runs are written down (format 1) or not (format 0).
    """

    hosts: int = 3
    names: tuple[str, ...] = ("web",)
    formats: int = 1
    past: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    bad: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    runs: int = 0

    def deploy(
        self, number: int, *names: str, hosts: Iterable[int] = (), kind: Kind = Kind.DEPLOY
    ) -> Fleet:
        """One run that deploys a release of each app, by default of all, on some hosts or all."""
        self.runs += 1
        run = f"{self.runs:032x}" if self.formats else ""
        for app in names or self.names:
            for host in tuple(hosts) or range(1, self.hosts + 1):
                kept = kind if self.formats else Kind.DEPLOY
                at = f"2026-11-28T00:{self.runs:02}:00+00:00"
                self.past.setdefault((app, host), []).append(record(app, number, run, kept, at))
                self.bad.setdefault((app, host), set()).discard(release(number))
        return self

    def survey(self, only: Iterable[int] = (), app: str = "") -> Survey:
        """What a command sees of these hosts, and of this app, or of all."""
        apps = [builders.app(name, PORTS[name]) for name in self.names if app in {"", name}]
        facts = [
            builders.facts(host, {each.name: self._slot(each.name, host) for each in apps})
            for host in tuple(only) or range(1, self.hosts + 1)
        ]
        return builders.survey(facts, apps=apps)

    def _slot(self, app: str, host: int) -> Slot:
        past = self.past.get((app, host), [])
        bad = frozenset(self.bad.get((app, host), ()))
        return slot(past, bad=bad) if past else builders.slot("", history=(), bad=bad)

    def plan(
        self,
        to: str | None = None,
        *,
        only: Iterable[int] = (),
        app: str = "",
        max_failures: int = 0,
    ) -> Plan:
        """What `inv rollback` would do."""
        seen = self.survey(only, app)
        apps = [builders.app(name, PORTS[name]) for name in self.names if app in {"", name}]
        rollout = {"max_failures": max_failures}
        scope = Scope("lab", "rollback", app=app or None)
        return rollback.make(
            builders.environment(*apps, rollout=rollout),
            seen,
            to,
            scope=scope,
            allow_downtime=True,
        )

    def roll_back(self, to: str | None = None, **more: object) -> dict[str, str]:
        """Roll back, write down what that writes down, and tell what was switched where."""
        made = self.plan(to, **more)  # type: ignore[arg-type]
        self.runs += 1
        for step in made.steps:
            if isinstance(step, RecordDeployed):
                run = f"{self.runs:032x}" if self.formats else ""
                kind = step.kind if self.formats else Kind.DEPLOY
                key = step.app.name, int(step.host.name.partition("-")[2])
                self.past[key].append(Record(step.release, step.unit_digest, "", "me", run, kind))
        return switched(made)

    def runs_now(self, app: str = "web") -> list[int]:
        """The version that each host was given last."""
        last = [self.past[app, host][-1].release for host in range(1, self.hosts + 1)]
        return [int(each.partition(".")[0]) for each in last]


def switched(plan: Plan) -> dict[str, str]:
    """`host app` and the version that it is switched to."""
    return {
        f"{step.host.name} {step.app.name}": step.release.partition(".")[0]
        for step in plan.steps
        if isinstance(step, SwitchRelease)
    }
