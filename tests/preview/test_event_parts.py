"""What serves while each batch is out is reckoned from what served when it was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import UNHEALTHY
from difference import shelf
from screen import plan_cases

from deploy.plan import assembly
from deploy.preview import comparison, event_parts
from deploy.preview.event_parts import MOST_FILES
from deploy.run import as_events

if TYPE_CHECKING:
    from deploy.aws.targets import Health
    from deploy.events.planned import PlanMade


def made(count: int, health: dict[str, Health] | None = None, **settings: Any) -> PlanMade:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, count + 1)]
    seen = builders.survey(hosts, health)
    offers = (builders.offer(builders.app(), hosts),)
    plan = assembly.make(builders.environment(**settings), offers, seen)
    return as_events.plan_made(plan, seen.groups)


@pytest.mark.parametrize(
    ("count", "health", "settings", "expected"),
    [
        (4, {}, {"batch": 1}, [3, 3, 3, 3]),
        (4, {}, {"batch": 2}, [2, 2]),
        (6, {}, {"batch": None, "rollout": {"window": 2}}, [4]),
        # the sick one goes first: it takes nothing out, and serves afterwards
        (4, {"host-3": UNHEALTHY}, {"batch": 1, "rollout": {"min_in_service": 2}}, [3, 3, 3, 3]),
    ],
)
def test_p2_what_serves_during_a_batch_is_what_served_less_what_it_takes_out(
    count: int, health: dict[str, Health], settings: dict[str, Any], expected: list[int]
) -> None:
    plan = made(count, health, **settings)
    assert [batch.in_service for batch in plan.batches] == [{"web-lab": n} for n in expected]
    assert plan.targets == {"web-lab": count}


def test_a_surge_takes_nothing_out() -> None:
    plan = plan_cases.surge()
    assert [batch.in_service for batch in plan.batches] == [{"web-lab": 12}] * 2


def test_the_seconds_of_the_batches_add_up_to_those_of_the_plan() -> None:
    plan = made(4, batch=1)
    assert sum(batch.seconds for batch in plan.batches) == plan.seconds > 0


def test_of_many_files_all_are_counted_and_the_largest_are_named() -> None:
    many = shelf.files("1", {f"f{n}": n for n in range(1, 101)})
    found = event_parts._files([(file.path, file.size) for file in many])
    assert (found.count, found.bytes, len(found.largest)) == (100, 5050, MOST_FILES)
    assert next(iter(found.largest.items())) == ("f100", 100)


def test_values_of_variables_are_for_a_terminal_and_only_where_they_are_asked_for() -> None:
    hosts = plan_cases.fleet(2)
    seen = builders.survey(hosts)
    offers = (builders.offer(builders.app(), hosts, text=plan_cases.LATER),)
    plan = assembly.make(builders.environment(), offers, seen)
    plan = comparison.compared(plan, plan_cases.shelves(hosts))
    said = "".join(as_events.plan_made(plan, seen.groups).changes[0].unit)
    assert "+Environment=TOKEN=… (changed)" in said
    assert "hush" not in said
    shown = as_events.plan_made(plan, seen.groups, shows_values=True)
    assert "+Environment=TOKEN=hush" in shown.changes[0].unit
