"""Names in little space: in the order in which people count, and never two alike."""

from __future__ import annotations

import pytest

from deploy.natural_order import natural
from deploy.screen.run.line import filled, listed
from deploy.screen.run.names import changes, shortened, versions


def test_names_are_in_the_order_in_which_people_count() -> None:
    names = ["web10", "web2", "web1", "db1", "web", "web2b", "10.0.0.9", "10.0.0.10"]
    assert sorted(names, key=natural) == [
        "10.0.0.9",
        "10.0.0.10",
        "db1",
        "web",
        "web1",
        "web2",
        "web2b",
        "web10",
    ]


FLEETS = {
    "ends differ": [f"checkout-service-production-eu-west-1a-web-{n}" for n in range(40)],
    "beginnings differ": [f"{n}-checkout-service-production-eu-west-1a-web" for n in range(40)],
    "middles differ": [f"checkout-service-prod-{n}-production-eu-west-1-web" for n in range(40)],
    "twins": ["a" * 60, "a" * 61, "a" * 62],
    "short": ["web-1", "web-2"],
}


@pytest.mark.parametrize("width", [10, 16, 28])
@pytest.mark.parametrize("fleet", FLEETS)
def test_names_that_differ_stay_different_in_little_space(fleet: str, width: int) -> None:
    names = FLEETS[fleet]
    short = shortened(names, width)
    assert len(set(short.values())) == len(names)
    assert max(map(len, short.values())) <= width


def test_a_name_that_fits_stays_as_it_is_and_others_are_cut_in_the_middle() -> None:
    assert shortened(["web-1"], 10) == {"web-1": "web-1"}
    assert shortened(["checkout-production-web-12"], 16) == {
        "checkout-production-web-12": "checkou…n-web-12"
    }


def test_releases_are_shown_by_version_and_by_more_where_versions_are_alike() -> None:
    assert versions(["1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"]) == {
        "1.0.0-aaaaaaaaaaaa": "1.0.0",
        "2.0.0-bbbbbbbbbbbb": "2.0.0",
    }
    assert versions(["1.0-aaaaaaaaaaaa", "1.0-bbbbbbbbbbbb"]) == {
        "1.0-aaaaaaaaaaaa": "1.0-aaaaaa",
        "1.0-bbbbbbbbbbbb": "1.0-bbbbbb",
    }


CHANGES = [
    ({"web": "1.0-aaaaaaaaaaaa"}, {"web": "2.0-bbbbbbbbbbbb"}, "web 1.0 → 2.0"),
    ({}, {"web": "2.0-bbbbbbbbbbbb"}, "web 2.0"),
    ({"web": "web.service"}, {"web": "2.0-bbbbbbbbbbbb"}, "web web.service → 2.0"),
    ({"web": "2.0-bbbbbbbbbbbb"}, {"web": "2.0-bbbbbbbbbbbb"}, "web 2.0"),
    ({}, {"web": "2.0-bb", "jobs": "1.0-aa"}, "web 2.0, jobs 1.0"),
    ({}, {"web": ""}, "web"),
]


@pytest.mark.parametrize(("before", "after", "shown"), CHANGES)
def test_a_change_is_shown_from_what_runs_to_what_shall_run(
    before: dict[str, str], after: dict[str, str], shown: str
) -> None:
    assert changes(before, after) == shown


def test_parts_fill_lines_in_their_order() -> None:
    assert filled(["aaa", "bbb", "ccc"], 8) == ["aaa  bbb", "ccc"]
    assert filled(["a" * 12], 8) == ["aaaaaaa…"]


def test_long_lists_are_counted() -> None:
    assert listed(["a", "b", "c", "d"]) == "a, b, c, d"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
