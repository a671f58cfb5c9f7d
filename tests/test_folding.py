"""The same problem on many hosts is one line."""

from __future__ import annotations

from deploy import folding

SUDO = "sudo without a password does not work"


def test_one_problem_of_one_host_stays_as_it_is() -> None:
    assert folding.folded({"web-1": [f"web-1 (10.0.0.1): {SUDO}"]}) == (
        f"web-1 (10.0.0.1): {SUDO}",
    )


def test_the_same_problem_on_many_hosts_is_one_line_with_their_names() -> None:
    many = {f"web-{n}": [f"web-{n} (10.0.0.{n}): {SUDO}"] for n in range(1, 13)}
    assert folding.folded(many) == (f"12 hosts (web-1, web-2, web-3 and 9 more): {SUDO}",)
    three = dict(list(many.items())[:3])
    assert folding.folded(three) == (f"3 hosts (web-1, web-2, web-3): {SUDO}",)


def test_problems_that_differ_stay_apart_and_each_host_may_have_several() -> None:
    problems = {
        "a": ["a: has no `ss`", "a: has no `tar`"],
        "b": ["b: has no `tar`\nb: is gone"],
    }
    assert folding.folded(problems) == (
        "a: has no `ss`",
        "2 hosts (a, b): has no `tar`",
        "b: is gone",
    )


def test_details_stand_below_the_line_of_all_hosts_each_once() -> None:
    problems = {
        name: [f"{name} (10.0.0.{n}), jump host b: unknown host key\n  add to f:\n  {n} key"]
        for n, name in enumerate(("a", "b"), 1)
    }
    assert folding.folded(problems) == (
        "2 hosts (a, b), jump host b: unknown host key",
        "  add to f:",
        "  1 key",
        "  2 key",
    )
    (text,) = problems["a"]
    assert folding.short(text) == "a (10.0.0.1), jump host b: unknown host key"


def test_a_text_without_its_hosts_name_gets_it_where_it_is_folded() -> None:
    assert folding.folded({"a": ["gone"], "b": ["gone"]}) == ("2 hosts (a, b): gone",)


def test_a_name_that_begins_another_hosts_name_is_not_taken_for_it() -> None:
    assert folding.folded({"web-1": ["web-1: x"], "web-10": ["web-10: x"]}) == (
        "2 hosts (web-1, web-10): x",
    )
