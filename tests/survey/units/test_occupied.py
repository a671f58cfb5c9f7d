"""What has a slot's port or name already is named as what it is, and never replaced unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from builders import NEW, OLD, RUNNING

from deploy.hosts.records import Record
from deploy.survey.slot import Listener, Slot
from deploy.survey.units import occupied

OWN = "/etc/systemd/system/web@5000.service"
TEMPLATE = replace(RUNNING, fragment="/etc/systemd/system/web@.service")
BY_HAND = replace(RUNNING, fragment=OWN)
DEPLOYED = (Record(OLD, "0123456789ab"),)


def said(**slot: Any) -> str:
    """What is said of a host with this slot."""
    host = builders.facts(slots={"web": Slot(**slot)})
    web = builders.app(replaces="legacy.service")
    seen = builders.survey([host], {}, [web])
    return " ".join(occupied.problems(seen.on(host.host, web)))


@pytest.mark.parametrize("state", [TEMPLATE, BY_HAND])
def test_a_unit_of_our_name_that_we_did_not_write_is_never_replaced(state: Any) -> None:
    """It serves, and where the new release failed, nothing would have returned to it."""
    problem = said(unit_state=state, listeners=(Listener(100, "web@5000.service", "node"),))
    assert problem.startswith(
        f"host-1: web@5000.service runs by {state.fragment}, which Changeover"
    )
    assert "`replaces: web@5000.service`" in problem


@pytest.mark.parametrize(
    "slot",
    [
        {"unit_state": replace(TEMPLATE, active="inactive", sub="dead")},
        {"unit_state": BY_HAND, "unit_digest": "0123456789ab"},  # a first deploy that was killed
        {"unit_state": BY_HAND, "out": "{}"},
        {"unit_state": TEMPLATE, "running_release": NEW},
        {"unit_state": BY_HAND, "history": DEPLOYED},  # drift, which the next deploy repairs
        {"unit_state": replace(BY_HAND, fragment=""), "history": DEPLOYED},
    ],
)
def test_what_we_wrote_or_can_return_from_is_no_other_unit(slot: dict[str, Any]) -> None:
    assert said(**slot) == ""


def test_a_template_that_took_the_place_of_our_file_is_another_unit() -> None:
    assert "which Changeover did not write" in said(unit_state=TEMPLATE, history=DEPLOYED)


@pytest.mark.parametrize(
    ("enabled", "expected"),
    [
        ("transient", "systemd-run made it, and it is gone once it is stopped"),
        ("masked", "it is masked; run `systemctl unmask`"),
        ("masked-runtime", "is masked"),
        ("alias", "it is another unit's alias"),
        ("generated", "a generator of systemd makes it at each boot"),
        *((state, "") for state in ("enabled", "disabled", "static", "linked", "indirect", "")),
    ],
)
def test_a_unit_that_could_not_be_started_again_is_not_replaced(
    enabled: str, expected: str
) -> None:
    problem = said(replaces=replace(RUNNING, enabled=enabled))
    assert problem.startswith("host-1: legacy.service, which web replaces," if expected else "")
    assert expected in problem
    assert bool(problem) is bool(expected)
    assert said(replaces=replace(RUNNING, enabled=enabled, active="inactive")) == ""


@pytest.mark.parametrize(
    ("listener", "expected", "names_it"),
    [
        (Listener(7, "nginx.service", "nginx"), "nginx.service (pid 7, nginx); stop it", True),
        (Listener(1, "init.scope", "systemd"), "systemd itself, for a socket unit", False),
        (Listener(1, "", "systemd"), "systemd itself, for a socket unit", False),
        (Listener(8, "user@1000.service", "node"), "that user's own systemd", False),
        (Listener(9, "docker.service", "docker-proxy"), "for a container: stop that", False),
        (Listener(9, "supervisor.service", "node"), "one of the programs there", False),
        (Listener(9, "session-3.scope", "node"), "session-3.scope (pid 9, node); stop it", False),
        (Listener(9, "", "python3"), "python3 (pid 9, python3); stop it", False),
    ],
)
def test_replaces_is_advised_for_a_service_of_its_own_alone(
    listener: Listener, expected: str, *, names_it: bool
) -> None:
    """All that a user's session, Docker or a supervisor runs would be stopped with it."""
    problem = said(listeners=(listener,))
    assert problem.startswith("host-1: port 5000 of web is held by ")
    assert expected in problem
    assert ("`replaces:`" in problem) is names_it
