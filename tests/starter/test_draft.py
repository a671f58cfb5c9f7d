"""The first settings: they load, whatever the names are, and say what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.aws.instances import Instance
from deploy.settings import load
from deploy.settings.environment import Hosts
from deploy.starter import draft
from deploy.starter.draft import Draft
from deploy.starter.fleet import FleetOfGroup
from deploy.starter.front import Front
from deploy.starter.previous_unit import PreviousUnit

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.settings.environment import Environment

MACHINES = tuple(
    Instance(f"i-{number:017x}", f"web-{number}", f"eu-west-1{zone}")
    for number, zone in enumerate("abc", 1)
)


def made(fleet: dict[str, Any] | None = None, **changed: Any) -> Draft:
    """A draft for three hosts that tags select."""
    given: dict[str, Any] = {
        "group": builders.group("web-prod"),
        "machines": MACHINES,
        "ports": (5000,),
        "tags": {"Role": "web"},
    }
    own: dict[str, Any] = {
        "environment": "prod",
        "app": "web",
        "region": "eu-west-1",
        "account": "123456789012",
    }
    return Draft(FleetOfGroup(**(given | (fleet or {}))), **(own | changed))


def loaded(written: Draft, folder: Path) -> Environment:
    file = folder / "fabric.yaml"
    file.write_text(written.text)
    return load.load(file, written.environment)


def test_the_settings_name_what_was_found(tmp_path: Path) -> None:
    found = loaded(made(profile="prod", user="ec2-user", key_file="~/.ssh/prod"), tmp_path)
    (app,) = found.apps
    assert (app.name, app.ports, app.group_names) == ("web", (5000,), ("web-prod",))
    assert app.longest_request_seconds == 5, "half of the group's delay"
    assert (found.aws.region, found.aws.profile) == ("eu-west-1", "prod")
    assert (found.ssh.user, found.ssh.key_files) == ("ec2-user", ("~/.ssh/prod",))
    assert found.ssh.known_hosts == ("known_hosts",)
    assert found.is_by_tags


def test_hosts_without_tags_of_their_own_are_listed_by_id(tmp_path: Path) -> None:
    assert loaded(made({"tags": {}}), tmp_path).hosts == tuple(each.id for each in MACHINES)


def test_a_unit_that_serves_is_adopted(tmp_path: Path) -> None:
    (app,) = loaded(made().adopting(PreviousUnit("old.service")), tmp_path).apps
    assert (app.replaces, app.user, app.limits) == ("old.service", None, {})


def test_what_the_unit_sets_is_written_for_the_release(tmp_path: Path) -> None:
    old = PreviousUnit(
        "old.service",
        user="shop",
        environment_file="/etc/shop.env",
        limits={"LimitNOFILE": "1024:65536"},
        variables=("REGION",),
    )
    draft = made().adopting(old)
    (app,) = loaded(draft, tmp_path).apps
    assert (app.user, app.environment_file) == ("shop", "/etc/shop.env")
    assert app.limits == {"LimitNOFILE": "1024:65536"}
    assert "      # environment: {REGION: …}\n" in draft.text, "a value is never read"
    assert app.environment == {}


def test_a_service_behind_a_proxy_has_its_own_port_and_the_targets(tmp_path: Path) -> None:
    draft = made({"ports": (80,)}).adopting(PreviousUnit("old.service"), Front("nginx", 5000))
    (app,) = loaded(draft, tmp_path).apps
    assert (app.ports, app.target_port, app.replaces) == ((5000,), 80, "old.service")


def test_a_port_behind_a_proxy_that_was_not_seen_is_asked_for(tmp_path: Path) -> None:
    draft = made({"ports": (80,)}).adopting(PreviousUnit(), Front("nginx"))
    assert loaded(draft, tmp_path).apps[0].replaces is None
    assert "# nginx listens on port 80: write `target_port: 80`" in draft.text


def test_a_unit_that_runs_as_root_does_not_make_the_release_run_as_root(tmp_path: Path) -> None:
    draft = made().adopting(PreviousUnit("old.service", user="root"))
    assert loaded(draft, tmp_path).apps[0].user is None
    assert "# old.service runs as root" in draft.text


@pytest.mark.parametrize("name", ["no", "007", "a: b", "it's\n- here", '"', "{x}", "#"])
def test_names_that_yaml_would_read_otherwise_stay_what_they_are(tmp_path: Path, name: str) -> None:
    machines = (Instance(MACHINES[0].id, name, "eu-west-1a"),)
    if "\n" in name:  # no tag's value that the settings take
        assert loaded(made({"machines": machines}), tmp_path).name == "prod"
        return
    found = loaded(made({"tags": {"Role": name}, "machines": machines}, profile=name), tmp_path)
    assert found.hosts == Hosts(tags={"Role": name})
    assert found.aws.profile == name


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("web-prod", "web"),
        ("Web_API-prod", "web-api"),
        ("prod", "prod"),
        ("shop-tg", "shop"),
        ("1-2-3", "web"),
        ("x" * 32, "x" * 31),
    ],
)
def test_an_app_is_called_as_its_group(group: str, name: str) -> None:
    assert draft.app_name(group, "prod") == name
