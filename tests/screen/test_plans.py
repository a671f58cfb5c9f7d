"""A plan is shown on one screen: drawn from its event, folded, or with every step."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.events import text as events_text
from deploy.events.event import Entry
from deploy.events.planned import PlanMade
from deploy.natural_order import natural
from deploy.once import step as once_step
from deploy.screen.plan import blocks, ending, text, words
from deploy.smoke import through_balancer
from deploy.steps.base import OnHost
from screen.plan_cases import CASES

FOLDER = Path(__file__).parent / "plans"
ROOT = Path(__file__).parents[2]
WIDTH = 80
MOST_LINES = 30


def replayed(plan: PlanMade) -> PlanMade:
    """The plan as a run's file gives it back."""
    line = events_text.as_line(Entry(1_795_950_000.0, plan))
    found = events_text.parse(line, "a test").event
    assert type(found) is type(plan)
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_shown_as_the_file_says(name: str) -> None:
    """The file's name is the case's; the text is for a terminal of 80 columns."""
    shown = text.of(replayed(CASES[name]()), WIDTH).splitlines()
    expected = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert shown == expected, "\n".join(difflib.unified_diff(expected, shown, lineterm=""))
    assert max(map(len, shown)) <= WIDTH
    assert len(shown) <= MOST_LINES


@pytest.mark.parametrize("name", CASES)
def test_p6_every_step_stands_in_the_full_plan_once_and_in_its_order(name: str) -> None:
    plan = CASES[name]()
    lines = text.of(plan, WIDTH, is_full=True).splitlines()
    listed = [line for line in lines if line.startswith("  ")]
    hosts = [*plan.staging, *(host for batch in plan.batches for host in batch.hosts)]
    steps = Counter(f"  {h.host}: {step.text}" for h in hosts for step in (*h.steps, *h.after))
    assert Counter(listed) == steps
    assert lines[-1] == ending.ending(plan)


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_step_is_in_the_folded_plan_and_every_host_that_is_left_out(
    name: str,
) -> None:
    """In a log, whose lines are not broken."""
    plan = CASES[name]()
    said = text.of(plan)
    for batch in plan.batches:
        for host in batch.hosts:
            for step in (*host.steps, *host.after):
                assert blocks.said(step) in said
    for why in plan.left_out.values():
        assert why in said


@pytest.mark.parametrize("name", CASES)
def test_p7_no_value_of_a_variable_is_in_the_event_or_in_what_is_drawn_from_it(name: str) -> None:
    plan = CASES[name]()
    line = events_text.as_line(Entry(1_795_950_000.0, plan))
    for shown in (line, text.of(plan), text.of(plan, is_full=True)):
        assert "s3cret" not in shown
        assert "hush" not in shown
    assert json.loads(line)["event"] == "plan_made"


def test_two_apps_on_twelve_hosts_take_one_screen_and_took_299_lines() -> None:
    plan = CASES["rolling on 12 hosts, two apps"]()
    assert len(text.of(plan, WIDTH).splitlines()) <= MOST_LINES
    assert len(text.of(plan, WIDTH, is_full=True).splitlines()) > 299


def test_a_line_of_a_log_is_found_as_a_whole_and_a_screen_is_never_too_narrow() -> None:
    plan = CASES["rolling on 12 hosts, two apps"]()
    assert any(len(line) > WIDTH for line in text.of(plan).splitlines())
    assert text.of(plan, 1) == text.of(plan, text.LEAST_WIDTH)
    unbroken = " ".join(text.of(plan, 60).split())
    assert unbroken == " ".join(text.of(plan).split())


def test_control_an_old_event_without_the_new_fields_is_shown_too() -> None:
    plan = CASES["rolling on 4 hosts"]()
    line = events_text.as_line(Entry(0.0, plan))
    body = json.loads(line)
    for name in ("environment", "policy", "targets", "changes", "is_of_workers"):
        del body[name]
    for batch in body["batches"]:
        del batch["in_service"], batch["seconds"]
    for part in (*body["staging"], *(host for b in body["batches"] for host in b["hosts"])):
        for step in (*part["steps"], *part["after"]):
            del step["kind"]
    old = events_text.parse(json.dumps(body), "a test").event
    said = text.of(old)  # type: ignore[arg-type]
    assert said.startswith(plan.title)
    assert "deregister from web-lab, drain 60 s (60 s), stop web@5000.service" in said


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["web-2", "web-10", "web-1"], "web-1, web-2, web-10"),
        ([f"web-a0{n}" for n in range(1, 7)], "web-a01 … web-a06 (6 hosts)"),
        ([f"web-{n}" for n in range(1, 13)], "web-1 … web-12 (12 hosts)"),
        (["a-1", "a-2", "a-4", "a-5", "a-6"], "a-1, a-2, a-4 … a-6 (5 hosts)"),
        (["x", "y", "z", "w"], "w, x, y and 1 more (4 hosts)"),
        (["web-1", "web-1"], "web-1"),
        (["web-1.eu", "web-2.eu", "web-3.eu", "web-1.us"],
         "web-1.eu, web-1.us, web-2.eu, web-3.eu (4 hosts)"),
        (["a\n1", "b"], "a\\x0a1, b"),
    ],
)  # fmt: skip
def test_hosts_are_named_in_natural_order_and_few_words(names: list[str], expected: str) -> None:
    assert words.hosts(names) == expected


@given(st.lists(st.text("ab01-", max_size=6), min_size=1, max_size=12))
def test_no_host_is_lost_in_words(names: list[str]) -> None:
    distinct = set(names)
    said = words.hosts(names)
    if len(distinct) > 3:
        assert said.endswith(f"({len(distinct)} hosts)")
    else:
        assert said == ", ".join(sorted(distinct, key=natural))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (12_345, "12 kB"),
     (5_500_000, "5.5 MB"), (1_200_000_000, "1.2 GB")],
)  # fmt: skip
def test_bytes_are_told_in_the_unit_that_fits(count: int, expected: str) -> None:
    assert words.size(count) == expected


def kinds(kind: type[OnHost]) -> set[str]:
    return {events_text.name_of(kind)}.union(*(kinds(each) for each in kind.__subclasses__()))


def test_each_word_for_a_kind_of_step_is_of_a_kind_that_exists() -> None:
    modules = (once_step, through_balancer)  # a kind is known once its module is loaded
    assert all(modules)
    assert kinds(OnHost) >= blocks.WORDS.keys()


def documented() -> str:
    """The plan that the docs show: four hosts of an environment `prod`."""
    line = events_text.as_line(Entry(0.0, CASES["rolling on 4 hosts"]()))
    for name, shown in {"host-": "web-", "web-lab": "web-prod", '"lab"': '"prod"'}.items():
        line = line.replace(name, shown)
    found = events_text.parse(line, "a test").event
    assert isinstance(found, PlanMade)
    return text.of(found, WIDTH)


@pytest.mark.parametrize("page", ["README.md", "docs/how-a-deploy-works.md"])
def test_the_plan_in_the_docs_is_as_it_is_shown(page: str) -> None:
    shown = (ROOT / page).read_text(encoding="utf-8")
    assert f"$ inv deploy --env prod --dry-run\n{documented()}\n" in shown
