"""`inv rollback` undoes the newest run, app by app; the next one goes further back."""

from __future__ import annotations

import pytest
from fleets import Fleet, release

from deploy.errors import BadInput
from deploy.hosts.records import Kind

ALL = ["host-1 web", "host-2 web", "host-3 web"]


def to(version: str, *places: str) -> dict[str, str]:
    return dict.fromkeys(places, version)


def test_the_newest_run_is_undone_and_the_next_rollback_goes_further_back() -> None:
    fleet = Fleet().deploy(1).deploy(2).deploy(3)
    assert fleet.roll_back() == to("2", *ALL)
    assert fleet.roll_back() == to("1", *ALL)
    with pytest.raises(BadInput, match="there is no good release to go back to"):
        fleet.roll_back()


def test_a_deploy_after_a_rollback_is_undone_to_what_the_rollback_went_to() -> None:
    fleet = Fleet().deploy(1).deploy(2).deploy(3)
    fleet.roll_back()
    fleet.deploy(4)
    assert fleet.roll_back() == to("2", *ALL)
    assert fleet.roll_back() == to("1", *ALL)


def test_of_two_apps_the_one_that_was_deployed_last_alone_goes_back() -> None:
    fleet = Fleet(names=("web", "api")).deploy(1).deploy(2).deploy(3, "web")
    assert fleet.roll_back() == to("2", *ALL)
    assert fleet.runs_now("api") == [2, 2, 2]
    both = fleet.roll_back()
    assert both == to("1", *ALL, *(place.replace("web", "api") for place in ALL))


def test_after_a_deploy_of_one_app_that_failed_half_way_the_other_app_is_left_alone() -> None:
    """Once the report's own advice took the healthy app back too, and marked its release."""
    fleet = Fleet(names=("web", "api")).deploy(1).deploy(2).deploy(3, "web", hosts=[1])
    for app in ("web", ""):
        plan = fleet.plan(app=app)
        assert {step.app.name for step in plan.steps} == {"web"}
        changed = {s.host.name for s in plan.steps if type(s).__name__ == "MarkBad"}
        assert changed == {"host-1"}


def test_apps_that_came_in_runs_of_their_own_are_listed_and_refused() -> None:
    fleet = Fleet(names=("web", "api")).deploy(1).deploy(2, "web").deploy(5, "api")
    with pytest.raises(BadInput) as refused:
        fleet.roll_back()
    assert str(refused.value).splitlines() == [
        "More than one run may be meant; type one of these:",
        f"  web {release(2)}, on 3 of 3 hosts: inv rollback --env lab --app web",
        f"  api {release(5)}, on 3 of 3 hosts: inv rollback --env lab --app api",
    ]
    assert set(fleet.roll_back(app="api").values()) == {"1"}
    assert set(fleet.roll_back(app="web").values()) == {"1"}


def test_records_of_format_0_do_not_tell_which_app_came_last() -> None:
    fleet = Fleet(names=("web", "api"), formats=0).deploy(1).deploy(2).deploy(3, "web")
    with pytest.raises(BadInput, match="More than one run may be meant"):
        fleet.roll_back()
    assert fleet.roll_back(app="web") == to("2", *ALL)


def test_records_of_format_0_are_gone_back_from_by_release() -> None:
    fleet = Fleet(formats=0).deploy(1).deploy(2).deploy(3)
    fleet.formats = 1
    assert fleet.roll_back() == to("2", *ALL)
    assert fleet.roll_back() == to("1", *ALL)


def test_a_run_on_some_hosts_is_undone_there_and_nowhere_else() -> None:
    fleet = Fleet(hosts=4).deploy(1).deploy(2).deploy(3, hosts=[2])
    assert (
        "the newest run of web is on 1 of 4 hosts, and only these go back: host-2. To take the "
        "others back: inv rollback --env lab --app web --skip-host host-2"
    ) in fleet.plan().warnings
    assert fleet.roll_back() == to("2", "host-2 web")
    assert fleet.runs_now() == [2, 2, 2, 2]
    assert set(fleet.roll_back().values()) == {"1"}
    assert fleet.runs_now() == [1, 1, 1, 1]


def test_runs_on_different_hosts_are_listed_with_their_hosts() -> None:
    fleet = Fleet(hosts=4).deploy(1).deploy(2, hosts=[1, 2]).deploy(3, hosts=[3, 4])
    with pytest.raises(BadInput) as refused:
        fleet.roll_back()
    assert [line.rpartition(": ")[2] for line in str(refused.value).splitlines()[1:]] == [
        "inv rollback --env lab --app web --hosts host-1,host-2",
        "inv rollback --env lab --app web --hosts host-3,host-4",
    ]
    assert fleet.roll_back(only=[3, 4]) == to("1", "host-3 web", "host-4 web")
    assert fleet.roll_back(only=[1, 2]) == to("1", "host-1 web", "host-2 web")


def test_a_deploy_that_was_begun_twice_is_one_release_to_undo() -> None:
    """It failed half way, and went on in a second run."""
    fleet = Fleet(hosts=4).deploy(1).deploy(2).deploy(3, hosts=[1, 2]).deploy(3, hosts=[3, 4])
    assert set(fleet.roll_back().values()) == {"2"}
    assert fleet.runs_now() == [2, 2, 2, 2]


def test_after_on_failure_rollback_the_next_one_goes_further_back() -> None:
    """Hosts 1 and 2 had the new release and were taken back by policy; host 3 never had it."""
    fleet = Fleet().deploy(1).deploy(2).deploy(3, hosts=[1, 2])
    fleet.deploy(2, hosts=[1, 2], kind=Kind.ROLLBACK)
    assert fleet.roll_back() == to("1", *ALL)


def test_after_a_failed_deploy_that_left_nothing_the_run_before_is_undone() -> None:
    fleet = Fleet().deploy(1).deploy(2)
    fleet.bad["web", 1] = {release(3)}
    assert fleet.roll_back() == to("1", *ALL)


def test_a_rollback_that_was_cut_off_goes_on() -> None:
    fleet = Fleet().deploy(1).deploy(2).deploy(3)
    fleet.deploy(2, hosts=[1], kind=Kind.ROLLBACK)
    assert fleet.roll_back() == to("2", "host-2 web", "host-3 web")
    assert fleet.runs_now() == [2, 2, 2]


def test_a_release_that_was_named_is_gone_back_from_to_where_it_was() -> None:
    fleet = Fleet().deploy(1).deploy(2).deploy(3)
    fleet.roll_back()
    assert fleet.roll_back("3.0.0") == to("3", *ALL)
    assert fleet.roll_back() == to("2", *ALL)


def test_an_app_that_has_nothing_to_go_back_to_is_told_beside_the_other() -> None:
    fleet = Fleet(names=("web", "api")).deploy(1, "web").deploy(2)
    with pytest.raises(BadInput, match="api: there is no good release to go back to"):
        fleet.roll_back()
    assert fleet.roll_back(app="web") == to("1", *ALL)


def test_without_any_record_there_is_nothing_to_undo() -> None:
    with pytest.raises(BadInput, match="nothing was deployed"):
        Fleet().roll_back()
