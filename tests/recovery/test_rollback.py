"""(settings, survey) → the plan that goes back: which release, on whom, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW, OLD, UNHEALTHY

from deploy.errors import BadInput
from deploy.hosts.records import Record
from deploy.recovery import rollback
from deploy.steps.records import MarkBad
from deploy.steps.unit import SwitchRelease
from deploy.steps.verify import ProveCurrent
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.survey.facts import HostFacts

OLDER = "0.9.0-cccccccccccc"
UNITS = {release: builders.unit(text=f"[Service]\n# {release}\n") for release in (OLDER, OLD, NEW)}


def history(*releases: str) -> tuple[Record, ...]:
    return tuple(
        Record(release, UNITS[release].digest, f"2026-11-2{day}T00:00:00+00:00")
        for day, release in enumerate(releases)
    )


def slot(*releases: str, **more: Any) -> Slot:
    """A slot that runs the last of these releases, all of which lie on the host."""
    past = history(*releases)
    given: dict[str, Any] = {
        "releases": tuple(dict.fromkeys(releases)),
        "history": past,
        "kept": frozenset(record.kept for record in past),
    }
    return builders.slot(releases[-1], UNITS[releases[-1]], **(given | more))


def fleet(*slots: Slot) -> list[HostFacts]:
    return [builders.facts(n, {"web": one}) for n, one in enumerate(slots, start=1)]


def made(hosts: list[HostFacts], to: str | None = None, **more: Any) -> Plan:
    return rollback.make(builders.environment(), builders.survey(hosts), to, **more)


def switched(plan: Plan) -> dict[str, str]:
    return {s.host.name: s.release for s in plan.steps if isinstance(s, SwitchRelease)}


def test_by_default_it_goes_to_the_good_release_of_before_without_an_upload() -> None:
    plan = made(fleet(slot(OLDER, OLD, NEW), slot(OLDER, OLD, NEW)))
    assert switched(plan) == {"host-1": OLD, "host-2": OLD}
    assert plan.staging == ()
    kinds = [type(step).__name__ for step in plan.batches[0][0].steps]
    assert kinds[:3] == ["MarkBad", "DeregisterTarget", "WaitDrained"]
    assert "UploadRelease" not in kinds
    marks = [step.release for step in plan.steps if isinstance(step, MarkBad)]
    assert marks == [NEW, NEW]
    assert plan.title.startswith(f"Roll back web {OLD} on lab: 2 hosts")


def test_a_release_that_failed_on_most_hosts_is_not_chosen() -> None:
    past = (OLDER, NEW, OLD)
    bad = frozenset({NEW})
    hosts = fleet(slot(*past, bad=bad), slot(*past), slot(*past, bad=bad))
    assert set(switched(made(hosts)).values()) == {OLDER}


def test_a_mark_of_one_host_forbids_the_release_to_that_host_alone() -> None:
    past = (OLDER, OLD, NEW)
    hosts = fleet(slot(*past), slot(*past, bad=frozenset({OLD})), slot(*past))
    with pytest.raises(BadInput, match=f"host-2: web {OLD} failed there before; name it"):
        made(hosts)
    lenient = builders.environment(rollout={"max_failures": 1})
    plan = rollback.make(lenient, builders.survey(hosts))
    assert switched(plan) == {"host-1": OLD, "host-3": OLD}
    assert [host.name for host in plan.left_out] == ["host-2"]


def test_a_bad_one_can_be_named_all_the_same() -> None:
    past = (OLDER, NEW, OLD)
    plan = made(fleet(slot(*past, bad=frozenset({NEW})), slot(*past)), "2.0.0")
    assert set(switched(plan).values()) == {NEW}


STAYS: dict[str, tuple[list[HostFacts], str]] = {
    "on one that failed on the others": (
        fleet(
            *[slot(OLDER, OLD, NEW, bad=frozenset({OLD}))] * 2,
            slot(OLDER, OLD),
        ),
        f"host-3: web {OLD} stays there, since the newest run did not change it: more than one "
        f"release runs afterwards. To change that: inv rollback --env lab --app web --to {OLDER}",
    ),
    "on an older one": (
        fleet(slot(OLDER, OLD, NEW), slot(OLDER, OLD, NEW), slot(OLDER)),
        f"host-3: web {OLDER} stays there, since the newest run did not change it: more than one "
        "release runs afterwards. To change that: "
        "inv deploy --env lab --app web --package 1.0.0",
    ),
}


@pytest.mark.parametrize(("hosts", "warning"), STAYS.values(), ids=STAYS)
def test_a_host_that_stays_on_another_release_is_named(
    hosts: list[HostFacts], warning: str
) -> None:
    plan = made(hosts)
    assert plan.leaves_mixed
    assert plan.warnings[-1] == warning
    assert set(switched(plan)) == {"host-1", "host-2"}


def test_an_app_that_a_rollback_does_not_change_is_named_in_one_line() -> None:
    web, admin = builders.app(), builders.app("admin", 6000)
    digest = builders.unit().digest
    past = (replace(history(OLD, NEW)[0], run="first"), replace(history(OLD, NEW)[1], run="second"))
    hosts = [
        builders.facts(
            number,
            {
                "web": slot(OLD, NEW, history=past),
                "admin": builders.slot(stays, history=(Record(stays, digest, run="first"),)),
            },
        )
        for number, stays in enumerate((OLD, OLD, OLDER), start=1)
    ]
    seen = builders.survey(hosts, {}, [web, admin])
    plan = rollback.make(builders.environment(web, admin), seen)
    assert plan.leaves_mixed
    assert plan.warnings[-1] == (
        f"admin runs more than one release, and this does not change it: host-1, host-2: {OLD}; "
        f"host-3: {OLDER}"
    )


def test_a_rollback_after_which_one_release_runs_leaves_nothing_mixed() -> None:
    assert not made(fleet(slot(OLD, NEW), slot(OLD, NEW), slot(OLD))).leaves_mixed


@pytest.mark.parametrize("to", [OLDER, "0.9.0"])
def test_a_release_is_named_by_its_version_or_its_id(to: str) -> None:
    plan = made(fleet(slot(OLDER, OLD, NEW), slot(OLDER, OLD, NEW)), to)
    assert set(switched(plan).values()) == {OLDER}


def test_a_half_deployed_fleet_goes_back_where_it_went_on() -> None:
    """Two hosts have the new one; the others still run the old one, and prove it."""
    hosts = fleet(slot(OLD, NEW), slot(OLD, NEW), slot(OLD), slot(OLD))
    plan = made(hosts)
    assert switched(plan) == {"host-1": OLD, "host-2": OLD}
    proven = [step.host.name for step in plan.steps if isinstance(step, ProveCurrent)]
    assert proven == ["host-3", "host-4"]


REFUSED: dict[str, tuple[list[HostFacts], str | None, str]] = {
    "nothing was deployed": (fleet(Slot(), Slot()), None, "nothing was deployed"),
    "one release is all": (fleet(slot(OLD), slot(OLD)), None, f"{OLD} is all that was deployed"),
    "all others are bad": (
        fleet(slot(OLD, NEW, bad=frozenset({OLD})), slot(OLD, NEW)),
        None,
        f"web {OLD} failed there before",
    ),
    "no such release": (fleet(slot(OLD, NEW), slot(OLD, NEW)), "7.0.0", "was not deployed here"),
    "all others failed on most hosts": (
        fleet(*[slot(OLD, NEW, bad=frozenset({OLD}))] * 3),
        None,
        f"failed before: {OLD}",
    ),
    "its files are gone on one": (
        fleet(slot(OLD, NEW), slot(OLD, NEW, releases=(NEW,))),
        None,
        f"{OLD} is not on host-2 any more",
    ),
    "its unit is gone on one": (
        fleet(slot(OLD, NEW, kept=frozenset()), slot(OLD, NEW)),
        None,
        f"{OLD} is not on host-1 any more",
    ),
    "one never had it": (fleet(slot(OLD, NEW), slot(NEW)), None, "host-2"),
}


@pytest.mark.parametrize(("hosts", "to", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_gone_back_to_is_refused(
    hosts: list[HostFacts], to: str | None, words: str
) -> None:
    with pytest.raises(BadInput) as refused:
        made(hosts, to)
    assert words in str(refused.value)
    assert str(refused.value).startswith(("web: ", "--to 7.0.0: ", "host-1: ", "host-2: "))


def test_two_builds_of_one_version_have_to_be_told_apart() -> None:
    again = "1.0.0-dddddddddddd"
    UNITS[again] = builders.unit(text="[Service]\n# again\n")
    hosts = fleet(slot(OLD, again, NEW), slot(OLD, again, NEW))
    with pytest.raises(BadInput, match="is more than one release of web"):
        made(hosts, "1.0.0")
    assert set(switched(made(hosts, again)).values()) == {again}


def test_it_keeps_the_policy() -> None:
    hosts = fleet(slot(OLD, NEW))
    with pytest.raises(BadInput, match="would leave no target"):
        made(hosts)
    assert switched(made(hosts, allow_downtime=True)) == {"host-1": OLD}


def test_a_host_that_is_sick_on_the_right_release_is_started_again() -> None:
    hosts = fleet(slot(OLD), slot(OLD, NEW))
    seen = builders.survey(hosts, {"host-1": UNHEALTHY})
    plan = rollback.make(builders.environment(), seen, "1.0.0", allow_downtime=True)
    assert switched(plan) == {"host-1": OLD, "host-2": OLD}
    marks = [step.host.name for step in plan.steps if isinstance(step, MarkBad)]
    assert marks == ["host-2"], "what it goes back to is not bad"


def test_the_order_on_the_hosts_counts_and_not_the_workstations_clocks() -> None:
    """The last deploy came from a laptop whose clock is hours behind."""
    past = (
        Record(OLDER, UNITS[OLDER].digest, "2026-11-22T10:00:00+00:00"),
        Record(OLD, UNITS[OLD].digest, "2026-11-22T12:00:00+00:00"),
        Record(NEW, UNITS[NEW].digest, "2026-11-22T09:00:00+00:00"),
    )
    slots = [slot(OLDER, OLD, NEW, history=past) for _ in range(2)]
    assert set(switched(made(fleet(*slots))).values()) == {OLD}
