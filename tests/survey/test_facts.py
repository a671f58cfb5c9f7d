"""Hosts and groups as values: what runs, and which target is whose."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from deploy.aws.targets import GONE
from deploy.survey.app_on_host import target_of
from deploy.survey.slot import UnitState


@pytest.mark.parametrize(
    ("active", "runs"),
    [("active", True), ("activating", True), ("reloading", True), ("failed", False)],
)
def test_a_unit_about_to_run_counts_as_running(active: str, runs: bool) -> None:
    assert UnitState(active=active).is_running is runs


def test_a_target_goes_by_instance_or_by_address() -> None:
    web, host = builders.app().at(5000), builders.host(3)
    assert target_of(builders.group(), host, web).id == host.instance_id
    assert target_of(builders.group(target_type="ip"), host, web).id == host.address
    public = replace(host, address="198.51.100.7", private_address="10.0.0.3")
    assert target_of(builders.group(target_type="ip"), public, web).id == "10.0.0.3"
    (member,) = builders.survey(health={"host-1": GONE}).memberships(builders.host(), web)
    assert member.health == GONE
