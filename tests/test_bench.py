"""The bench's own arithmetic: what counts as reached, and what is said of what was not measured."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from bench import __main__ as bench
from bench import figures, limit, paper, paper_api, scale, table
from bench.contestants import ANSIBLE, CONTESTANTS, SURGE, WAIT, Product
from bench.figures import Figure, Runs
from bench.job import Ground, NotMeasured, Run
from bench.limit import Limit
from deploy.errors import DeployError
from lab.count import lowest
from lab.fleet import Lab


def run(contestant: str = WAIT, hosts: int = 4, **values: Any) -> Run:
    given: dict[str, Any] = {
        "wall_seconds": 60.0,
        "until_new_seconds": 50.0,
        "requests": 9000,
        "failed": 0,
        "p99_ms": 10.0,
        "least": 3,
        "calls": 100,
        "limit": None,
    }
    return Run(contestant, hosts, **(given | values))


def named(found: tuple[Figure, ...], start: str) -> Figure:
    return next(figure for figure in found if figure.name.startswith(start))


def test_a_figure_is_reached_missed_or_not_measured() -> None:
    assert Figure("ratio", 1.1, 1.1).verdict == "ok"
    assert Figure("ratio", 1.1, 1.11).verdict == "MISS"
    assert Figure("ratio", 1.1, None, why="no lab").verdict == "not measured: no lab"
    assert not Figure("ratio", 1.1, None).is_missed


def test_the_median_run_counts() -> None:
    waits = Limit(40, 16, 0, 4, 0, 0)
    walls = (90.0, 60.0, 66.0)
    found = Runs(tuple(run(wall_seconds=wall, limit=waits) for wall in walls), {})
    assert named(figures.of_runs(found), WAIT).measured == pytest.approx(1.1)


def test_a_ratio_needs_both_contestants_and_says_who_is_missing() -> None:
    refused = {SURGE: "rollout.strategy: only rolling is known"}
    found = figures.of_runs(Runs((run(ANSIBLE),), refused))
    missing = named(found, f"{SURGE}: wall over {ANSIBLE}, 4 hosts")
    assert missing.measured is None
    assert missing.verdict.endswith("only rolling is known")
    both = (run(SURGE, wall_seconds=20.0), run(ANSIBLE, wall_seconds=80.0))
    assert named(figures.of_runs(Runs(both, {})), missing.name).measured == 0.25


def test_lost_requests_of_a_peer_are_not_ours() -> None:
    lost = (run(failed=0), run(ANSIBLE, failed=7))
    assert named(figures.of_runs(Runs(lost, {})), "requests failed").measured == 0
    assert named(figures.of_runs(Runs((run(failed=1),), {})), "requests failed").is_missed


def test_the_fewest_in_service_are_counted_from_the_log() -> None:
    told = [
        {"from": "healthy", "to": "draining"},
        {"from": "healthy", "to": "draining"},
        {"from": "initial", "to": "healthy"},
        {"from": "draining", "to": "unused"},
        {"from": "healthy", "to": "draining"},
    ]
    assert lowest(4, told) == (2, told[-1])


def test_the_time_to_healthy_is_each_targets_own() -> None:
    told = [
        {"id": "a", "port": 1, "at": 0.0, "to": "healthy"},
        {"id": "a", "port": 2, "at": 1.0, "to": "initial"},
        {"id": "b", "port": 2, "at": 2.0, "to": "initial"},
        {"id": "b", "port": 2, "at": 7.0, "to": "healthy"},
        {"id": "a", "port": 2, "at": 4.0, "to": "healthy"},
    ]
    assert limit.healthy_seconds(told) == [3.0, 5.0]


def test_the_waits_of_a_surge_are_those_of_a_canary_and_of_all_others_at_once() -> None:
    told = [
        {"id": name, "port": 5001, "at": at, "to": to}
        for name, came, well in (("a", 1.0, 3.0), ("b", 4.0, 5.0), ("c", 4.0, 8.0))
        for at, to in ((came, "initial"), (well, "healthy"))
    ]
    stopped = iter((0.5, 1.5, 1.0))
    lab = SimpleNamespace(hosts=[SimpleNamespace(name=name) for name in "abc"])
    lab.shell = lambda _, entry: _time(entry, stopped)
    found = limit.canary_then_all(cast("Lab", lab), told)
    assert (found.delay, found.prove, found.stop, found.start, found.healthy) == (2, 8, 1.5, 2, 6)


def _time(entry: str, seconds: Iterator[float]) -> str:
    """What journalctl exports of the moment when a unit began to stop, or had."""
    now = 0 if limit.STOPPING in entry else next(seconds) * 1_000_000
    return f"__MONOTONIC_TIMESTAMP={now:.0f}"


def test_settings_that_the_product_refuses_are_not_measured(tmp_path: Path) -> None:
    (tmp_path / "environment.yaml").write_text("hosts: [web-1]\n")
    ground = cast("Ground", SimpleNamespace(lab=SimpleNamespace(folder=tmp_path), folder=tmp_path))
    with pytest.raises(NotMeasured, match="colour"):
        Product({"colour": "blue"}).begin(ground)


def test_contestants_are_told_apart_and_peers_say_what_they_lack() -> None:
    names = [each.name for each in CONTESTANTS]
    assert len(set(names)) == len(names)
    assert all(each.cannot for each in CONTESTANTS if not each.is_ours)
    assert [each.name for each in CONTESTANTS if each.waits] == [WAIT, SURGE]


def test_the_page_keeps_what_people_wrote() -> None:
    page = f"# Title\n\n{table.BEGIN}\nold\n{table.END}\n\nAfter.\n"
    once = table.marked(page, "new\n")
    assert once == f"# Title\n\n{table.BEGIN}\nnew\n{table.END}\n\nAfter.\n"
    assert table.marked(once, "new\n") == once


def test_the_page_has_its_place_for_the_tables() -> None:
    assert table.PAGE.read_text().count(table.BEGIN) == 1
    assert table.PAGE.read_text().count(table.END) == 1


def test_a_contestant_that_was_refused_is_told() -> None:
    found = table.Found("here", Runs((run(),), {SURGE: "unknown key"}), (), ())
    text = "".join(shown.markdown() for shown in found.tables())
    assert f"| {WAIT} | 1 | 60.0 | 50.0 | 3 | 9000 | 0 | 10 | 100 |" in text
    assert f"| {SURGE} | unknown key |" in text


def asked(group: paper_api.PaperGroup, action: str, *targets: str) -> str:
    given = {"Action": action} | {
        f"Targets.member.{number}.Id": target for number, target in enumerate(targets, start=1)
    }
    body = urlencode(given).encode()
    environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return b"".join(group(environ, lambda *_: lambda _: None)).decode()


def test_a_target_on_paper_drains_and_turns_healthy_in_its_time() -> None:
    now = [1000.0]
    group = paper_api.PaperGroup(["i-1", "i-2"], lambda: now[0])
    assert asked(group, "DescribeTargetHealth").count("healthy") == 2
    asked(group, "DeregisterTargets", "i-1")
    assert "draining" in asked(group, "DescribeTargetHealth")
    now[0] += paper.DELAY_SECONDS
    assert "i-1" not in asked(group, "DescribeTargetHealth")
    asked(group, "RegisterTargets", "i-1")
    assert "initial" in asked(group, "DescribeTargetHealth")
    now[0] += paper.CHECK_SECONDS + 0.1
    assert asked(group, "DescribeTargetHealth").count("healthy") == 2
    assert group.answered == 7


def test_the_costs_of_a_step_leave_the_waits_out() -> None:
    found = scale.Scale(
        hosts=10,
        steps=100,
        plan_seconds=0.1,
        wall_seconds=36.0,
        wait_seconds=35.0,
        cpu_seconds=0.2,
        event_seconds=0.005,
        peak_mb=60.0,
        calls={"DescribeTargetHealth": 36},
        throttled=0,
    )
    assert found.wall_ms == pytest.approx(10.0)
    assert found.cpu_ms == pytest.approx(2.0)
    assert found.event_percent == pytest.approx(2.5)
    assert found.looks_per_tick == pytest.approx(0.5)


def test_a_part_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["rolling", "sailing"])
    assert ended.value.code == 2
    assert "no such part: sailing" in capsys.readouterr().err


def test_what_fails_is_told_and_costs_no_run_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_lab(*_: object) -> None:
        raise DeployError("bookworm-19 did not boot", "its console: empty")

    monkeypatch.setattr(Lab, "borrowed", no_lab)
    found = bench.Bench()
    found.runs.append(run())
    found.compare(CONTESTANTS, 16, 1)
    assert found.status() is None
    runs = Runs(tuple(found.runs), found.refused, found.broken)
    why = "it failed: bookworm-19 did not boot"
    assert figures.of_status(None, runs).verdict == f"not measured: {why}"
    assert f"a lab of 16 hosts: {why}" in named(figures.of_runs(runs), f"{SURGE}: time").why
    assert runs.of(WAIT, 4)
