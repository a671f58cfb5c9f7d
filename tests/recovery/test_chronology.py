"""The order of a fleet's releases: total, the same for any order of hosts, and by majority."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from audit import decisions
from deploy.hosts.records import Record
from deploy.recovery import chronology

PASTS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("0123")), max_size=5), max_size=5
)


def records(told: list[tuple[str, str]]) -> list[Record]:
    return [Record(release, "u", at) for release, at in told]


@given(PASTS, st.randoms())
@settings(max_examples=200, deadline=None)
def test_the_order_is_total_and_does_not_hang_on_the_order_of_hosts(
    pasts: list[list[tuple[str, str]]], drawn: random.Random
) -> None:
    given = [records(past) for past in pasts]
    found = chronology.of(given)
    assert sorted(found.order) == sorted({r.release for past in given for r in past})
    drawn.shuffle(given)
    assert chronology.of(given) == found


@given(PASTS)
@settings(max_examples=200, deadline=None)
def test_later_is_transitive_and_agrees_with_the_order(pasts: list[list[tuple[str, str]]]) -> None:
    found = chronology.of([records(past) for past in pasts])
    place = {release: number for number, release in enumerate(found.order)}
    for one, two, three in itertools.product(found.order, repeat=3):
        assert not found.is_after(one, one)
        if found.is_after(one, two):
            assert place[one] > place[two]
            assert found.is_after(one, three) or not found.is_after(two, three)


HONEST = st.permutations("abcde")


@given(HONEST, PASTS.filter(bool), st.integers(2, 5))
@settings(max_examples=200, deadline=None)
def test_one_host_never_changes_the_order_of_two_releases_that_others_know(
    honest: list[str], lies: list[list[tuple[str, str]]], hosts: int
) -> None:
    agreed = [Record(release, "u", "1") for release in honest[:4]]
    liar = records([(release.replace("e", "new"), at) for release, at in lies[0]])
    found = chronology.of([*[agreed] * hosts, liar])
    assert [each for each in found.order if each in honest[:4]] == list(honest[:4])


def test_three_hosts_whose_clocks_differ_give_one_result() -> None:
    """Their pairs contradict each other, so that all three are one group: the time decides."""
    told = ["a1 b0", "b0 c2", "c2 a1"]
    pasts = [[Record(word[0], "u", f"00:{word[1]}0") for word in past.split()] for past in told]
    for order in itertools.permutations(pasts):
        assert chronology.of(order).order == ("b", "a", "c")


def test_few_votes_together_do_not_overrule_more() -> None:
    one, liar = [Record("1", "u"), Record("2", "u")], [Record(r, "u") for r in ("2", "9", "1")]
    assert chronology.of([one, one, liar]).is_after("2", "1")
    assert not chronology.of([one, one, liar]).is_after("1", "2")


def test_releases_that_no_host_compared_are_all_the_newest() -> None:
    pasts = [[Record("1", "u"), Record(release, "u")] for release in "23"]
    assert chronology.of(pasts).newest("123") == ("2", "3")


def test_a_lying_host_decides_nothing_for_the_others() -> None:
    assert decisions.one_liar(decisions.decide, 300).findings == ()
    assert decisions.three_clocks(decisions.decide, 50).findings == ()


def test_control_before_a_lying_host_decided_for_all() -> None:
    assert len(decisions.one_liar(decisions.decide_by_any_host, 60).findings) > 20
    assert decisions.three_clocks(decisions.decide_by_any_host, 20).findings
