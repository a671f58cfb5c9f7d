"""The tests are tried on what serves, before anything is changed."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from builders import UNHEALTHY

from deploy.errors import BadInput
from deploy.front.client import NoAnswer
from deploy.hosts.probe.request import Head, Request
from deploy.plan import assembly
from deploy.plan.plan import Plan
from deploy.smoke import placing, precheck
from smoke.paper import app, old, planned
from smoke.test_through_balancer import Listener, PaperClock


def plan(*smoke: dict[str, Any], header: str | None = None) -> Plan:
    through = {"url": "https://www.example.org"} | ({"release_header": header} if header else {})
    return planned(old(2), app(smoke=list(smoke), smoke_through=through), batch=1)


def warned(made: Plan, *answers: Head) -> list[str]:
    asked = precheck.checked(made, Listener(list(answers)), PaperClock())
    assert asked.batches == made.batches
    return list(asked.warnings[len(made.warnings) :])


def test_what_serves_and_passes_adds_nothing() -> None:
    assert warned(plan({"path": "/"}), Head(200)) == []
    assert warned(plan({"path": "/new", "new": True}), Head(404)) == []


def test_a_test_that_what_serves_does_not_pass_is_a_warning_since_the_release_may_repair_it() -> (
    None
):
    assert warned(plan({"path": "/cart"}), Head(404)) == [
        "web: what serves now does not pass the smoke test `GET https://www.example.org/cart gives "
        "200` through the load balancer: answer 404. If only the new release can, give it "
        "`new: true`"
    ]


def test_an_answer_that_names_no_release_is_a_warning() -> None:
    (said,) = warned(plan({"path": "/"}, header="X-Version"), Head(200))
    assert said.startswith("web: what serves now names no release in X-Version (GET https://www.")
    assert warned(plan({"path": "/"}, header="X-Version"), Head(200, ("x-version: 1.0.0",))) == []


def test_p8_no_answer_at_all_is_refused_before_the_first_change() -> None:
    listener = Listener([NoAnswer("its certificate is not trusted: certificate has expired")])
    with pytest.raises(BadInput) as refused:
        precheck.checked(plan({"path": "/"}), listener, PaperClock())
    assert str(refused.value) == (
        "web: https://www.example.org/ cannot be asked from here, tried 3 times: its certificate "
        "is not trusted: certificate has expired; correct `url` under `smoke_through`, deploy from "
        "where users' requests come from, or leave `smoke_through` out"
    )
    assert len(listener.asked) == 3


def test_where_nothing_serves_nothing_is_tried() -> None:
    def never(request: Request, number: int, seconds: float) -> Head:
        raise AssertionError((request, number, seconds))

    hosts = old(2)
    seen = builders.survey(hosts, {"host-1": UNHEALTHY, "host-2": UNHEALTHY}, [app()])
    offers = (builders.offer(app(), hosts),)
    made = assembly.make(builders.environment(app()), offers, seen, allow_downtime=True)
    assert precheck.checked(placing.placed(made), never).warnings == made.warnings
