"""What to roll back to: one host's records and marks decide nothing for the other hosts."""

from __future__ import annotations

import random
from functools import cmp_to_key
from pathlib import Path
from typing import TYPE_CHECKING

from audit.api import GROUP
from audit.wall import Attempt, Wall
from deploy.aws.inventory import Host
from deploy.errors import BadInput
from deploy.hosts.records import Kind, Record
from deploy.recovery import rollback
from deploy.settings.app import App
from deploy.settings.environment import Environment
from deploy.settings.scope import Scope
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Decide = Callable[[Environment, Survey], dict[str, str]]

FLEETS = 20_000
FEWEST, MOST = 3, 6  # hosts, of which one lies
RELEASES = [f"{number}.0.0-{number:012x}" for number in range(1, 6)]
INVENTED = "9.0.0-" + "9" * 12
REFUSED = {"": "refused"}


def story(drawn: random.Random, app: str) -> list[Record]:
    """What all honest hosts remember: deploys, and rollbacks to what was deployed before."""
    history: list[Record] = []
    form = drawn.choice([0, 1, 1])
    for number in range(drawn.randint(2, 7)):
        back = form and len(history) > 1 and drawn.random() < 0.25
        release = drawn.choice([r.release for r in history] if back else RELEASES)
        run = f"{number:032x}" if form else ""
        kind = Kind.ROLLBACK if back else Kind.DEPLOY
        at = f"2026-11-28T{drawn.randint(0, 23):02}:00:00+00:00"
        history.append(Record(release, f"{app}-unit", at, "me", run, kind))
    return history


def lie(drawn: random.Random, app: str) -> list[Record]:
    """What one host answers: any releases, in any order, of any time and run."""
    return [
        Record(
            drawn.choice([*RELEASES, INVENTED]),
            f"{app}-unit",
            drawn.choice(["", "0000", "9999-12-31T00:00:00+00:00", "2026-11-28T12:00:00+00:00"]),
            "liar",
            drawn.choice(["", f"{drawn.randint(0, 7):032x}", "f" * 32]),
            drawn.choice(list(Kind)),
        )
        for _ in range(drawn.randint(0, 9))
    ]


def slot(history: Sequence[Record], runs: str, bad: frozenset[str]) -> Slot:
    """A slot in which a release runs, with every release on the disk."""
    releases = (*RELEASES, INVENTED)
    kept = frozenset(f"{r}.{unit}" for r in releases for unit in ("web-unit", "api-unit"))
    return Slot(
        link=runs,
        running_release=runs,
        releases=releases,
        history=tuple(history),
        bad=bad,
        kept=kept,
    )


def fleet(drawn: random.Random) -> tuple[Environment, list[HostFacts], str]:
    """Settings, the hosts in name order, and the name of the one that lies."""
    names = ("web", "api")[: drawn.choice([1, 1, 2])]
    apps = [App(name=n, package="x", target_group=n, ports=(5000 + len(n),)) for n in names]
    apps = [app.model_copy(update={"ports": (5000 + place,)}) for place, app in enumerate(apps)]
    environment = Environment(
        name="audit", root=Path("/"), apps=tuple(apps), hosts=("any",)
    ).model_copy()
    honest = {app: story(drawn, app) for app in names}
    marks = {
        app: frozenset(drawn.sample(RELEASES, drawn.choice([0, 0, 1]))) - {h[-1].release}
        for app, h in honest.items()
    }
    count = drawn.randint(FEWEST, MOST)
    liar = drawn.randrange(count)
    hosts: list[HostFacts] = []
    for number in range(count):
        slots = {
            app: slot(
                lie(drawn, app) if number == liar else history,
                history[-1].release,
                frozenset(drawn.sample([*RELEASES, INVENTED], drawn.randint(0, 5)))
                if number == liar
                else marks[app],
            )
            for app, history in honest.items()
        }
        host = Host(f"host-{number}", f"10.0.0.{number}", f"i-{number:017x}")
        hosts.append(HostFacts(host, "systemd", 252, "", 1 << 30, frozenset(), slots))
    return environment, hosts, f"host-{liar}"


