"""The commands' own small decisions; the lab's tests see them whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from builders import HEALTHY, NEW, OLD, UNHEALTHY

from deploy.aws.targets import GONE, Health
from deploy.commands import conclusion
from deploy.errors import BadInput
from deploy.plan import assembly, choice
from deploy.run.report import ExitCode, Failure, Outcome, Report
from deploy.screen import status
from deploy.session import arguments
from deploy.survey.slot import Slot


def test_names_are_split_at_commas() -> None:
    assert arguments.split(None, "--hosts") == ()
    assert arguments.split("web-1, web-2,", "--hosts") == ("web-1", "web-2")


@pytest.mark.parametrize("given", ["", " ", ",", " , "])
def test_an_empty_variable_does_not_mean_the_whole_fleet(given: str) -> None:
    with pytest.raises(BadInput, match="--hosts names no host"):
        arguments.split(given, "--hosts")


@pytest.fixture
def builds(tmp_path: Path) -> Path:
    for version in ("1.0.0", "2.1.0.0", "11.0.0"):
        (tmp_path / f"web.{version}.zip").touch()
    return tmp_path


def test_a_version_is_that_version_alone(builds: Path) -> None:
    """`endswith` would take 2.1.0.0, and 11.0.0, for 1.0.0."""
    app = builders.app(package="web.*.zip")
    environment = builders.environment(app, root=builds)
    assert choice.choose(environment, app, "1.0.0").name == "web.1.0.0.zip"
    assert choice.choose(environment, app, "11.0.0").name == "web.11.0.0.zip"
    with pytest.raises(BadInput, match=r"--package 0\.0: no package has this version"):
        choice.choose(environment, app, "0.0")


def test_a_version_is_found_in_any_folder_of_the_pattern(tmp_path: Path) -> None:
    for build in ("a", "b"):
        (tmp_path / build).mkdir()
    (tmp_path / "b" / "web.3.0.0.zip").touch()
    app = builders.app(package="*/web.*.zip")
    environment = builders.environment(app, root=tmp_path)
    assert choice.choose(environment, app, "3.0.0") == tmp_path / "b" / "web.3.0.0.zip"


def test_a_version_that_ties_is_refused(builds: Path) -> None:
    (builds / "web.1.0.0.tar.gz").touch()
    app = builders.app(package="web.*")
    with pytest.raises(BadInput, match="several packages have this version"):
        choice.choose(builders.environment(app, root=builds), app, "1.0.0")


def test_a_report_tells_who_is_out_of_service_whoever_took_them_out() -> None:
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    environment = builders.environment()
    made = assembly.make(
        environment, (builders.offer(builders.app(), hosts),), builders.survey(hosts)
    )
    report = Report(
        made, {"host-1": Outcome.DONE, "host-2": Outcome.CURRENT, "host-3": Outcome.DONE}
    )
    assert report.exit_code is ExitCode.DONE
    seen = builders.survey(hosts, {"host-2": UNHEALTHY})
    partly = replace(seen, unreachable={"host-3": "no SSH connection"})
    told = conclusion.as_seen(report, status.overview(environment, partly))
    assert list(told.outcomes.values()) == [Outcome.DONE, Outcome.OUT, Outcome.DONE]
    assert told.exit_code is ExitCode.OUT_OF_SERVICE


STAYS_OUT: dict[str, tuple[dict[str, Any], Health, bool]] = {
    "this run took it out, so a reading may be old": ({}, HEALTHY, True),
    "nothing runs there": ({"running_release": ""}, HEALTHY, False),
    "it is still unhealthy": ({}, UNHEALTHY, False),
}


def given_up(health: Health, *, taken_out: bool = False, **slot: Any) -> Report:
    """The report of a run that gave up a host, which then is as it is seen here."""
    seen = builders.survey([builders.facts(1, {"web": builders.slot(**slot)})], {"host-1": health})
    offers = (builders.offer(builders.app(), seen.hosts),)
    made = assembly.make(builders.environment(), offers, seen, allow_downtime=True)
    failure = Failure(builders.host(1), "wait until healthy", "unhealthy after 20 s")
    out = frozenset({("host-1", "web", 5000)}) if taken_out else frozenset[Any]()
    report = Report(made, {"host-1": Outcome.OUT}, (failure,), taken_out=out)
    return conclusion.as_seen(report, status.overview(builders.environment(), seen))


def test_a_host_that_was_given_up_and_is_healthy_since_is_in_service() -> None:
    told = given_up(HEALTHY)
    assert told.outcomes == {"host-1": Outcome.SERVES}
    assert told.exit_code is ExitCode.FAILED


@pytest.mark.parametrize(("slot", "health", "taken_out"), STAYS_OUT.values(), ids=STAYS_OUT)
def test_control_a_host_that_was_given_up_stays_out_otherwise(
    slot: dict[str, Any], health: Health, taken_out: bool
) -> None:
    told = given_up(health, taken_out=taken_out, **slot)
    assert told.outcomes == {"host-1": Outcome.OUT}
    assert told.exit_code is ExitCode.OUT_OF_SERVICE


def test_a_host_that_was_out_and_not_reached_is_out_where_nobody_could_look() -> None:
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    seen = builders.survey(hosts, {"host-2": UNHEALTHY})
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(builders.environment(), offers, seen, allow_downtime=True)
    failures = (Failure(builders.host(1), "upload", "no way to it"),)
    waiting = dict.fromkeys(("host-1", "host-2"), Outcome.WAITING)
    told = conclusion.as_seen(Report(made, waiting, failures), None)
    assert list(told.outcomes.values()) == [Outcome.WAITING, Outcome.OUT]
    back = dict.fromkeys(("host-1", "host-2"), Outcome.BACK)
    assert conclusion.as_seen(Report(made, back, failures), None).outcomes == back
    now = builders.survey(hosts)
    well = status.overview(builders.environment(), now)
    assert conclusion.as_seen(Report(made, waiting, failures), well).outcomes == waiting
    dark = replace(now, hosts=now.hosts[:1], unreachable={"host-2": "no answer"})
    by_aws = status.overview(builders.environment(), dark)
    assert conclusion.as_seen(Report(made, waiting, failures), by_aws).outcomes == waiting


def test_a_fleet_that_was_mixed_and_cannot_be_seen_is_mixed() -> None:
    hosts = [
        builders.facts(n, {"web": builders.slot(release)}) for n, release in ((1, OLD), (2, NEW))
    ]
    environment = builders.environment()
    made = assembly.make(
        environment, (builders.offer(builders.app(), hosts),), builders.survey(hosts)
    )
    assert made.mixed
    failure = Failure(builders.host(1), "upload", "no way to it")
    outcomes = {"host-1": Outcome.WAITING, "host-2": Outcome.WAITING}
    report = Report(made, outcomes, (failure,), mixed=made.mixed)
    assert report.exit_code is ExitCode.MIXED, "where nobody could look"
    seen = builders.survey(hosts)
    dark = replace(seen, hosts=(), unreachable={"host-1": "no answer", "host-2": "no answer"})
    told = conclusion.as_seen(report, status.overview(environment, dark))
    assert told.exit_code is ExitCode.MIXED
    one = builders.survey([builders.facts(n, {"web": builders.slot(OLD)}) for n in (1, 2)])
    assert (
        conclusion.as_seen(report, status.overview(environment, one)).exit_code is ExitCode.FAILED
    )


def test_a_fleet_of_one_release_is_not_mixed_for_a_host_that_cannot_be_read() -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    environment, seen = builders.environment(), builders.survey(hosts)
    made = assembly.make(environment, (builders.offer(builders.app(), hosts),), seen)
    waiting = dict.fromkeys(("host-1", "host-2"), Outcome.WAITING)
    report = Report(made, waiting, (Failure(builders.host(1), "upload", "no way to it"),))
    partly = replace(seen, hosts=seen.hosts[1:], unreachable={"host-1": "no answer"})
    told = conclusion.as_seen(report, status.overview(environment, partly))
    assert told.exit_code is ExitCode.FAILED


def test_after_a_stop_for_the_credentials_it_is_said_to_renew_them() -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    environment, seen = builders.environment(), builders.survey(hosts)
    made = assembly.make(environment, (builders.offer(builders.app(), hosts),), seen)
    waiting = dict.fromkeys(("host-1", "host-2"), Outcome.WAITING)
    late = Failure(builders.host(1), "begin batch 1", "they end", is_stop=True)
    asked = arguments.CommandOptions("lab")
    shown = conclusion.next_steps(asked.scope("deploy"), Report(made, waiting, (late,)))
    assert shown == "renew the AWS credentials and continue: inv deploy --env lab"
    both = (late, Failure(builders.host(2), "upload", "no way to it"))
    shown = conclusion.next_steps(asked.scope("deploy"), Report(made, waiting, both))
    assert shown.startswith("fix what failed and continue")


def first_install(verb: str = "deploy") -> str:
    """What is said to type where the first install on a new host failed."""
    hosts = [builders.facts(1, {"web": Slot()})]
    environment, seen = builders.environment(), builders.survey(hosts, {"host-1": GONE})
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(environment, offers, seen)
    failures = (Failure(builders.host(1), "prove", "no answer"),) if verb == "deploy" else ()
    plan = made if verb == "deploy" else replace(made, batches=())
    report = Report(plan, {"host-1": Outcome.OUT}, failures)
    return conclusion.next_steps(arguments.CommandOptions("lab").scope(verb), report)


def test_a_first_install_that_failed_is_not_said_to_be_repaired() -> None:
    shown = first_install()
    assert shown.endswith("fix what failed and deploy again: inv deploy --env lab")
    assert "repair" not in shown


def test_a_repair_that_cannot_return_a_host_does_not_name_itself() -> None:
    shown = first_install("repair")
    assert "inv repair" not in shown
    assert shown.endswith("deploy a package that starts: inv deploy --env lab")
