"""Which unit is adopted: the one that listens on every host, and none where they differ."""

from __future__ import annotations

import builders
import pytest

from deploy.starter import previous_unit
from deploy.starter.previous_unit import PreviousUnit
from deploy.survey.slot import Listener, Slot


@pytest.mark.parametrize(
    ("units", "adopted"),
    [
        (["old.service", "old.service"], "old.service"),
        (["old.service", "other.service"], ""),
        (["old.service", ""], ""),
        ([], ""),
        (["web@5000.service", "web@5000.service"], ""),
    ],
    ids=["one", "two", "not everywhere", "none read", "the app's own"],
)
def test_the_unit_that_serves_everywhere_is_adopted(units: list[str], adopted: str) -> None:
    facts = [
        builders.facts(number, {"web": Slot(listeners=(Listener(7, unit, "web"),) if unit else ())})
        for number, unit in enumerate(units, 1)
    ]
    assert previous_unit.unit_of(builders.app(), facts) == adopted


OLD = "old.service"
LIMIT = ("LimitNOFILE", "32768")


@pytest.mark.parametrize(
    ("of_hosts", "expected"),
    [
        ([[("User", "shop"), LIMIT]] * 2, PreviousUnit(OLD, "shop", limits=dict([LIMIT]))),
        ([[("User", "shop")], [("User", "web")]], PreviousUnit(OLD)),
        ([[("User", "shop")], [LIMIT]], PreviousUnit(OLD)),
        ([[LIMIT], [("LimitNOFILE", "1")]], PreviousUnit(OLD, "root")),
        ([[("User", "shop"), ("User", "")]], PreviousUnit(OLD, "root")),
        ([[("DynamicUser", "yes")]], PreviousUnit(OLD)),
        ([[("User", "www_data; x")]], PreviousUnit(OLD)),
        ([[("LimitCORE", "0"), ("LimitNOFILE", "x: {y")]], PreviousUnit(OLD, "root")),
        ([[("EnvironmentFile", "-/etc/shop.env")]], PreviousUnit(OLD, "root", "/etc/shop.env")),
        ([[("EnvironmentFile", "/a"), ("EnvironmentFile", "/b")]], PreviousUnit(OLD, "root")),
        ([[("EnvironmentFile", "/etc/*.env")]], PreviousUnit(OLD, "root")),
        (
            [[("Environment", "A"), ("Environment", "B")]],
            PreviousUnit(OLD, "root", "", {}, ("A", "B")),
        ),
        ([[], [("User", "shop")]], PreviousUnit(OLD, "shop")),
        ([[]], PreviousUnit(OLD)),
        ([], PreviousUnit(OLD)),
    ],
)
def test_what_every_host_sets_alike_is_taken_over(
    of_hosts: list[list[tuple[str, str]]], expected: PreviousUnit
) -> None:
    assert previous_unit.read(OLD, of_hosts) == expected
