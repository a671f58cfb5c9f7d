"""Which unit is adopted: the one that listens on every host, and none where they differ."""

from __future__ import annotations

import builders
import pytest

from deploy.starter import adoption
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
    assert adoption.unit_of(builders.app(), facts) == adopted
