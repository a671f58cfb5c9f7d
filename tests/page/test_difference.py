"""The page shows what the plan changes: files with bytes, and the unit without its secrets."""

from __future__ import annotations

from builders import NEW, OLD
from screen import plan_cases

from deploy.events.planned import PlanMade, PlannedChange, PlannedFiles
from deploy.page.content import page
from deploy.page.difference import Difference, DiffLine, Files, differences
from deploy.page.rendering import html
from page import other_runs, sample_runs

CHANGE = PlannedChange("web", ("h1", "h2"), OLD, NEW)


def of(*changes: PlannedChange, hosts: tuple[str, ...] = ("h1", "h2")) -> tuple[Difference, ...]:
    return differences([PlanMade("Deploy", "", {"web": NEW}, hosts, (), (), changes=changes)])


def test_files_and_the_units_diff_of_a_real_plan() -> None:
    (found,) = differences([plan_cases.CASES["rolling on 4 hosts"]()])
    assert (found.app, found.way, found.where) == ("web", f"{OLD} → {NEW}", "all 4 hosts")
    assert found.gist == (
        "2 files added (1.5 MB), 1 file changed (130 kB), 1 file removed (80 kB)",
        "4 lines of the unit differ",
        "at most 800 kB to send to each of 4 hosts (package: 6.0 MB)",
    )
    added = (("new.dll", "1.2 MB"), ("lib/new.dll", "300 kB"))
    assert found.files[0] == Files("added", "2 files, 1.5 MB", added, 0)
    assert [each.kind for each in found.files] == ["added", "changed", "removed"]
    assert DiffLine("-MemoryMax=1G", "removed") in found.unit
    assert DiffLine("+MemoryMax=2G", "added") in found.unit
    assert DiffLine(" User=web", "") in found.unit
    assert found.unit[2].look == "place"


def test_a_value_of_a_variable_is_on_no_page() -> None:
    entries = other_runs.deployed()
    text = html(page(entries, "x"))
    assert "Environment=TOKEN=… (changed)" in text
    assert "s3cret" in plan_cases.TEXT, "it is in the unit"
    assert "s3cret" not in text
    assert "hush" not in text
    assert "hello" not in text


def test_what_is_not_known_is_said_and_nothing_is_unfolded() -> None:
    (found,) = of(CHANGE)
    assert found.gist[:2] == (
        "which files differ is not known",
        "how the unit differs is not known",
    )
    assert (found.files, found.unit) == ((), ())
    (one,) = of(PlannedChange("web", ("h1",), OLD, OLD), hosts=("h1",))
    assert (one.way, one.where) == (f"{OLD}, once more", "h1")


def test_of_many_files_the_largest_are_named_and_the_rest_counted() -> None:
    many = PlannedFiles(30, 900, {"a": 400, "b": 300})
    change = PlannedChange("web", ("h1",), OLD, NEW, are_files_known=True, removed=many)
    (found,) = of(change)
    largest = (("a", "400 bytes"), ("b", "300 bytes"))
    assert found.files == (Files("removed", "30 files, 900 bytes", largest, 28),)
    assert found.where == "h1"
    unit = ("@@ -1 +1 @@", "+A=1")
    line = PlannedChange("web", ("h1",), OLD, NEW, is_unit_known=True, unit=unit)
    assert "1 line of the unit differs" in of(line)[0].gist


def test_a_rollback_of_finished_hosts_is_named_as_that() -> None:
    plans = [each.event for each in other_runs.taken_back() if isinstance(each.event, PlanMade)]
    there, back = differences(plans)
    assert (there.is_back, there.way) == (False, f"{OLD} → {NEW}")
    assert (back.is_back, back.way, back.where) == (True, f"{NEW} → {OLD}", "host-1, host-2")


def test_a_run_whose_plan_says_nothing_of_it_has_no_such_part() -> None:
    assert 'id="difference"' not in html(page(sample_runs.surge(), "x"))
    assert 'id="difference"' in html(page(other_runs.deployed(), "x"))
