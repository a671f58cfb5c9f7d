"""What answers from old and new releases alike show of the new one, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.hosts.probe.request import Head, Request
from deploy.smoke.verdict import LEAST, MISS, Shown, SmokeRequest, Verdict, enough

RELEASE = "2.0.0-0123456789ab"
REQUEST = Request("www.example.org", 443, "/cart", "www.example.org", is_tls=True)
PLAIN = SmokeRequest(REQUEST, "https://www.example.org/cart", "200", 10.0)
NEW = replace(PLAIN, is_new=True)
NAMED = replace(PLAIN, header="X-Version")
NEW_NAMED = replace(NEW, header="X-Version")


def answer(code: int, version: str = "") -> Head:
    return Head(code, (f"x-version: {version}",) if version else ())


@pytest.mark.parametrize(
    ("test", "head", "shown", "blames"),
    [
        (PLAIN, answer(200), Shown.PASSED, False),
        (PLAIN, answer(404), Shown.FAILED, False),
        (PLAIN, answer(404, "2.0.0"), Shown.FAILED, False),  # no header was agreed on
        (NEW, answer(200), Shown.PASSED, False),
        (NEW, answer(404), Shown.NOTHING, False),
        (NAMED, answer(200, "2.0.0"), Shown.PASSED, True),
        (NAMED, answer(200, RELEASE), Shown.PASSED, True),
        (NAMED, answer(404, "2.0.0"), Shown.FAILED, True),
        (NAMED, answer(200, "1.0.0"), Shown.NOTHING, False),
        (NAMED, answer(500, "1.0.0"), Shown.NOTHING, False),
        (NAMED, answer(200, "2.0.0-beta"), Shown.NOTHING, False),
        (NAMED, answer(200), Shown.NOTHING, False),
        (NAMED, answer(502), Shown.FAILED, False),  # as a load balancer's own answer is
        (NEW_NAMED, answer(404), Shown.NOTHING, False),
        (NEW_NAMED, answer(404, "2.0.0"), Shown.FAILED, True),
        (NEW_NAMED, answer(200, "2.0.0"), Shown.PASSED, True),
    ],
)
def test_an_answer_shows_something_where_the_new_release_gave_or_may_have_given_it(
    test: SmokeRequest, head: Head, shown: Shown, blames: bool
) -> None:
    verdict = Verdict(test, RELEASE, 10)
    assert verdict.add(head) is shown
    assert verdict.blames_release == blames
    assert (verdict.asked, verdict.passed) == (1, int(shown is Shown.PASSED))


@pytest.mark.parametrize(
    ("test", "answers", "asked"),
    [
        (PLAIN, [answer(200)] * 20, 10),
        (NEW, [answer(404), answer(200), answer(200)], 2),
        (NEW, [answer(404)] * 20, 10),
        (NAMED, [answer(200, "1.0.0"), *[answer(200, "2.0.0")] * 5], 1 + LEAST),
        (NAMED, [answer(200, "1.0.0")] * 20, 10),
    ],
)
def test_it_is_asked_until_that_is_enough(
    test: SmokeRequest, answers: list[Head], asked: int
) -> None:
    verdict = Verdict(test, RELEASE, 10)
    while not verdict.is_done:
        verdict.add(answers[verdict.asked])
    assert verdict.asked == asked


@pytest.mark.parametrize(
    ("new", "all_", "requests"),
    [(1, 1, 3), (4, 4, 3), (1, 2, 10), (1, 4, 25), (1, 12, 80), (3, 12, 25), (1, 0, 3), (5, 3, 3)],
)
def test_so_many_requests_hardly_miss_the_new_release(new: int, all_: int, requests: int) -> None:
    assert enough(new, all_) == requests


@given(st.integers(1, 50), st.integers(1, 1000))
def test_the_first_batch_is_missed_once_in_a_thousand_runs_at_most(new: int, all_: int) -> None:
    share = min(new / all_, 1.0)
    assert (1 - share) ** enough(new, all_) <= MISS * 1.0001