def decide(environment: Environment, survey: Survey) -> dict[str, str]:
    """`host app` and the release to go back to, by the product; REFUSED where there is none."""
    try:
        wanted, _ = rollback.decide(environment, survey, None, Scope(environment.name, "rollback"))
    except BadInput:
        return REFUSED
    return {
        f"{host} {app}": record.release
        for app, records in wanted.items()
        for host, record in records.items()
    }


def decide_by_any_host(environment: Environment, survey: Survey) -> dict[str, str]:
    """The same without the wall: the first host that knows two releases orders them for all.

    A mark of any host forbids a release to all.
    """
    found: dict[str, str] = {}
    for app in environment.apps:
        slots = {facts.host.name: facts.slots[app.name] for facts in survey.hosts}
        bad = frozenset[str]().union(*(each.bad for each in slots.values()))
        good = [release for release in _by_age(list(slots.values()))[1:] if release not in bad]
        if not good:
            return REFUSED
        found |= {f"{host} {app.name}": good[0] for host in slots}
    return found


def _by_age(slots: Sequence[Slot]) -> list[str]:
    """Every release that the records know, the one deployed last first: no transitive order."""
    places: list[dict[str, int]] = []
    times: dict[str, str] = {}
    for each in slots:
        places.append({record.release: place for place, record in enumerate(each.history)})
        for record in each.history:
            times[record.release] = max(times.get(record.release, ""), record.at)

    def age(one: str, other: str) -> int:
        for place in places:
            if one in place and other in place:
                return place[other] - place[one]
        return -1 if times[one] > times[other] else 1

    return sorted(times, key=cmp_to_key(age))


def one_liar(choose: Decide, fleets: int = FLEETS) -> Attempt:
    """What the other hosts go back to is the same with the liar as without it."""
    drawn = random.Random(13)  # noqa: S311 - no secret
    findings: list[str] = []
    for number in range(fleets):
        environment, hosts, liar = fleet(drawn)
        honest = [facts for facts in hosts if facts.host.name != liar]
        without = choose(environment, _survey(honest))
        chosen = choose(environment, _survey(drawn.sample(hosts, len(hosts))))
        others = {key: value for key, value in chosen.items() if not key.startswith(f"{liar} ")}
        if others != without:
            findings.append(f"fleet {number}: {without} without {liar}, and {others} with it")
    return Attempt(fleets, tuple(findings))


def three_clocks(choose: Decide, fleets: int = FLEETS // 10) -> Attempt:
    """Hosts that were not compared, with clocks that differ: one result, however they are listed.

    Each pair of three hosts knows two of three releases, and the clocks contradict them.
    """
    drawn = random.Random(14)  # noqa: S311 - no secret
    findings: list[str] = []
    for number in range(fleets):
        environment, hosts, _ = fleet(drawn)
        app = environment.apps[0].name
        three = []
        for place, facts in enumerate(hosts[:3]):
            pair = (RELEASES[place], RELEASES[(place + 1) % 3], RELEASES[4])
            past = [
                Record(r, f"{app}-unit", f"2026-11-28T00:{drawn.randrange(6)}0:00", "me")
                for r in pair
            ]
            own = slot(past, RELEASES[4], frozenset())
            slots = facts.slots | {app: own}
            three.append(HostFacts(facts.host, "systemd", 252, "", 0, frozenset(), slots))
        single = environment.model_copy(update={"apps": environment.apps[:1]})
        results = {
            str(sorted(choose(single, _survey([three[n] for n in order])).items()))
            for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        }
        if len(results) > 1:
            findings.append(f"fleet {number}: {len(results)} results by the order of the hosts")
    return Attempt(fleets, tuple(findings))


def _survey(hosts: Sequence[HostFacts]) -> Survey:
    apps = hosts[0].slots
    return Survey(tuple(hosts), dict.fromkeys(apps, (GROUP,)), {GROUP.arn: {}})


WALLS = (
    Wall(
        "a rollback's target, with one host that lies about its records",
        lambda: one_liar(decide),
        lambda: one_liar(decide_by_any_host, FLEETS // 20),
    ),
    Wall(
        "a rollback's target, with hosts whose clocks differ",
        lambda: three_clocks(decide),
        lambda: three_clocks(decide_by_any_host),
    ),
)
